"""The files source: what a dump keeps, what its fingerprint sees, what is refused."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from recovery.errors import ConfigurationError, ConflictError, SourceCorruptError, SourceMissingError
from recovery.hosts.local import LocalHost
from recovery.settings import ComponentSettings
from recovery.sources import open_source
from recovery.sources.files import FilesSource
from tests.recovery.sources.directory_trees import (
    MIB,
    NOBODY,
    UNPRIVILEGED_WARNING,
    acl,
    add_owners,
    attribute_directory,
    copied,
    dumped,
    loaded,
    make_difficult_tree,
    make_ordinary_tree,
    make_sparse,
    source_of,
    without_touching,
    write,
)
from tests.testbed.only_root import did_not_run, mounted

ROOT = os.geteuid() == 0
PROJECT = Path(__file__).parents[3]


def everything(root: bytes) -> dict[bytes, tuple[object, ...]]:
    """Look at a tree by other means than ours: os.walk and lstat."""
    found: dict[bytes, tuple[object, ...]] = {}
    links: dict[int, list[bytes]] = {}
    for directory, folders, files in os.walk(root):
        for name in [b".", *folders, *files]:
            if name == b"." and directory != root:
                continue
            path = os.path.join(directory, name)
            seen = os.lstat(path)
            content: object = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
            relative = os.path.relpath(path, root)
            links.setdefault(seen.st_ino, []).append(relative)
            attributes = {
                name: os.getxattr(path, name, follow_symlinks=False)
                for name in os.listxattr(path, follow_symlinks=False)
            }
            found[relative] = (
                seen.st_mode,
                seen.st_mtime_ns,
                seen.st_uid,
                seen.st_gid,
                seen.st_rdev,
                content,
                str(attributes),
                None if os.path.isdir(path) else seen.st_nlink,
            )
    return {**found, b"links": tuple(sorted(tuple(sorted(names)) for names in links.values() if len(names) > 1))}


def test_the_source_opens_from_a_components_settings(tmp_path: Path) -> None:
    component = ComponentSettings(name="unggahan", kind="files", path=f"{tmp_path}/unggahan/")
    source = open_source(LocalHost(), component)
    assert isinstance(source, FilesSource)
    assert (source.kind, source.extension) == ("files", "tar")
    assert source.identify() == {
        "machine": LocalHost().identity(),
        "kind": "files",
        "path": f"{tmp_path}/unggahan",
    }


def test_a_copy_has_everything_that_the_tree_has(tmp_path: Path) -> None:
    source = make_difficult_tree(tmp_path / "unggahan")
    if ROOT:
        add_owners(tmp_path / "unggahan")
    before = everything(os.fsencode(source.path))
    copy, dump = copied(source)
    assert everything(os.fsencode(copy)) == before
    assert dump.fingerprint.differences(source.fingerprint(copy)) == []
    assert dump.fingerprint.differences(source.fingerprint()) == []
    assert dump.warnings == ()
    assert dump.plain_suffix == "tar"
    assert dump.tools["tar"].startswith("tar (GNU tar) ")
    assert dump.fingerprint.totals["rows"] == sum(dump.fingerprint.structure["entries_by_type"].values())
    assert dump.fingerprint.structure["entries_by_type"]["hard link"] == 3
    assert {"nama", "dalam", "."} <= dump.fingerprint.objects.keys()


def test_the_archive_can_be_read_without_pulih(tmp_path: Path) -> None:
    source = make_difficult_tree(tmp_path / "unggahan")
    data, _ = dumped(source)
    (tmp_path / "lepas").mkdir()
    subprocess.run(["tar", "-xp", "--xattrs", "-C", tmp_path / "lepas"], input=data, check=True, stderr=subprocess.PIPE)
    assert everything(os.fsencode(tmp_path / "lepas")) == everything(os.fsencode(source.path))


def test_two_dumps_of_a_quiet_tree_are_the_same_bytes(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    assert dumped(source)[0] == dumped(source)[0]


def test_files_with_holes_stay_small(tmp_path: Path) -> None:
    root = tmp_path / "unggahan"
    make_sparse(root / "mesin.img", [(0, b"awal"), (64 * MIB, b"tengah"), (256 * MIB, b"")])
    source = source_of(root)
    data, dump = dumped(source)
    copy = loaded(source, data)
    assert len(data) < MIB
    assert dump.fingerprint.totals["bytes"] == 256 * MIB
    assert os.stat(f"{copy}/mesin.img").st_size == 256 * MIB
    assert os.stat(f"{copy}/mesin.img").st_blocks * 512 < MIB


def test_a_terabyte_of_holes_takes_no_time(tmp_path: Path) -> None:
    root = tmp_path / "unggahan"
    make_sparse(root / "mesin.img", [(1 << 39, b"tengah"), (1 << 40, b"")])
    source = source_of(root)
    started = time.monotonic()
    copy, dump = copied(source)
    assert dump.fingerprint.differences(source.fingerprint(copy)) == []
    assert time.monotonic() - started < 15
    assert source.size() < MIB


def test_where_the_holes_are_does_not_change_the_fingerprint(tmp_path: Path) -> None:
    source = make_difficult_tree(tmp_path / "unggahan")
    copy, dump = copied(source)
    for name in ("renggang", "hanya-lubang"):
        path = Path(copy) / "lubang" / name
        content = path.read_bytes()
        # Written in full: the same bytes without a hole.
        without_touching(path, lambda path=path, content=content: path.write_bytes(content))
        assert path.stat().st_blocks * 512 >= len(content)
    assert dump.fingerprint.differences(source.fingerprint(copy)) == []


def test_extended_attributes_and_access_lists_are_kept(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(dir=attribute_directory(tmp_path)) as directory:
        root = Path(directory) / "unggahan"
        write(root / "surat" / "a")
        os.setxattr(root / "surat" / "a", "user.asal", b"biner\x00\n=\xff")
        os.setxattr(root / "surat" / "a", "user.a=b%", b"")
        os.setxattr(root / "surat", "user.peta", b"y" * 2000)
        os.setxattr(root / "surat" / "a", "system.posix_acl_access", acl(1234))
        os.setxattr(root / "surat", "system.posix_acl_default", acl(1234))
        if ROOT:
            os.setxattr(root / "surat" / "a", "security.capability", bytes.fromhex("0100000202" + "00" * 15))
            os.setxattr(root / "surat" / "a", "trusted.tanda", b"1")
        source = source_of(root)
        before = everything(os.fsencode(root))
        copy, dump = copied(source)
        assert everything(os.fsencode(copy)) == before
        assert dump.fingerprint.differences(source.fingerprint(copy)) == []
        os.setxattr(f"{copy}/surat/a", "user.asal", b"lain")
        assert dump.fingerprint.differences(source.fingerprint(copy)) == ["object 'surat' has other content (digest)"]
        if ROOT:
            os.setxattr(f"{copy}/surat/a", "user.asal", b"biner\x00\n=\xff")
            os.removexattr(f"{copy}/surat/a", "security.capability")
            assert dump.fingerprint.differences(source.fingerprint(copy)) == [
                "object 'surat' has other content (owners)"
            ]


def flip_a_byte(copy: Path) -> None:
    path = copy / "foto" / "berkas-3.bin"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)


def swap_two_files(copy: Path) -> None:
    first, second = copy / "foto" / "berkas-1.bin", copy / "foto" / "berkas-2.bin"
    one, two = first.read_bytes(), second.read_bytes()
    moment = second.stat().st_mtime_ns
    first.write_bytes(two)
    second.write_bytes(one)
    os.utime(second, ns=(moment, moment))


def relink(copy: Path) -> None:
    (copy / "surat" / "tautan").unlink()
    os.symlink("../baca.tx_", copy / "surat" / "tautan")


def copy_instead_of_link(copy: Path) -> None:
    content = (copy / "foto" / "berkas-2.bin").read_bytes()
    (copy / "foto" / "berkas-3.bin").unlink()
    (copy / "foto" / "berkas-3.bin").write_bytes(content)


CHANGES: list[tuple[str, str, Callable[[Path], None], list[str]]] = [
    ("one byte", "foto/berkas-3.bin", flip_a_byte, ["object 'foto' has other content (digest)"]),
    (
        "mode",
        "foto/berkas-3.bin",
        lambda c: (c / "foto/berkas-3.bin").chmod(0o600),
        ["object 'foto' has other content (digest)"],
    ),
    ("two files swapped", "foto/berkas-1.bin", swap_two_files, ["object 'foto' has other content (digest)"]),
    ("link target", "surat/tautan", relink, ["object 'surat' has other content (digest)"]),
    ("root's mode", "baca.txt", lambda c: c.chmod(0o711), ["object '.' has other content (digest)"]),
    (
        "name",
        "foto/berkas-3.bin",
        lambda c: os.rename(c / "foto/berkas-3.bin", c / "foto/berkas-9.bin"),
        [f"object 'foto' has other content ({'digest, owners' if ROOT else 'digest'})"],
    ),
    (
        "an empty directory added",
        "surat/baru",
        lambda c: os.mkdir(c / "surat/baru"),
        [
            "object 'surat' has 8 rows and not 7",
            "structure: entries_by_type 'directory' differs",
            "the total of rows is 23 and not 22",
        ],
    ),
    (
        "an empty directory removed",
        "arsip/kosong",
        lambda c: os.rmdir(c / "arsip/kosong"),
        [
            "object 'arsip' has 6 rows and not 7",
            "structure: entries_by_type 'directory' differs",
            "the total of rows is 21 and not 22",
        ],
    ),
    (
        "a whole folder lost",
        "foto",
        lambda c: shutil.rmtree(c / "foto"),
        [
            "object 'foto' is missing",
            "structure: entries_by_type 'directory' differs",
            "structure: entries_by_type 'file' differs",
            "the total of bytes is 21014 and not 30014",
            "the total of objects is 3 and not 4",
            "the total of rows is 16 and not 22",
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("what", "path", "change", "expected"), CHANGES, ids=[change[0] for change in CHANGES])
def test_the_fingerprint_sees_every_change(
    tmp_path: Path, what: str, path: str, change: Callable[[Path], None], expected: list[str]
) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    copy, dump = copied(source)
    entry = Path(copy) / path
    if entry.exists() or entry.is_symlink():
        without_touching(entry, lambda: change(Path(copy)))
    else:
        moment = entry.parent.stat().st_mtime_ns
        change(Path(copy))
        os.utime(entry.parent, ns=(moment, moment))
    assert dump.fingerprint.differences(source.fingerprint(copy)) == expected


def test_the_fingerprint_sees_the_time_of_a_link(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    copy, dump = copied(source)
    os.utime(f"{copy}/surat/tautan", ns=(0, 1), follow_symlinks=False)
    assert dump.fingerprint.differences(source.fingerprint(copy)) == ["object 'surat' has other content (digest)"]


def test_the_fingerprint_tells_a_hard_link_from_an_equal_file(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    os.unlink(f"{source.path}/foto/berkas-3.bin")
    os.link(f"{source.path}/foto/berkas-2.bin", f"{source.path}/foto/berkas-3.bin")
    copy, dump = copied(source)
    without_touching(Path(copy) / "foto" / "berkas-3.bin", lambda: copy_instead_of_link(Path(copy)))
    assert "structure: entries_by_type 'hard link' is missing" in dump.fingerprint.differences(source.fingerprint(copy))


@pytest.mark.root
def test_the_fingerprint_sees_owners_apart(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    copy, dump = copied(source)
    os.chown(f"{copy}/arsip/kosong", 0, 7)
    assert dump.fingerprint.differences(source.fingerprint(copy)) == ["object 'arsip' has other content (owners)"]


UNPRIVILEGED = """
import sys
from pathlib import Path
from tests.recovery.sources.directory_trees import copied, make_difficult_tree
source = make_difficult_tree(Path(sys.argv[1]) / "unggahan")
print(source.preflight())
copy, dump = copied(source)
print(dump.fingerprint.differences(source.fingerprint(copy)))
print({group["owners"] for group in dump.fingerprint.objects.values()})
receipt = source.prepare_swap(copy)
print(source.swap(receipt), source.live_is(receipt))
source.discard(copy)
print(source.copies(), source.quiet()["proven"])
"""


def run_as_nobody(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python as an account that owns nothing; fails, and says so, when that account can run none."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, sys.path)])}
    account = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "env"]
    # Not the virtual environment's own name: the links behind it may lead through root's private directory.
    for interpreter in (os.path.realpath(sys.executable), f"/usr/bin/python3.{sys.version_info.minor}"):
        command = [*account, interpreter, "-B"]
        probe = subprocess.run([*command, "-c", "import xxhash"], env=environment, capture_output=True, check=False)
        if probe.returncode == 0:
            return subprocess.run(
                [*command, *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
            )
    raise did_not_run("no Python here runs as nobody")


@pytest.mark.root
def test_an_account_without_privileges_proves_all_but_owners() -> None:
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, NOBODY, NOBODY)
        result = run_as_nobody("-c", UNPRIVILEGED, directory)
    assert result.stderr[-500:] == ""
    assert result.stdout.splitlines() == [
        f"{[UNPRIVILEGED_WARNING]}",
        "[]",
        "{None}",
        "{'live': 'new', 'moved': True} new",
        "[] False",
    ]


def test_the_listing_shows_every_entry_to_the_judge(tmp_path: Path) -> None:
    source = make_difficult_tree(tmp_path / "unggahan")
    copy, dump = copied(source)
    directory = tmp_path / "hakim?#%"
    directory.mkdir()
    engine = create_engine(source.judge_url(copy, directory))
    with engine.connect() as connection:
        count = connection.execute(text("SELECT count(*) FROM berkas")).scalar_one()
        row = connection.execute(text("SELECT * FROM berkas WHERE path = 'waktu/lampau'")).mappings().one()
        names = set(connection.execute(text("SELECT name FROM berkas WHERE path LIKE 'nama/%'")).scalars())
        with pytest.raises(Exception, match="readonly"):
            connection.execute(text("DELETE FROM berkas"))
    engine.dispose()
    assert count == dump.fingerprint.totals["rows"]
    assert (row["type"], row["mode"], row["size"], row["modified_at"], row["owner"]) == (
        "file", "0644", 3, "1969-12-30T23:59:59.999999+00:00", os.geteuid(),
    )  # fmt: skip
    assert {"baris\\nbaru", "bukan-utf8-\\xff\\xfe", "\\\\xff", "é–ü", "$(touch x)"} <= names
    # A second listing of the same copy replaces the first.
    assert source.judge_url(copy, directory) == source.judge_url(copy, directory)


def test_a_scratch_copy_is_private_and_needs_no_live_tree(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    data, dump = dumped(source)
    scratch = source.scratch(tmp_path / "bukti")
    copy = loaded(scratch, data)
    assert (tmp_path / "bukti").stat().st_mode & 0o777 == 0o700
    assert dump.fingerprint.differences(scratch.fingerprint(copy)) == []
    assert Path(copy).parent == tmp_path / "bukti"


def test_a_tree_that_is_not_there_is_missing(tmp_path: Path) -> None:
    source = source_of(tmp_path / "tidak-ada")
    with pytest.raises(SourceMissingError, match=r"^there is no directory .*/tidak-ada; nothing was touched"):
        source.preflight()
    with pytest.raises(SourceMissingError, match="there is no directory"), source.dump():
        pass
    with pytest.raises(SourceMissingError, match="cannot be measured"):
        source.size()


def test_a_file_or_a_link_is_no_tree(tmp_path: Path) -> None:
    write(tmp_path / "berkas")
    with pytest.raises(SourceCorruptError, match="is not a directory"):
        source_of(tmp_path / "berkas").preflight()
    (tmp_path / "asli").mkdir()
    os.symlink("asli", tmp_path / "tautan")
    with pytest.raises(SourceCorruptError, match="is a symbolic link: an exchange would replace the link"):
        source_of(tmp_path / "tautan").preflight()


@pytest.mark.parametrize("path", ["/", "//", "/srv/../etc", "//srv/a"])
def test_a_path_that_could_mean_something_else_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a component of kind files"):
        source_of(Path("/x")).__class__(LocalHost(), path)


@pytest.mark.root
def test_a_mount_point_is_refused(tmp_path: Path) -> None:
    (tmp_path / "unggahan dengan spasi").mkdir()
    refused = pytest.raises(SourceCorruptError, match="is a mount point, whose name cannot be exchanged")
    with mounted(tmp_path / "unggahan dengan spasi"), refused:
        source_of(tmp_path / "unggahan dengan spasi").preflight()


@pytest.mark.root
def test_a_tree_beside_which_nothing_can_be_written_is_warned_of(tmp_path: Path) -> None:
    """It can be backed up, and a restore would fail after the service was stopped."""
    source = make_ordinary_tree(tmp_path / "disk" / "unggahan")
    with read_only(tmp_path / "disk"):
        warning = f"Pulih's account on the host cannot write beside {source.path}: it cannot restore it"
        assert source.preflight() == [warning]


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Bind a directory over itself, so that nobody can write in it, root included."""
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.root
def test_what_is_mounted_inside_of_a_tree_is_never_left_out_silently(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    refused = pytest.raises(SourceCorruptError, match=r"another file system is mounted inside of .*, at .*/foto")
    with mounted(tmp_path / "unggahan" / "foto"), refused:
        source.preflight()
    buffer = bytearray(MIB)
    with source.dump() as stream, mounted(tmp_path / "unggahan" / "foto"):
        while stream.readinto(buffer):
            pass
        with pytest.raises(SourceCorruptError, match="another file system is mounted inside"):
            stream.finish()


@pytest.mark.root
def test_a_copy_in_which_something_is_mounted_is_not_removed(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    copy, _ = copied(source)
    with mounted(Path(copy) / "foto"):
        write(Path(copy) / "foto" / "milik-lain")
        with pytest.raises(Exception, match=r"something is mounted in .*; nothing was removed"):
            source.discard(copy)
        assert os.path.exists(f"{copy}/foto/milik-lain")
        assert os.path.exists(f"{copy}/surat")
    source.discard(copy)
    assert not os.path.exists(copy)


def test_a_copy_is_never_loaded_over_another(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    copy, _ = copied(source)
    with pytest.raises(ConflictError, match="exists already; it was not changed"), source.load(copy):
        pass
    assert source.copies() == [copy]


def test_a_copy_has_no_place_when_the_directory_of_the_tree_is_gone(tmp_path: Path) -> None:
    """A mount that is not there: nothing is made in its stead."""
    source = source_of(tmp_path / "hilang" / "unggahan")
    copy = source.beside("uji")
    refused = pytest.raises(SourceMissingError, match=r"the directory in which .*unggahan belongs is not there")
    with refused, source.load(copy):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_half_copy_is_private_and_goes_away(tmp_path: Path) -> None:
    source = make_difficult_tree(tmp_path / "unggahan")
    data, _ = dumped(source)
    copy = source.beside("uji")
    with pytest.raises(KeyboardInterrupt), source.load(copy) as stream:
        stream.write(data[: len(data) // 2])
        # Whatever the root's own mode is, nobody else looks into it before it is complete.
        assert os.stat(copy + "~").st_mode & 0o777 == 0o700
        assert not os.path.exists(copy)
        raise KeyboardInterrupt
    assert sorted(os.listdir(tmp_path)) == ["unggahan"]


def test_what_a_killed_load_left_is_listed_and_removed(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    copy = source.beside("uji")
    write(Path(copy + "~") / "setengah" / "isi")
    assert source.copies() == [copy]
    data, dump = dumped(source)
    assert dump.fingerprint.differences(source.fingerprint(loaded(source, data))) == []
    write(Path(copy + "~") / "setengah" / "isi")
    source.discard(copy)
    source.discard(copy)
    assert source.copies() == []
    assert sorted(os.listdir(tmp_path)) == ["unggahan"]


def test_removing_never_follows_a_link(tmp_path: Path) -> None:
    source = make_difficult_tree(tmp_path / "unggahan")
    write(tmp_path / "lain" / "milik-orang")
    copy, _ = copied(source)
    os.symlink(tmp_path / "lain", f"{copy}/keluar")
    source.discard(copy)
    os.symlink(tmp_path / "lain", copy)
    source.discard(copy)
    assert sorted(os.listdir(tmp_path)) == ["lain", "unggahan"]
    assert os.listdir(tmp_path / "lain") == ["milik-orang"]


@pytest.mark.parametrize("name", ["unggahan", ".unggahan.pulih-", ".unggahan.pulih-x/../../y", "/etc", ""])
def test_what_is_no_copy_is_never_removed(tmp_path: Path, name: str) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    with pytest.raises(ConfigurationError, match="is no copy of"):
        source.discard(str(tmp_path / name))
    assert os.path.exists(source.path)
