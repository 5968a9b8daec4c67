"""The directory store: objects are written once, whole, and durably; every way in which a disk fails is named."""

import errno
import fcntl
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.errors import (
    ObjectExistsError,
    ObjectMissingError,
    PulihError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
)
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import ObjectInfo, Store
from tests.testbed.only_root import mounted

KEY = "kepegawaian/simpel/simpel_data_full_20261120t220003+0700/manifest.json"
MEBIBYTE = 1 << 20


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_at(tmp_path / "disk")


def store_at(directory: Path, prefix: str = "cadangan", title: str = "") -> Store:
    directory.mkdir(exist_ok=True)
    return open_store(StoreSettings(name="utama", path=str(directory), prefix=prefix, title=title))


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if not path.is_dir())


def test_bytes_that_were_put_are_read_back(store: Store, tmp_path: Path) -> None:
    store.put_bytes(KEY, b"words")
    assert store.read(KEY) == b"words"
    assert store.exists(KEY)
    assert files(tmp_path / "disk") == [f"cadangan/{KEY}"]


def test_a_file_that_was_put_is_read_back_in_pieces(store: Store, tmp_path: Path) -> None:
    content = os.urandom(3 * MEBIBYTE + 5)
    (tmp_path / "staged").write_bytes(content)
    store.put_file(KEY, tmp_path / "staged")
    read, buffer = bytearray(), memoryview(bytearray(70_000))
    with store.open(KEY) as stored:
        while count := stored.readinto(buffer):
            read += buffer[:count]
    assert bytes(read) == content


def test_the_same_again_is_success_and_something_else_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"words")
    store.put_bytes(KEY, b"words")
    inode = (tmp_path / "disk/cadangan" / KEY).stat().st_ino
    store.put_bytes(KEY, b"words")
    store.put_file(KEY, tmp_path / "same")
    for other in (b"wordy", b"word", b"words!", b""):
        with pytest.raises(
            ObjectExistsError, match=r"manifest\.json in the store utama already holds something else; what"
        ):
            store.put_bytes(KEY, other)
        (tmp_path / "other").write_bytes(other)
        with pytest.raises(ObjectExistsError, match="nothing is ever overwritten"):
            store.put_file(KEY, tmp_path / "other")
    assert store.read(KEY) == b"words"
    assert (tmp_path / "disk/cadangan" / KEY).stat().st_ino == inode
    assert files(tmp_path / "disk") == [f"cadangan/{KEY}"]


RACE = """
import fcntl, sys
from recovery.errors import ObjectExistsError
from recovery.settings import StoreSettings
from recovery.stores import open_store
directory, key, content, gate = sys.argv[1:]
store = open_store(StoreSettings(name="utama", path=directory, prefix="cadangan"))
print("ready", flush=True)
fcntl.flock(open(gate), fcntl.LOCK_SH)
try:
    store.put_bytes(key, content.encode() * 100_000)
    print("put", content)
except ObjectExistsError:
    print("refused", content)
"""


def test_of_two_processes_that_put_one_key_at_once_exactly_one_succeeds(store: Store, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with gate.open("w") as closed:
        fcntl.flock(closed, fcntl.LOCK_EX)
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", RACE, str(tmp_path / "disk"), KEY, content, str(gate)],
                stdout=subprocess.PIPE,
                text=True,
            )
            for content in "abcd"
        ]
        assert ["ready\n"] * 4 == [process.stdout.readline() for process in processes if process.stdout]
    outcomes = [process.communicate()[0].split() for process in processes]
    winners = [content for outcome, content in outcomes if outcome == "put"]
    assert len(winners) == 1
    assert store.read(KEY) == winners[0].encode() * 100_000
    assert files(tmp_path / "disk") == [f"cadangan/{KEY}"]


