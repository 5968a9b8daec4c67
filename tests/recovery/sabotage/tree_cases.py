"""What can be wrong with the copy of a directory tree, and what the judge must say of it."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recovery.quality.results import DIRECTORY
from tests.recovery.sabotage.proving import Failed
from tests.recovery.sources.directory_trees import MIB, acl, make_sparse, without_touching, write

ROOT = os.geteuid() == 0
FOREIGN_NAME = b"akta-\xff\xfe.txt"


def write_tree(root: Path, *, person: str = "Siti") -> None:
    """Make the tree that is backed up, or one of the same names and sizes with other content."""
    for folder in ("surat", "foto"):
        for number in range(4):
            write(root / folder / f"berkas-{number}.bin", f"{folder} {person} {number}\n".encode() * 200)
    write(root / "baca.txt", b"Selamat datang\n")
    (root / "surat" / "kosong").mkdir()
    os.symlink("../baca.txt", root / "surat" / "tautan")
    os.link(root / "foto" / "berkas-0.bin", root / "foto" / "keras")
    make_sparse(root / "lubang" / "renggang", [(0, b"awal"), (2 * MIB, b"akhir")])
    write(root / "lubang" / "nol", bytes(MIB))
    write(os.fsencode(root / "surat") + b"/" + FOREIGN_NAME, b"akta")
    write(root / "surat" / "é-satu", b"huruf")
    write(root / "surat" / "setuid", b"#!")
    (root / "surat" / "setuid").chmod(0o4755)
    os.mkfifo(root / "foto" / "pipa")
    if ROOT:
        os.chown(root / "surat" / "berkas-3.bin", 1234, 5678)
    # Where the file system has attributes; without them the two cases about them are skipped.
    try:
        os.setxattr(root / "surat" / "berkas-1.bin", "user.asal", b"loket 3")
        os.setxattr(root / "surat" / "berkas-2.bin", "system.posix_acl_access", acl(1234))
    except OSError:
        pass


@dataclass(frozen=True)
class BadTree:
    """One way to spoil a copy, checks that must fail for it, and what it needs: root, or extended attributes."""

    name: str
    sabotage: Callable[[Path], object]
    fails: tuple[Failed, ...]
    needs: str = ""


def quietly(relative: str, change: Callable[[Path], object]) -> Callable[[Path], object]:
    """A change after which the entry and its directory have their times back, so that times alone do not tell it."""

    def sabotage(copy: Path) -> None:
        without_touching(copy / relative, lambda: change(copy / relative))

    return sabotage


def emptied(copy: Path) -> None:
    for entry in list(os.scandir(copy)):
        shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)


def replaced(copy: Path, person: str) -> None:
    shutil.rmtree(copy)
    write_tree(copy, person=person)


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def exchanged(copy: Path) -> None:
    first, second = copy / "foto" / "berkas-1.bin", copy / "foto" / "berkas-2.bin"
    times = [path.stat().st_mtime_ns for path in (first, second)]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)
    for path, moment in zip((first, second), times, strict=True):
        os.utime(path, ns=(moment, moment))


def link_to_file(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def link_broken(path: Path) -> None:
    mode, content = path.stat().st_mode, path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def relinked(path: Path) -> None:
    path.unlink()
    os.symlink("../baca.txT", path)


def moved(copy: Path) -> None:
    one, two = copy / "surat", copy / "foto"
    times = [path.stat().st_mtime_ns for path in (one, two)]
    (one / "berkas-2.bin").rename(two / "berkas-9.bin")
    for path, moment in zip((one, two), times, strict=True):
        os.utime(path, ns=(moment, moment))


def foreign_renamed(path: Path) -> None:
    folder = os.fsencode(path)
    os.rename(folder + b"/" + FOREIGN_NAME, folder + b"/akta-\xff\xfd.txt")


def decomposed(path: Path) -> None:
    # "é" as two characters: it looks the same in every file manager.
    (path / "é-satu").rename(path / "e\u0301-satu")


def filled(path: Path) -> None:
    path.write_bytes(path.read_bytes())


def punched(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MIB)


def fifo_to_file(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"")


def folder_to_link(path: Path) -> None:
    path.rmdir()
    os.symlink(".", path)


def copied_again(copy: Path) -> None:
    # Exactly as it is, in another order of directory entries.
    other = copy.with_name("lain")
    other.mkdir()
    moment = copy.stat().st_mtime_ns
    for entry in sorted(os.listdir(copy), reverse=True):
        os.rename(copy / entry, other / entry)
    other.chmod(copy.stat().st_mode & 0o7777)
    os.utime(other, ns=(moment, moment))
    os.rmdir(copy)
    os.rename(other, copy)


SURAT, FOTO, LUBANG = (("fingerprint", name) for name in ("surat", "foto", "lubang"))
COUNT, SIZE = ("row_count", DIRECTORY), ("size", DIRECTORY)
STRUCTURE, TOTALS = ("structure", DIRECTORY), ("totals", DIRECTORY)

BAD_TREES = (
    # --- another tree ---------------------------------------------------------------------------------------------
    BadTree("an empty tree", emptied, (COUNT, SIZE, SURAT, FOTO, TOTALS)),
    BadTree("the wrong tree: the same names and sizes", lambda c: replaced(c, "Budi"), (SURAT, FOTO)),
    BadTree("a folder lost", lambda c: shutil.rmtree(c / "foto"), (COUNT, FOTO, TOTALS)),
    BadTree("a file lost", quietly("foto/berkas-3.bin", Path.unlink), (COUNT, FOTO)),
    BadTree("a file added", quietly("foto/pipa", lambda p: p.with_name("titipan").write_bytes(b"x")), (COUNT, FOTO)),
    BadTree("an empty directory lost", quietly("surat/kosong", Path.rmdir), (COUNT, SURAT, STRUCTURE)),
    # --- content --------------------------------------------------------------------------------------------------
    BadTree("one bit", quietly("foto/berkas-3.bin", flipped), (FOTO,)),
    BadTree(
        "other content of the same size",
        quietly("foto/berkas-3.bin", lambda p: p.write_bytes(bytes(p.stat().st_size))),
        (FOTO,),
    ),
    BadTree("a file cut", quietly("foto/berkas-3.bin", lambda p: os.truncate(p, 100)), (FOTO, SIZE)),
    BadTree("a file emptied", quietly("foto/berkas-3.bin", lambda p: os.truncate(p, 0)), (FOTO, SIZE)),
    BadTree("zeros behind a file's end", quietly("foto/berkas-3.bin", lambda p: os.truncate(p, 99_999)), (FOTO, SIZE)),
    BadTree("two files' contents exchanged", exchanged, (FOTO,)),
    BadTree("a byte in a hole", quietly("lubang/nol", lambda p: p.write_bytes(bytes(MIB - 1) + b"\1")), (LUBANG,)),
    # --- names ----------------------------------------------------------------------------------------------------
    BadTree("a file moved between directories", moved, (SURAT, FOTO)),
    BadTree("a name that is not UTF-8 changed", quietly("surat/kosong", lambda p: foreign_renamed(p.parent)), (SURAT,)),
    BadTree("a name composed otherwise", quietly("surat/kosong", lambda p: decomposed(p.parent)), (SURAT,)),
    BadTree("upper case", quietly("foto/berkas-1.bin", lambda p: p.rename(p.with_name("Berkas-1.bin"))), (FOTO,)),
    # --- what stands beside the content ----------------------------------------------------------------------------
    BadTree("a file's mode", quietly("foto/berkas-3.bin", lambda p: p.chmod(0o600)), (FOTO,)),
    BadTree("the root's mode", lambda c: c.chmod(0o711), (("fingerprint", "."),)),
    BadTree("a set-user-id bit lost", quietly("surat/setuid", lambda p: p.chmod(0o755)), (SURAT,)),
    BadTree("a file's time by a nanosecond", lambda c: touched(c / "foto/berkas-3.bin", 1), (FOTO,)),
    BadTree("a directory's time", lambda c: touched(c / "surat/kosong", 1), (SURAT,)),
    BadTree("a symbolic link's time", lambda c: touched(c / "surat/tautan", 1), (SURAT,)),
    BadTree(
        "an owner", quietly("surat/berkas-3.bin", lambda p: os.chown(p, 1235, -1)), (("owners", "surat"),), needs="root"
    ),
    BadTree(
        "a group", quietly("surat/berkas-3.bin", lambda p: os.chown(p, -1, 5679)), (("owners", "surat"),), needs="root"
    ),
    BadTree(
        "an attribute lost",
        quietly("surat/berkas-1.bin", lambda p: os.removexattr(p, "user.asal")),
        (SURAT,),
        needs="attributes",
    ),
    BadTree(
        "an access list lost",
        quietly("surat/berkas-2.bin", lambda p: os.removexattr(p, "system.posix_acl_access")),
        (SURAT,),
        needs="attributes",
    ),
    # --- kinds ----------------------------------------------------------------------------------------------------
    BadTree("a symbolic link turned into a file", quietly("surat/tautan", link_to_file), (SURAT, STRUCTURE)),
    BadTree("a symbolic link's target changed", quietly("surat/tautan", relinked), (SURAT,)),
    BadTree("a hard link broken into two files", quietly("foto/keras", link_broken), (FOTO, STRUCTURE)),
    BadTree("a directory turned into a link", quietly("surat/kosong", folder_to_link), (SURAT, STRUCTURE)),
    BadTree("a fifo turned into a file", quietly("foto/pipa", fifo_to_file), (FOTO, STRUCTURE)),
)

# Equal content, told by other blocks of the disk: no alarm. Where a file system keeps holes is its own affair, and
# no application reads a difference.
HARMLESS_TREES = (
    BadTree("a hole filled with zeros", quietly("lubang/renggang", filled), ()),
    BadTree("zeros turned into a hole", quietly("lubang/nol", punched), ()),
    BadTree("the order of a directory's entries", copied_again, ()),
    BadTree("times of access", lambda c: os.utime(c / "baca.txt", ns=(1, (c / "baca.txt").stat().st_mtime_ns)), ()),
)

QUICK_TREES = (
    "an empty tree",
    "the wrong tree: the same names and sizes",
    "an empty directory lost",
    "a hard link broken into two files",
    "a name composed otherwise",
    "an attribute lost",
    "a hole filled with zeros",
)


def touched(path: Path, nanoseconds: int) -> None:
    moment = path.lstat().st_mtime_ns + nanoseconds
    os.utime(path, ns=(moment, moment), follow_symlinks=False)
