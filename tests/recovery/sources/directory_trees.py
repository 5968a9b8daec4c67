"""Directory trees for the tests of the files source, and what is done with them."""

# Unusual permissions are the point here.
# ruff: noqa: S103

import os
import stat
import struct
from pathlib import Path

from recovery.hosts.local import LocalHost
from recovery.sources.base import Dump
from recovery.sources.files import FilesSource
from tests.testbed.only_root import did_not_run

MIB = 1 << 20
# setpriv and the tests' own process agree on this account, which owns nothing.
NOBODY = 65534

# What a check before a backup says where Pulih has another account than root.
UNPRIVILEGED_WARNING = "Pulih's account on the host is not root: owners, groups and security attributes are not proven"


def source_of(path: Path) -> FilesSource:
    return FilesSource(LocalHost(), str(path))


def write(path: Path | str | bytes, content: bytes = b"isi") -> None:
    path = os.fsencode(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def dumped(source: FilesSource) -> tuple[bytes, Dump]:
    """Return the bytes of a dump and what is known about it."""
    buffer = bytearray(MIB)
    pieces = []
    with source.dump() as stream:
        while count := stream.readinto(buffer):
            pieces.append(bytes(buffer[:count]))
        return b"".join(pieces), stream.finish()


def loaded(source: FilesSource, data: bytes, label: str = "uji", piece: int = 200_000) -> str:
    """Load a dump beside the live tree and return the copy's name."""
    copy = source.beside(label)
    with source.load(copy) as stream:
        for position in range(0, len(data), piece):
            stream.write(data[position : position + piece])
        stream.finish()
    return copy


def copied(source: FilesSource, label: str = "uji") -> tuple[str, Dump]:
    data, dump = dumped(source)
    return loaded(source, data, label), dump


def without_touching(path: Path, change: object) -> None:
    """Run `change()` and give the entry and its directory the times back that they had."""
    kept = [(name, os.lstat(name).st_mtime_ns) for name in (path, path.parent)]
    change()  # type: ignore[operator]
    for name, moment in kept:
        if os.path.lexists(name):
            os.utime(name, ns=(moment, moment), follow_symlinks=False)


def make_ordinary_tree(root: Path) -> FilesSource:
    """Make an application's directory with uploads in three folders."""
    write(root / "baca.txt", b"Selamat datang")
    for folder in ("surat", "foto", "arsip"):
        for number in range(5):
            write(root / folder / f"berkas-{number}.bin", f"{folder} {number}".encode() * 300)
    (root / "arsip" / "kosong").mkdir()
    os.symlink("../baca.txt", root / "surat" / "tautan")
    return source_of(root)


def make_difficult_tree(root: Path) -> FilesSource:
    """Make a tree of everything that is easily lost. Without owners and attributes, which not every account can set."""
    write(root / "modus" / "suid", b"#!")
    os.chmod(root / "modus" / "suid", 0o6755)
    write(root / "modus" / "rahasia")
    os.chmod(root / "modus" / "rahasia", 0o000 if os.geteuid() == 0 else 0o400)
    (root / "modus" / "lengket").mkdir()
    os.chmod(root / "modus" / "lengket", 0o1777)
    write(root / "modus" / "hanya-baca" / "isi")
    os.chmod(root / "modus" / "hanya-baca", 0o555)
    write(root / "nama" / "baris\nbaru", b"1")
    for number, name in enumerate(
        ("'kutip\"", "-rf", "--", "garis\\miring", "$(touch x)", " spasi ", "*", "a=b", "é–ü")
    ):
        write(root / "nama" / name, f"nama {number}".encode())
    write(os.fsencode(root / "nama") + b"/bukan-utf8-\xff\xfe", b"2")
    write(os.fsencode(root / "nama") + b"/\xff\xfe-map/isi", b"3")
    write(os.fsencode(root / "nama") + b"/\\xff", b"not the byte")
    write(root / "nama" / ("n" * 255), b"4")
    write(root / "nama" / ("m" * 100), b"5")
    write(root / "nama" / ("o" * 95), b"6")
    deep = root / "dalam"
    for level in range(12):
        deep = deep / (f"tingkat-{level:02}-" + "d" * 100)
    write(deep / "dasar", b"7")
    os.symlink("x" * 300, root / "dalam" / "tautan-panjang")
    (root / "tautan").mkdir()
    os.symlink("/tidak/ada", root / "tautan" / "menggantung")
    os.symlink("../nama", root / "tautan" / "direktori")
    os.symlink("/etc", root / "tautan" / "mutlak")
    os.symlink(os.fsencode(root.name) + b"\xff\n", os.fsencode(root / "tautan" / "bukan-utf8"))
    write(root / "keras" / "asli", b"satu inode")
    os.link(root / "keras" / "asli", root / "keras" / "kedua")
    os.link(root / "keras" / "asli", root / "modus" / "ketiga")
    os.link(root / "tautan" / "menggantung", root / "keras" / "tautan-simbolik", follow_symlinks=False)
    (root / "kosong" / "di-dalam").mkdir(parents=True)
    write(root / "kosong" / "berkas", b"")
    os.mkfifo(root / "pipa")
    make_sparse(root / "lubang" / "renggang", [(0, b"awal"), (5 * MIB + 1, b"tengah"), (40 * MIB, b"")])
    make_sparse(root / "lubang" / "hanya-lubang", [(3 * MIB + 5, b"")])
    write(root / "lubang" / "nol-padat", bytes(300_000))
    write(root / "waktu" / "kelak")
    os.utime(root / "waktu" / "kelak", ns=(0, 5_000_000_000_123_456_789))
    write(root / "waktu" / "lampau")
    os.utime(root / "waktu" / "lampau", ns=(0, -86_400_000_000_001))
    write(root / "waktu" / "detik")
    os.utime(root / "waktu" / "detik", (0, 1_700_000_000))
    os.symlink("apa", root / "waktu" / "tautan")
    os.utime(root / "waktu" / "tautan", ns=(0, 1_000_000_000_000_000_001), follow_symlinks=False)
    os.utime(root / "kosong", (0, 0))
    os.chmod(root, 0o750)
    os.utime(root, ns=(0, 1_600_000_000_000_000_007))
    return source_of(root)


def make_sparse(path: Path, pieces: list[tuple[int, bytes]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for offset, content in pieces:
            file.seek(offset)
            file.write(content)
        file.truncate(pieces[-1][0] + len(pieces[-1][1]))


def add_owners(root: Path) -> None:
    os.chown(root / "modus" / "rahasia", 1234, 5678)
    os.chown(root / "tautan" / "menggantung", 4321, 8765, follow_symlinks=False)
    os.chown(root / "kosong" / "di-dalam", 3_000_000, 4_000_000_000)
    os.chown(root / "modus" / "suid", 1000, 1000)
    os.chmod(root / "modus" / "suid", 0o6755)
    os.mknod(root / "modus" / "perangkat", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(root / "modus" / "blok", stat.S_IFBLK | 0o600, os.makedev(300, 70_000))
    os.utime(root, ns=(0, 1_600_000_000_000_000_007))


def attribute_directory(tmp_path: Path) -> Path:
    """Return a directory on a file system with extended attributes; fails, and says so, when there is none."""
    for directory in (tmp_path, Path("/var/tmp"), Path("/dev/shm")):
        probe = directory / f"pulih-uji-{os.getpid()}"
        try:
            probe.mkdir()
            os.setxattr(probe, "user.uji", b"x")
        except OSError:
            continue
        finally:
            probe.rmdir()
        return directory
    raise did_not_run("no file system here has extended attributes")


def acl(user: int) -> bytes:
    """Return a POSIX access list with one named user, as the attribute system.posix_acl_access holds it."""
    entries = [(1, 7, 0xFFFFFFFF), (2, 6, user), (4, 5, 0xFFFFFFFF), (16, 7, 0xFFFFFFFF), (32, 5, 0xFFFFFFFF)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