def test_a_process_killed_while_it_puts_leaves_nothing_under_the_key(store: Store, tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from recovery.settings import StoreSettings\n"
        "from recovery.stores import open_store\n"
        "link = os.link\n"
        "def die(*paths):\n"
        "    if sys.argv[3] == 'after': link(*paths)\n"
        "    os.kill(os.getpid(), 9)\n"
        "os.link = die\n"
        "open_store(StoreSettings(name='utama', path=sys.argv[1])).put_bytes(sys.argv[2], b'words')\n"
    )
    store = store_at(tmp_path / "disk", prefix="")
    for moment, there in (("before", False), ("after", True)):
        command = [sys.executable, "-c", program, str(tmp_path / "disk"), f"{moment}/{KEY}", moment]
        assert subprocess.run(command, capture_output=True).returncode == -9
        assert store.exists(f"{moment}/{KEY}") is there
        store.put_bytes(f"{moment}/{KEY}", b"words")
    assert [info.key for info in store.list()] == [f"after/{KEY}", f"before/{KEY}"]
    assert len(store.sweep(0)) == 2
    assert files(tmp_path / "disk") == [f"after/{KEY}", f"before/{KEY}"]


def test_sweeping_spares_what_is_young_and_what_is_an_object(store: Store, tmp_path: Path) -> None:
    store.put_bytes(KEY, b"words")
    folder = (tmp_path / "disk/cadangan" / KEY).parent
    for name, age in (("old", 7200), ("young", 60)):
        path = folder / f".pulih-tmp-{name}"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    os.utime(tmp_path / "disk/cadangan" / KEY, (0, 0))
    assert store.sweep(3600) == [f"{KEY.rpartition('/')[0]}/.pulih-tmp-old"]
    assert sorted(path.name for path in folder.iterdir()) == [".pulih-tmp-young", "manifest.json"]


def test_listing_goes_by_the_beginning_of_the_key_and_its_order(store: Store, tmp_path: Path) -> None:
    for key in ("a/b/two", "a/b/one", "a-b/one", "a/bc", "z"):
        store.put_bytes(key, key.encode())
    (tmp_path / "disk/cadangan/a/.pulih-tmp-1").write_bytes(b"half")
    every = ["a-b/one", "a/b/one", "a/b/two", "a/bc", "z"]
    assert [info.key for info in store.list()] == every
    assert list(store.list("a/b/")) == [ObjectInfo("a/b/one", 7), ObjectInfo("a/b/two", 7)]
    assert [info.key for info in store.list("a/b")] == ["a/b/one", "a/b/two", "a/bc"]
    assert [info.key for info in store.list("a")] == every[:-1]
    assert list(store.list("nothing/here")) == []


OUTSIDE = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a/./b",
    "a//b",
    "a/",
    "a\nb",
    "a\x00b",
    "a\\b",
    "a/\udcff",
]
TOO_LONG = ["a" * 256, "/".join(["a" * 200] * 6)]


@pytest.mark.parametrize("key", [*OUTSIDE, *TOO_LONG, "a/.pulih-tmp-1"])
def test_a_key_that_could_leave_the_store_is_refused(store: Store, tmp_path: Path, key: str) -> None:
    uses: list[Callable[[], object]] = [
        lambda: store.put_bytes(key, b""),
        lambda: store.put_file(key, Path(__file__)),
        lambda: store.read(key),
        lambda: store.exists(key),
        lambda: store.location(key),
    ]
    for use in uses:
        with pytest.raises(StoreError, match="cannot be the key of an object; nothing was read or written"):
            use()
    assert files(tmp_path / "disk") == []


def test_what_is_not_there_is_missing_and_not_an_empty_object(store: Store, tmp_path: Path) -> None:
    store.put_bytes("a/b", b"words")
    os.symlink(__file__, tmp_path / "disk/cadangan/a/link")
    os.mkfifo(tmp_path / "disk/cadangan/a/pipe")
    for key in ("a/c", "a", "a/b/c", "a/pipe"):
        assert not store.exists(key)
        with pytest.raises(ObjectMissingError, match=f"{key} is not in the store utama; nothing was read"):
            store.read(key)
    with pytest.raises(StoreError, match="a/link in the store utama cannot be read"):
        store.read("a/link")
    for key in ("a", "a/pipe", "a/link"):
        with pytest.raises(ObjectExistsError, match=f"{key} in the store utama already holds something else"):
            store.put_bytes(key, Path(__file__).read_bytes())
    with pytest.raises(ObjectExistsError, match="a/b is an object of the store utama and cannot hold others"):
        store.put_bytes("a/b/c", b"")


