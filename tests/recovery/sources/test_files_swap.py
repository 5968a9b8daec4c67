"""The files source: who is in a tree, and making a copy live, undoing it, and finishing what was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError, SourceBusyError, SourceCorruptError, SwapError
from recovery.hosts.local import LocalHost
from recovery.sources.files import FilesSource
from tests.recovery.sources.directory_trees import copied, dumped, loaded, make_ordinary_tree, source_of, write
from tests.testbed.only_root import did_not_run

ROOT = os.geteuid() == 0


@pytest.fixture
def source(tmp_path: Path) -> FilesSource:
    return make_ordinary_tree(tmp_path / "unggahan")


@pytest.fixture
def copy(source: FilesSource) -> str:
    """A copy, after which the live tree went on: the two differ."""
    name, _ = copied(source)
    write(f"{source.path}/hidup", b"written after the backup")
    return name


def live_data(source: FilesSource) -> str:
    return "old" if os.path.exists(f"{source.path}/hidup") else "new"


def test_a_swap_makes_the_copy_live_and_keeps_the_old_data(source: FilesSource, copy: str) -> None:
    receipt = source.prepare_swap(copy)
    assert (source.live_is(receipt), live_data(source)) == ("old", "old")
    assert source.swap(receipt) == {"live": "new", "moved": True}
    assert (source.live_is(receipt), live_data(source)) == ("new", "new")
    assert os.path.exists(f"{source.safety_copy(receipt)}/hidup")
    assert source.copies() == [source.safety_copy(receipt)]


def test_a_swap_and_its_undoing_may_be_repeated(source: FilesSource, copy: str) -> None:
    receipt = source.prepare_swap(copy)
    assert source.swap_back(receipt) == {"live": "old", "moved": False}
    assert [source.swap(receipt)["moved"] for _ in range(3)] == [True, False, False]
    assert [source.swap_back(receipt)["moved"] for _ in range(3)] == [True, False, False]
    assert (source.live_is(receipt), live_data(source)) == ("old", "old")
    assert source.swap(receipt)["moved"] is True
    assert live_data(source) == "new"


def test_a_tree_that_was_lost_is_replaced_and_the_undoing_takes_it_away_again(source: FilesSource, copy: str) -> None:
    os.rename(source.path, f"{source.path}-hilang")
    receipt = source.prepare_swap(copy)
    assert (source.live_is(receipt), source.safety_copy(receipt)) == ("old", "")
    assert [source.swap(receipt)["moved"] for _ in range(2)] == [True, False]
    assert (source.live_is(receipt), live_data(source), source.copies()) == ("new", "new", [])
    assert [source.swap_back(receipt)["moved"] for _ in range(2)] == [True, False]
    assert (source.live_is(receipt), source.copies()) == ("old", [copy])
    assert not os.path.exists(source.path)


def test_nothing_moves_when_the_names_no_longer_hold_what_was_prepared(source: FilesSource, copy: str) -> None:
    receipt = source.prepare_swap(copy)
    os.rename(source.path, f"{source.path}-lain")
    write(f"{source.path}/orang-lain")
    for call in (source.swap, source.swap_back):
        with pytest.raises(
            SwapError, match=r"neither .*unggahan nor its copy is what it was .*; nothing was moved now"
        ):
            call(receipt)
    assert source.live_is(receipt) == "unknown"
    assert os.listdir(source.path) == ["orang-lain"]
    assert os.path.exists(copy)


def test_a_killed_swap_leaves_old_or_new_and_is_finished_by_calling_again(source: FilesSource, copy: str) -> None:
    receipt = source.prepare_swap(copy)
    inodes = str(receipt["old"]["inode"]), str(receipt["new"]["inode"])
    command = source.host.helper("files", "move", source.path, copy, *inodes)
    seen = set()
    for milliseconds in (10, 25, 40, 55, 80):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            process.wait(milliseconds / 1000)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        seen.add(source.live_is(receipt))
        source.swap(receipt)
        assert live_data(source) == "new"
        source.swap_back(receipt)
        assert live_data(source) == "old"
    assert "old" in seen
    assert seen <= {"old", "new"}


def test_the_live_name_is_never_without_a_tree(source: FilesSource, copy: str) -> None:
    watcher = (
        "import os, sys\nprint(1, flush=True)\nmissing = 0\n"
        "while not os.path.exists(sys.argv[2]): missing += not os.path.exists(sys.argv[1] + '/baca.txt')\n"
        "print(missing)"
    )
    stop = f"{source.path}-selesai"
    process = subprocess.Popen([sys.executable, "-c", watcher, source.path, stop], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    receipt = source.prepare_swap(copy)
    for _ in range(4):
        source.swap(receipt)
        source.swap_back(receipt)
    write(stop)
    assert process.communicate(timeout=60)[0] == "0\n"


def test_what_is_no_copy_is_not_swapped_in(source: FilesSource, tmp_path: Path) -> None:
    with pytest.raises(SwapError, match="there is no copy at"):
        source.prepare_swap(source.beside("tidak-ada"))
    write(source.beside("berkas"))
    with pytest.raises(SwapError, match="there is no copy at"):
        source.prepare_swap(source.beside("berkas"))
    os.symlink(source.path, source.beside("tautan"))
    with pytest.raises(SwapError, match="there is no copy at"):
        source.prepare_swap(source.beside("tautan"))
    with pytest.raises(ConfigurationError, match="is no copy of"):
        source.prepare_swap(str(tmp_path / "lain"))


def test_a_live_name_that_became_a_link_is_not_swapped(source: FilesSource, copy: str) -> None:
    os.rename(source.path, f"{source.path}-asli")
    os.symlink(f"{source.path}-asli", source.path)
    with pytest.raises(SourceCorruptError, match="is a symbolic link: an exchange would replace the link"):
        source.prepare_swap(copy)


def test_a_receipt_of_another_component_is_refused(source: FilesSource, copy: str, tmp_path: Path) -> None:
    receipt = source.prepare_swap(copy)
    other = make_ordinary_tree(tmp_path / "lain")
    for call in (other.swap, other.swap_back, other.live_is):
        with pytest.raises(ConfigurationError, match=r"the receipt is not one of .*/lain"):
            call(receipt)


def test_copies_of_a_neighbour_are_not_ours(source: FilesSource, copy: str, tmp_path: Path) -> None:
    neighbour = make_ordinary_tree(tmp_path / "unggahan.pulih-x")
    write(tmp_path / ".unggahan.pulih-" / "isi")
    write(tmp_path / ".unggahan.pulih-HURUF" / "isi")
    assert source.copies() == [copy]
    assert neighbour.copies() == []
    assert source_of(tmp_path / "tidak" / "ada").copies() == []


@contextmanager
def holding(program: str, *arguments: str) -> Iterator[int]:
    """Run a Python program that prints one line when it holds on to something, then waits for its end."""
    command = [sys.executable, "-c", f"import os, sys, mmap\n{program}\nprint(1, flush=True)\nsys.stdin.read()"]
    with subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"1\n"
            yield process.pid
        finally:
            process.kill()


HELD = {
    "descriptor": "file = open(sys.argv[1] + '/foto/berkas-1.bin', 'ab')",
    "removed file": "file = open(sys.argv[1] + '/foto/x', 'wb'); os.unlink(sys.argv[1] + '/foto/x')",
    "directory descriptor": "os.open(sys.argv[1], os.O_RDONLY)",
    "working directory": "os.chdir(sys.argv[1] + '/arsip/kosong')",
    "map": "f = os.open(sys.argv[1] + '/foto/berkas-1.bin', os.O_RDWR); m = mmap.mmap(f, 0); os.close(f); m.close",
}


@pytest.mark.parametrize("program", HELD.values(), ids=HELD.keys())
def test_a_process_in_the_tree_is_named(source: FilesSource, program: str) -> None:
    with holding(program, source.path) as process:
        with pytest.raises(SourceBusyError, match=rf"is still in use by python\S* \(pid {process}\)") as caught:
            source.quiet()
        assert caught.value.state == "nothing was changed"
    assert source.quiet()["holders"] == []


def test_a_process_in_a_neighbours_tree_is_not_in_ours(source: FilesSource, tmp_path: Path) -> None:
    write(tmp_path / "unggahan-lain" / "isi")
    with holding("os.chdir(sys.argv[1])", str(tmp_path / "unggahan-lain")):
        found = source.quiet()
    assert (found["holders"], found["mounted"]) == ([], [])
    assert found["processes"] > 0
    assert found["proven"] == (found["unreadable"] == 0)


@pytest.mark.root
@pytest.mark.parametrize("inner", ["", "/foto"])
def test_a_container_that_sees_the_tree_mounted_is_named(source: FilesSource, tmp_path: Path, inner: str) -> None:
    """An exchange of names would leave such a container with the old data, and nobody would notice."""
    point = tmp_path / "titik kait"
    point.mkdir()
    script = 'mount --bind "$1" "$2" && echo 1 && read line'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", source.path + inner, str(point)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if process.stdout.readline() != b"1\n":
            raise did_not_run(f"nothing can be mounted here ({process.stderr.read().decode()})")
        with pytest.raises(SourceBusyError, match=rf"sh \(pid {process.pid}, which sees it mounted\)"):
            source.quiet()
        process.communicate(b"\n")
    assert source.quiet()["mounted"] == []


@pytest.mark.root
def test_where_no_mount_holds_the_tree_nothing_is_proven(tmp_path: Path) -> None:
    """In a chroot that is no mount point: a sentence, and never the answer that nobody has the tree mounted."""
    for name in ("proc", "unggahan"):
        (tmp_path / name).mkdir()
    look = "import os; from recovery.hosts.program_files import in_use; os.chroot('.'); in_use(b'/unggahan')"
    script = 'mount -t proc proc "$1/proc" && cd "$1" && exec "$2" -c "$3"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(tmp_path), sys.executable, look]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, capture_output=True, text=True, env=here)
    assert done.stderr.strip().endswith("ProgramError: none of the mounts that can be seen holds /unggahan")


def test_quiet_of_a_tree_that_was_lost_finds_nobody(tmp_path: Path) -> None:
    found = FilesSource(LocalHost(), str(tmp_path / "hilang")).quiet()
    assert (found["holders"], found["mounted"]) == ([], [])


def test_the_restored_tree_survives_with_its_fingerprint(source: FilesSource) -> None:
    data, dump = dumped(source)
    copy = loaded(source, data)
    write(f"{source.path}/rusak")
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert dump.fingerprint.differences(source.fingerprint()) == []
    source.discard(source.safety_copy(receipt))
    assert os.listdir(Path(source.path).parent) == ["unggahan"]
