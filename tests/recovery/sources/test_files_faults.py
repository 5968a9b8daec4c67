"""The files source while things go wrong: writers, vanishing files, killed programs, full disks, hostile archives."""

import io
import os
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError, SourceBusyError, SourceError
from recovery.hosts.local import LocalHost
from recovery.sources.files import FilesSource
from tests.recovery.sources.directory_trees import (
    MIB,
    copied,
    dumped,
    loaded,
    make_ordinary_tree,
    source_of,
    write,
)
from tests.testbed.only_root import mounted

WRITER = """
import os, sys, random
root, number = sys.argv[1], 0
print("mulai", flush=True)
while True:
    number += 1
    name = f"{root}/ramai/berkas-{number % 40}"
    with open(name, "ab") as file:
        file.write(b"x" * random.randrange(50_000))
    if number % 7 == 0:
        os.truncate(name, 10)
    if number % 5 == 0:
        os.rename(name, name + ".baru")
    if number % 11 == 0:
        os.unlink(name + ".baru") if os.path.exists(name + ".baru") else None
"""


@contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Python program that says one line when it is ready."""
    process = subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def drain(stream: object) -> None:
    buffer = bytearray(MIB)
    while stream.readinto(buffer):  # type: ignore[attr-defined]
        pass


def tree_that_blocks(root: Path) -> FilesSource:
    """Make a tree whose first file is larger than all pipes, so that tar waits in it until the stream is read."""
    write(root / "a" / "besar", os.urandom(8 * MIB))
    write(root / "a" / "zakhir", b"x")
    return source_of(root)


def test_writers_are_reported_and_the_dump_is_what_its_fingerprint_says(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    (tmp_path / "unggahan" / "ramai").mkdir()
    proven = 0
    with running(WRITER, source.path):
        for attempt in range(20):
            try:
                data, dump = dumped(source)
            except SourceError as error:
                # A file that was cut while tar read it is padded with zeros: that is no backup.
                if "File shrank by" not in error.message:
                    raise
                continue
            scratch = source.scratch(tmp_path / f"bukti-{attempt}")
            assert dump.fingerprint.differences(scratch.fingerprint(loaded(scratch, data))) == []
            proven += 1
            if proven == 2:
                break
    assert proven == 2


def test_a_file_that_changes_while_it_is_read_is_reported(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    with source.dump() as stream:
        assert stream.readinto(bytearray(1000)) == 1000
        with open(f"{source.path}/a/besar", "r+b") as file:
            file.write(b"lain")
        drain(stream)
        dump = stream.finish()
    assert dump.warnings == ("./a/besar changed while it was read",)
    assert dump.snapshot["changed_meanwhile"] == 1


def test_a_file_that_vanishes_is_reported(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    name = "zhilang\ntar: x: socket ignored"
    write(f"{source.path}/a/{name}")
    with source.dump() as stream:
        assert stream.readinto(bytearray(1000)) == 1000
        os.unlink(f"{source.path}/a/{name}")
        drain(stream)
        dump = stream.finish()
    # One line, with its newline quoted: a name cannot forge a warning of its own.
    assert [warning for warning in dump.warnings if "zhilang" in warning] == [
        "./a/zhilang\\ntar\\: x\\: socket ignored was removed before it was read"
    ]
    assert not any(warning.startswith("x") for warning in dump.warnings)


def test_a_file_that_is_cut_while_it_is_read_fails_the_dump(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    with source.dump() as stream:
        assert stream.readinto(bytearray(1000)) == 1000
        os.truncate(f"{source.path}/a/besar", 10)
        drain(stream)
        with pytest.raises(SourceError, match=r"could not be read completely: tar: \./a/besar: File shrank by"):
            stream.finish()


def test_a_socket_is_left_out_and_reported(tmp_path: Path) -> None:
    source = make_ordinary_tree(tmp_path / "u")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{source.path}/soket")
        _, dump = dumped(source)
    assert dump.warnings == ("./soket is a socket and was left out",)
    assert dump.snapshot["changed_meanwhile"] == 0
    assert dump.fingerprint.differences(source.fingerprint()) == []


def test_a_file_that_may_not_be_read_fails_the_dump(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory) / "unggahan"
        make_ordinary_tree(root)
        (root / "foto" / "berkas-3.bin").chmod(0)
        (root / "surat").chmod(0)
        source = FilesSource(UnprivilegedHost(), str(root))
        Path(directory).chmod(0o755)
        with source.dump() as stream:
            drain(stream)
            with pytest.raises(SourceError) as caught:
                stream.finish()
    assert caught.value.message == (
        "the tree could not be read completely: tar: ./foto/berkas-3.bin: Cannot open: Permission denied (and 1 more)"
    )
    assert caught.value.state == "what was read counts for nothing; the live data was only read"
    assert caught.value.hint.startswith("give Pulih's account on the host the right to read everything in the tree")


class UnprivilegedHost(LocalHost):
    """This machine, on which tar runs without privileges."""

    def stream(self, argv, **options):  # type: ignore[no-untyped-def]
        account = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []
        return super().stream([*account, *argv], **options)


def children(name: str) -> list[int]:
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                title, _, rest = (process / "stat").read_text().rpartition(")")
            except OSError:
                continue
            if title.endswith(f"({name}") and int(rest.split()[1]) == os.getpid():
                found.append(int(process.name))
    return found


def test_a_killed_tar_fails_the_dump(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    with source.dump() as stream:
        assert stream.readinto(bytearray(1000)) == 1000
        (tar,) = children("tar")
        os.kill(tar, signal.SIGKILL)
        drain(stream)
        with pytest.raises(SourceError, match="could not be read completely: tar on local was killed by signal 9"):
            stream.finish()


def test_a_killed_tar_fails_the_load_and_leaves_nothing(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    data, _ = dumped(source)
    failed = pytest.raises(SourceError, match="the copy could not be written: tar on local was killed by signal 9")
    with failed, source.load(source.beside("uji")) as stream:
        stream.write(data[:MIB])
        (tar,) = children("tar")
        os.kill(tar, signal.SIGKILL)
        stream.write(data[MIB:])
        stream.finish()
    assert os.listdir(tmp_path) == ["unggahan"]


def test_leaving_a_dump_early_stops_tar(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    with source.dump() as stream:
        assert stream.readinto(bytearray(1000)) == 1000
    assert children("tar") == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_stream_that_was_cut_off_is_not_loaded(tmp_path: Path, share: float) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    data, _ = dumped(source)
    cut = int(len(data.rstrip(b"\0")) * share) // 512 * 512
    with pytest.raises(SourceError, match="the tar stream ended before its end marker"):
        loaded(source, data[:cut])
    assert os.listdir(tmp_path) == ["unggahan"]


@pytest.mark.root
def test_a_full_disk_fails_the_load_and_leaves_nothing(tmp_path: Path) -> None:
    data, _ = dumped(tree_that_blocks(tmp_path / "unggahan"))
    with mounted(tmp_path / "kecil", "size=2m") as small:
        target = source_of(small / "unggahan")
        with pytest.raises(SourceError, match="the copy could not be written: ") as caught:
            loaded(target, data)
        assert caught.value.hint == "make room on that file system"
        assert os.listdir(small) == []


def archive(*members: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"x" * member.size))
    return stream.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", **records: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.pax_headers = kind, link, records
    return info


HOSTILE = {
    "absolute": (archive(member("/tmp/pulih-jahat")), "does not stand below its root"),
    "parent": (archive(member("../jahat")), "does not stand below its root"),
    "parent inside": (archive(member("./a/../../jahat")), "leads out of its root"),
    "parent at the end": (archive(member("./a/..", tarfile.DIRTYPE)), "leads out of its root"),
    "long parent": (archive(member("./" + "a/" * 100 + "../" * 150 + "jahat")), "leads out of its root"),
    "hard link out": (archive(member("./a", tarfile.LNKTYPE, "/etc/passwd")), "does not stand below its root"),
    "hard link up": (archive(member("./a", tarfile.LNKTYPE, "./../../etc/passwd")), "leads out of its root"),
    "sparse name": (
        archive(member("./a", **{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "/etc/jahat"})),
        "a sparse file in another format",
    ),
    "unknown record": (archive(member("./a", **{"GNU.sparse.map": "0,1"})), "an extended header that cannot be read"),
    "global header": (archive(member("./a", tarfile.XGLTYPE)), "a member of kind b'g'"),
    "GNU format": (archive(member("./a"), form=tarfile.GNU_FORMAT), "a header without its magic"),
    "no tar": (b"PK\x03\x04" * 1000, "a header without its magic"),
    "second archive": (archive(member("./a")) + archive(member("./b")), "data behind its end marker"),
}


@pytest.mark.parametrize(("data", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_an_archive_that_is_not_ours_is_refused_before_anything_is_written(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    source = make_ordinary_tree(tmp_path / "unggahan")
    with pytest.raises(SourceError, match=reason):
        loaded(source, data)
    assert os.listdir(tmp_path) == ["unggahan"]
    assert not os.path.exists("/tmp/pulih-jahat")


def test_a_copy_that_changes_while_it_is_measured_proves_nothing(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    copy, _ = copied(source)
    program = f"print(1, flush=True)\nwhile True: open({copy + '/a/besar'!r}, 'r+b').write(b'x')"
    with running(program), pytest.raises(SourceBusyError, match=r"changed while it was measured: \./a/besar changed"):
        # On a busy machine the writer may not get its turn while the file is read: as often as it takes.
        for _ in range(50):
            source.fingerprint(copy)


def test_a_tree_that_was_exchanged_while_it_was_read_fails_the_dump(tmp_path: Path) -> None:
    source = tree_that_blocks(tmp_path / "unggahan")
    copy, _ = copied(source)
    with source.dump() as stream:
        source.swap(source.prepare_swap(copy))
        drain(stream)
        with pytest.raises(SourceError, match=r"was replaced while it was read|changed"):
            stream.finish()


def test_another_tar_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "fake" / "tar", b"#!/bin/sh\necho 'bsdtar 3.6.2 - libarchive 3.6.2'\n")
    (tmp_path / "fake" / "tar").chmod(0o755)
    source = make_ordinary_tree(tmp_path / "unggahan")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tmp_path}/fake:{os.environ['PATH']}")
        with pytest.raises(ConfigurationError, match=r"tar on local is not GNU tar \('bsdtar 3\.6\.2"), source.dump():
            pass