def test_an_object_larger_than_expected_is_not_read_into_memory(store: Store) -> None:
    store.put_bytes("big", bytes(2000))
    assert store.read("big", limit=2000) == bytes(2000)
    with pytest.raises(StoreError, match="big in the store utama has more than the 1999 bytes that it may have"):
        store.read("big", limit=1999)


def test_files_are_readable_for_the_group_and_for_no_others_whatever_the_umask(store: Store, tmp_path: Path) -> None:
    for umask, key in ((0o000, "a/one"), (0o077, "b/one")):
        before = os.umask(umask)
        try:
            store.put_bytes(key, b"words")
        finally:
            os.umask(before)
        path = tmp_path / "disk/cadangan" / key
        assert path.stat().st_mode & 0o7777 == 0o640
        assert path.parent.stat().st_mode & 0o7777 == 0o750


def test_a_missing_mount_is_not_replaced_by_a_directory_on_the_systems_disk(tmp_path: Path) -> None:
    store = store_at(tmp_path / "mount")
    (tmp_path / "mount").rmdir()
    uses: list[Callable[[], object]] = [
        store.check,
        lambda: store.put_bytes(KEY, b""),
        lambda: store.exists(KEY),
        lambda: list(store.list()),
        lambda: store.sweep(0),
    ]
    for use in uses:
        with pytest.raises(
            StoreError, match="mount of the store utama is not there; nothing was written\nHINT: mount it"
        ):
            use()
    assert not (tmp_path / "mount").exists()


def test_checking_a_store_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store.check()
    assert files(tmp_path / "disk") == []


def test_a_location_is_written_as_forms_show_it(tmp_path: Path) -> None:
    assert store_at(tmp_path).location("a/b") == f"{tmp_path}/cadangan/a/b"
    assert store_at(tmp_path, prefix="", title="NAS Lantai 2").location("a") == f"NAS Lantai 2: {tmp_path}/a"


def test_a_store_that_is_too_small_says_so_before_it_writes(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        store = store_at(disk)
        (tmp_path / "staged").write_bytes(bytes(5 * MEBIBYTE))
        words = f"the store utama has {4 * MEBIBYTE} bytes free and manifest.json needs {6 * MEBIBYTE}; nothing was"
        with pytest.raises(StoreFullError, match=words):
            store.put_file(KEY, tmp_path / "staged")
        assert list(disk.iterdir()) == []


def test_a_store_that_fills_up_meanwhile_keeps_nothing_of_the_object(tmp_path: Path) -> None:
    # The inodes run out while the blocks do not: a fullness that no check of free bytes foresees.
    with mounted(tmp_path / "disk", "size=4m,nr_inodes=12") as disk:
        store = store_at(disk, prefix="")
        with pytest.raises(StoreFullError, match="no space is left for"):
            for number in range(20):
                store.put_bytes(f"{number}", b"words")
        assert files(disk) == [info.key for info in store.list()]
        assert all(store.read(info.key) == b"words" for info in store.list())


def test_a_file_size_limit_counts_as_full_and_keeps_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "staged").write_bytes(bytes(3 * MEBIBYTE))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MEBIBYTE, hard))
    try:
        with pytest.raises(StoreFullError, match=r"\(File too large\); the unfinished file was removed"):
            store.put_file(KEY, tmp_path / "staged")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(tmp_path / "disk") == []


