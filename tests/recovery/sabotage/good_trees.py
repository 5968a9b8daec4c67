"""Directory trees of many shapes that are in order: each must be backed up and proven without a false alarm."""

import os
from pathlib import Path

from tests.recovery.sabotage.good_databases import Shape
from tests.recovery.sources.directory_trees import (
    MIB,
    acl,
    add_owners,
    make_difficult_tree,
    make_ordinary_tree,
    make_sparse,
    write,
)


def _empty(root: Path) -> None:
    root.mkdir()


def _only_directories(root: Path) -> None:
    for number in range(30):
        (root / f"a{number % 3}" / f"b{number}" / "c").mkdir(parents=True)


def _many_folders(root: Path) -> None:
    # More than the fingerprint holds apart.
    for number in range(1100):
        write(root / f"berkas-{number:04}" / "x", str(number).encode())


def _one_large_file(root: Path) -> None:
    write(root / "besar.bin", os.urandom(8 * MIB) + bytes(8 * MIB) + b"x")


def _sizes_around_blocks(root: Path) -> None:
    for size in (0, 1, 511, 512, 513, 10_239, 10_240, 65_535, 65_536, 65_537, 131_072):
        write(root / f"{size}.bin", os.urandom(size))
        write(root / f"nol-{size}.bin", bytes(size))


def _names_of_the_world(root: Path) -> None:
    for name in (
        "👩‍👩‍👧‍👦",
        "ꦲꦏ꧀ꦱꦫ",
        "e\u0301",
        "é",
        "\u202e",
        "A",
        "a",
        "a ",
        ".tersembunyi",
        "...",
        "nama\ttab",
        "\x01",
    ):
        write(root / name / name, name.encode())


def _names_that_are_no_text(root: Path) -> None:
    for number in range(128, 256):
        write(os.fsencode(root) + b"/%c" % number, b"x")


def _holes_of_every_kind(root: Path) -> None:
    make_sparse(root / "awal", [(MIB, b"x")])
    make_sparse(root / "akhir", [(0, b"x"), (MIB, b"")])
    make_sparse(root / "sisir", [(number * 128 * 1024, b"x") for number in range(40)])
    make_sparse(root / "besar", [(1 << 36, b"x")])


def _links_among_links(root: Path) -> None:
    write(root / "a" / "asli")
    for number in range(20):
        (root / f"b{number}").mkdir()
        os.link(root / "a" / "asli", root / f"b{number}" / "keras")
        os.symlink(f"../b{(number + 1) % 20}/lunak", root / f"b{number}" / "lunak")
    os.symlink(".", root / "diri")


def _owned_by_many(root: Path) -> None:
    make_difficult_tree(root)
    if os.geteuid() == 0:
        add_owners(root)


def _attributes(root: Path) -> None:
    for number in range(3):
        write(root / f"berkas-{number}")
    try:
        os.setxattr(root / "berkas-0", "user.kosong", b"")
        os.setxattr(root / "berkas-1", "user.biner", b"\0\n=\xff" * 200)
        os.setxattr(root / "berkas-2", "system.posix_acl_access", acl(1000))
        os.setxattr(root, "system.posix_acl_default", acl(1000))
    except OSError:
        return  # this file system has none


def _deep(root: Path) -> None:
    path = root
    for level in range(60):
        path = path / f"tingkat-{level:02}"
    path.mkdir(parents=True)
    write(path / "dasar")


GOOD_TREES = (
    Shape("an empty tree", _empty),
    Shape("directories only", _only_directories),
    Shape("an ordinary tree", make_ordinary_tree),
    Shape("everything that is easily lost", make_difficult_tree),
    Shape("files of many owners", _owned_by_many),
    Shape("attributes and access lists", _attributes),
    Shape("eleven hundred folders", _many_folders),
    Shape("one large file", _one_large_file),
    Shape("sizes around blocks", _sizes_around_blocks),
    Shape("names of the whole world", _names_of_the_world),
    Shape("names that are no text", _names_that_are_no_text),
    Shape("holes of every kind", _holes_of_every_kind),
    Shape("links among links", _links_among_links),
    Shape("sixty levels", _deep),
)

QUICK_TREES = ("an empty tree", "everything that is easily lost")
