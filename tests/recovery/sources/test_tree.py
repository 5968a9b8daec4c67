"""The fold over a tar stream: order, pieces, holes, damage, and names as they are shown."""

import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.errors import SourceError
from recovery.sources.base import Fingerprint
from recovery.sources.tar_entries import TarEntries
from recovery.sources.tar_streams import ENVIRONMENT, create
from recovery.sources.tree import SPAN, ContentDigest, TreeFold, shown
from tests.recovery.sources.directory_trees import MIB, make_difficult_tree, make_ordinary_tree, make_sparse, write


def tar_of(root: Path, *names: str) -> bytes:
    """Return our tar stream of a tree; with `names` of these entries alone, in this order."""
    command = create(str(root))
    if names:
        command = [*command[:-1], "--no-recursion", "--", *names]
    return subprocess.run(command, env={**os.environ, **ENVIRONMENT}, check=True, stdout=subprocess.PIPE).stdout


def folded(data: bytes, piece: int = MIB, **options: bool) -> Fingerprint:
    fold = TreeFold(**options)  # type: ignore[arg-type]
    for position in range(0, len(data), piece):
        fold.feed(data[position : position + piece])
    return fold.finish()


@pytest.fixture(scope="module")
def difficult(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    root = tmp_path_factory.mktemp("pohon") / "unggahan"
    make_difficult_tree(root)
    return tar_of(root)


@pytest.mark.parametrize("piece", [61, 511, 512, 513, 4096, 65_536, 99_999])
def test_how_the_stream_is_cut_into_pieces_does_not_count(difficult: bytes, piece: int) -> None:
    assert folded(difficult, piece) == folded(difficult, len(difficult))


def test_the_order_of_the_entries_does_not_count(tmp_path: Path) -> None:
    make_ordinary_tree(tmp_path)
    names = [
        "." if name == tmp_path else f"./{name.relative_to(tmp_path)}" for name in [tmp_path, *tmp_path.rglob("*")]
    ]
    assert folded(tar_of(tmp_path, *reversed(names))) == folded(tar_of(tmp_path))
    random.Random(1).shuffle(names)
    assert folded(tar_of(tmp_path, *names)).differences(folded(tar_of(tmp_path))) == []


def test_groups_are_first_level_directories_and_files_at_the_root_are_one(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", b"123")
    write(tmp_path / "satu" / "dua" / "tiga", b"4567")
    (tmp_path / "kosong").mkdir()
    found = folded(tar_of(tmp_path))
    assert {name: (group["rows"], group["bytes"]) for name, group in found.objects.items()} == {
        ".": (2, 3),
        "satu": (3, 4),
        "kosong": (1, 0),
    }
    assert found.totals == {"objects": 3, "rows": 6, "bytes": 7}
    assert found.structure == {"algorithm": "pulih-tree-1", "entries_by_type": {"file": 2, "directory": 4}}
    assert Fingerprint.from_json(found.to_json()) == found


def test_many_first_level_directories_are_joined_and_still_compared(tmp_path: Path) -> None:
    for number in range(1001):
        (tmp_path / f"nomor-{number}").mkdir()
    names = ["."] + [f"./nomor-{number}" for number in range(1001)]
    before = folded(tar_of(tmp_path, *names))
    assert len(before.objects) <= 256
    assert before.totals["rows"] == 1002
    assert before == folded(tar_of(tmp_path, *reversed(names)))
    (tmp_path / "nomor-500").chmod(0o700)
    (difference,) = before.differences(folded(tar_of(tmp_path)))
    assert difference.startswith("object 'directories ")


def test_without_privileges_nothing_is_said_about_owners(difficult: bytes) -> None:
    found = folded(difficult, owners=False)
    assert {group["owners"] for group in found.objects.values()} == {None}
    proven = folded(difficult).objects
    assert {name: group["digest"] for name, group in found.objects.items()} == {
        name: group["digest"] for name, group in proven.items()
    }


def test_damage_is_an_error_or_another_fingerprint_and_never_a_crash(difficult: bytes) -> None:
    generator = random.Random(20261120)
    data = difficult[: 24 * 512]
    rest = difficult[24 * 512 :]
    whole = folded(difficult)
    refused = other = 0
    for _ in range(500):
        damaged = bytearray(data)
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        try:
            found = folded(bytes(damaged) + rest)
        except SourceError as error:
            assert error.message.startswith("the tar stream")
            refused += 1
        else:
            other += found != whole
    # What remains are bytes that tar does not restore either: padding, checksums, the names of extended headers.
    assert (refused > 20, other > 60) == (True, True), (refused, other)


def test_random_bytes_are_refused() -> None:
    generator = random.Random(7)
    for size in (1, 511, 512, 1024, 5000):
        with pytest.raises(SourceError, match="the tar stream"):
            folded(generator.randbytes(size))


def test_a_map_of_holes_that_would_fill_the_memory_is_refused(difficult: bytes) -> None:
    start = difficult.index(b"GNUSparseFile") // 512 * 512 + 512
    line = difficult.index(b"\n", start)
    data = difficult[:start] + b"9" * (line - start) + difficult[line:]
    too_many = data[:start] + b"999999999\n" + data[start + 10 :]
    with pytest.raises(SourceError, match="a map of holes that is larger than itself"):
        folded(too_many)


def test_an_empty_piece_is_nothing() -> None:
    """A pipe may give one, and the stream goes on."""
    fold = TreeFold()
    fold.feed(b"")
    fold.feed(bytes(1024))
    assert fold.finish().totals["rows"] == 0


@pytest.fixture(scope="module")
def holes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The stream of one file of two pieces and two holes; its map says "3", then where each begins and its length."""
    root = tmp_path_factory.mktemp("lubang")
    make_sparse(root / "a", [(65_536, b"x" * 4096), (131_072, b"y" * 4096)])
    data = tar_of(root)
    assert data.count(HOLES) == 1
    return data


HOLES = b"3\n65536\n4096\n131072\n4096\n135168\n0\n"


@pytest.mark.parametrize(
    ("map_of_holes", "why"),
    [
        (b"3\n65536\n4096\n131072\n4096\n999999\n0\n", "a map of holes that contradicts itself"),
        (b"3\n99999\n4096\n065536\n4096\n135168\n0\n", "a map of holes that contradicts itself"),
        (b"1\n65536\n4096\n131072\n4096\n135168\n0\n", "a map of holes that contradicts its size"),
    ],
)
def test_a_map_of_holes_that_cannot_be_true_is_refused(holes: bytes, map_of_holes: bytes, why: str) -> None:
    """Bytes that are nowhere in the stream would be proven as zeros."""
    assert folded(holes).totals["rows"] == 2
    with pytest.raises(SourceError, match=why):
        folded(holes.replace(HOLES, map_of_holes))


def test_two_extended_headers_in_a_row_are_refused(difficult: bytes) -> None:
    """Which of them counts would be a matter of taste."""
    begin = next(position for position in range(0, len(difficult), 512) if is_extended(difficult, position))
    size = int(difficult[begin + 124 : begin + 135], 8)
    extended = difficult[begin : begin + 512 + -(-size // 512) * 512]
    with pytest.raises(SourceError, match="two extended headers in a row"):
        folded(difficult[:begin] + extended + difficult[begin:])


def is_extended(data: bytes, position: int) -> bool:
    return data[position + 156 : position + 157] == b"x" and data[position + 257 : position + 262] == b"ustar"


def content_of(*pieces: bytes | int) -> bytes:
    """Digest a content given as bytes and holes."""
    digest = ContentDigest()
    for piece in pieces:
        if isinstance(piece, int):
            digest.skip(piece)
        else:
            digest.update(memoryview(piece))
    return digest.digest()


@given(
    st.lists(
        st.one_of(
            st.integers(0, 3 * SPAN),
            st.tuples(st.sampled_from([0, 0, 1, 200]), st.integers(0, 3 * SPAN)).map(lambda t: bytes([t[0]]) * t[1]),
            st.binary(max_size=100),
        ),
        max_size=6,
    ),
    st.integers(1000, 2 * SPAN),
)
@settings(deadline=None, max_examples=60)
def test_holes_and_pieces_do_not_change_what_content_is(pieces: list[bytes | int], size: int) -> None:
    flat = b"".join(bytes(piece) if isinstance(piece, int) else piece for piece in pieces)
    cut = [flat[position : position + size] for position in range(0, len(flat), size)]
    assert content_of(*pieces) == content_of(flat) == content_of(*cut)


@given(st.integers(1, 5 * SPAN), st.data())
@settings(deadline=None)
def test_every_byte_of_content_counts(size: int, data: st.DataObject) -> None:
    content = bytearray(size)
    before = content_of(bytes(content))
    content[data.draw(st.integers(0, size - 1))] = 1
    one = content_of(bytes(content))
    assert one != before
    position = data.draw(st.integers(0, size - 1))
    content[position] ^= 2
    assert content_of(bytes(content)) not in (before, one)


def test_moving_a_hole_changes_the_content() -> None:
    data = b"x" * SPAN
    contents = [content_of(*order) for order in ((data, SPAN, SPAN), (SPAN, data, SPAN), (SPAN, SPAN, data))]
    assert len(set(contents)) == 3


def test_a_digest_does_not_carry_over_to_the_next_file() -> None:
    digest = ContentDigest()
    digest.update(memoryview(b"satu" * 50_000))
    digest.skip(10 * SPAN)
    digest.digest()
    digest.update(memoryview(b"dua"))
    assert digest.digest() == content_of(b"dua")


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_different_names_are_shown_differently_and_safely(one: bytes, two: bytes) -> None:
    assert (shown(one) == shown(two)) == (one == two)
    assert shown(one).isprintable()
    shown(one).encode()


def test_names_are_shown_as_people_read_them() -> None:
    assert shown("laporan é–ü.pdf".encode()) == "laporan é–ü.pdf"
    assert shown(b"a\nb\\\xff\x1b[31m") == "a\\nb\\\\\\xff\\x1b[31m"
    assert shown("\u202egpj.exe".encode()) == "\\u202egpj.exe"


def test_a_strange_stream_is_refused_as_soon_as_it_is_seen() -> None:
    with pytest.raises(SourceError, match="a header without its magic"):
        TreeFold().feed(b"x" * 1024)


@pytest.mark.parametrize("size", [1, 511, 512, 513, 4096, 1 << 20])
def test_a_piece_may_be_overwritten_once_it_was_taken(difficult: bytes, size: int) -> None:
    """Whoever reads the stream reads all of it into one buffer."""
    fold, buffer = TreeFold(), bytearray(size)
    for start in range(0, len(difficult), size):
        piece = difficult[start : start + size]
        buffer[: len(piece)] = piece
        fold.feed(memoryview(buffer)[: len(piece)])
        buffer[:] = b"\xff" * size
    assert fold.finish() == folded(difficult)


def test_a_stream_without_its_end_marker_is_refused(difficult: bytes) -> None:
    end = len(difficult.rstrip(b"\0")) // 512 * 512 + 512
    for cut in (0, 512, end, end + 512):
        with pytest.raises(SourceError, match="the tar stream ended before its end marker"):
            folded(difficult[:cut] if cut else b"")
    assert folded(difficult[: end + 1024]) == folded(difficult)


def test_memory_does_not_grow_with_the_tree(tmp_path: Path) -> None:
    """One entry is repeated without end: what is kept is a sum."""
    import tracemalloc

    write(tmp_path / "a" / "isi", b"x" * 1000)
    data = tar_of(tmp_path, "./a/isi")
    member = data[: len(data.rstrip(b"\0")) // 512 * 512 + 512]
    fold = TreeFold()
    tracemalloc.start()
    fold.feed(member * 100)
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(15):
        fold.feed(member * 100)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 50_000


def test_only_what_is_known_is_read() -> None:
    entries = TarEntries(lambda entry, content: None, ContentDigest())
    header = bytearray(512)
    header[:4] = b"./a\0"
    header[156:157] = b"0"
    header[257:265] = b"ustar\x0000"
    for field, width in ((100, 8), (108, 8), (116, 8), (124, 12), (136, 12)):
        header[field : field + width] = b"0" * (width - 1) + b"\0"
    header[345:348] = b"/et"
    with pytest.raises(SourceError, match="a name in two parts"):
        entries.feed(bytes(header))