def test_a_read_only_store_is_named_and_can_still_be_read(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        store = store_at(disk)
        store.put_bytes(KEY, b"words")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        uses: list[Callable[[], object]] = [
            lambda: store.put_bytes("new", b"words"),
            lambda: store.put_bytes("new/folder", b"words"),
            store.check,
        ]
        for use in uses:
            with pytest.raises(StoreReadOnlyError, match=r"cannot be written \(Read-only file system\); nothing was"):
                use()
        assert store.read(KEY) == b"words"


def test_what_cannot_be_swept_is_named_and_harms_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        store = store_at(disk, prefix="")
        (disk / ".pulih-tmp-old").write_bytes(b"half")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        words = (
            r"\.pulih-tmp-old cannot be written \(Read-only file system\); it still lies in the store and harms nothing"
        )
        with pytest.raises(StoreReadOnlyError, match=words):
            store.sweep(-1)


def test_a_file_system_without_hard_links_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT and some network mounts; none can be mounted everywhere, so what they answer is played."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreError) as caught:
        store.check()
    assert str(caught.value) == (
        "the store utama cannot give a file its name without replacing another (Operation not supported); "
        "nothing was written\nHINT: put the store on a file system that has hard links, such as ext4, XFS or NFS"
    )
    assert list(store.list()) == []


def test_a_staged_file_that_is_gone_or_no_file_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PulihError, match=r"staged cannot be read \(No such file or directory\)"):
        store.put_file(KEY, tmp_path / "staged")
    with pytest.raises(
        PulihError, match=r"cannot be read \(Is a directory\); nothing was changed\nHINT: look at the disk"
    ):
        store.put_file(KEY, tmp_path)
    assert files(tmp_path / "disk") == []


def test_a_disk_that_does_not_give_its_bytes_back_is_named() -> None:
    """The memory of this process as a file: its first page cannot be read, as a broken sector cannot."""
    store = store_at(Path("/proc/self"), prefix="")
    words = r"mem in the store utama cannot be read \(Input/output error\); nothing was changed\nHINT: look at the disk"
    with pytest.raises(StoreError, match=words):
        store.read("mem")
    with store.open("mem") as stored, pytest.raises(StoreError, match=words):
        stored.readinto(memoryview(bytearray(10)))
    with pytest.raises(StoreError, match=words):
        store.put_bytes("mem", b"words")


def test_a_folder_that_cannot_be_listed_is_not_taken_for_empty(store: Store, tmp_path: Path) -> None:
    store.put_bytes("a", b"words")
    (tmp_path / "disk/cadangan/loop").symlink_to("loop")
    with pytest.raises(StoreError, match=r"the store utama cannot be read \(Too many levels of symbolic links\)"):
        list(store.list("loop/"))


def test_a_directory_cannot_lock_and_says_so(store: Store) -> None:
    store.put_bytes(KEY, b"words")
    assert store.protect(KEY, "2027-11-20T22:00:03+07:00") == "none"
    with pytest.raises(ObjectMissingError, match="gone is not in the store utama"):
        store.protect("gone", "2027-11-20T22:00:03+07:00")


def test_removing_leaves_neither_object_nor_empty_folder_and_nothing_else_is_touched(tmp_path: Path) -> None:
    settings = StoreSettings(name="utama", path=str(tmp_path), prefix="cadangan")
    store = open_store(settings, for_removal=True)
    for key in ("a/set/part", "a/set/manifest.json", "a/other/part"):
        store.put_bytes(key, b"words")
    for key in ("a/set/part", "a/set/part", "a/set/manifest.json", "a/set/manifest.json", "never/was"):
        assert store.removable(key) == ""
        store.remove(key)
    assert [info.key for info in store.list()] == ["a/other/part"]
    assert sorted(path.name for path in (tmp_path / "cadangan/a").iterdir()) == ["other"]
    store.remove("a/other/part/below")
    store.put_bytes("top", b"words")
    store.remove("top")
    assert files(tmp_path) == ["cadangan/a/other/part"]


def test_what_cannot_be_removed_is_told_before_and_stays(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=4m") as disk:
        store = store_at(disk)
        store.put_bytes(KEY, b"words")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        folder = (disk / "cadangan" / KEY).parent
        with pytest.raises(StoreReadOnlyError) as caught:
            store.removable(KEY)
        assert f"this account cannot remove files from {folder} in the store utama" == caught.value.message
        words = r"cannot be written \(Read-only file system\); it is still in the store"
        with pytest.raises(StoreReadOnlyError, match=words):
            store.remove(KEY)
        assert store.read(KEY) == b"words"
