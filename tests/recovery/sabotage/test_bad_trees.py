"""The judge on spoilt copies of a directory tree: every one is a `fail` for the right reason, and none is a guess."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from recovery.errors import SourceError
from tests.recovery.sabotage.proving import Original, dump_of, failed, judged, load, named
from tests.recovery.sabotage.tree_cases import BAD_TREES, HARMLESS_TREES, QUICK_TREES, ROOT, BadTree, write_tree
from tests.recovery.sources.directory_trees import source_of, write
from tests.testbed.only_root import did_not_run


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    root = tmp_path_factory.mktemp("asal") / "unggahan"
    write_tree(root)
    return dump_of(source_of(root))


@pytest.mark.parametrize("case", named(BAD_TREES, QUICK_TREES))
def test_a_spoilt_tree_fails_for_the_right_reason(case: BadTree, original: Original, tmp_path: Path) -> None:
    if case.needs == "root" and not ROOT:
        raise did_not_run("only root can change owners")
    if case.needs == "attributes" and not _has_attributes(Path(original.source.identify()["path"])):
        raise did_not_run("this file system has no extended attributes")
    verdict = judged(original, tmp_path, case.sabotage)
    assert verdict.state == "fail"
    assert set(case.fails) <= failed(verdict)
    assert [check for check in verdict.checks if check.state == "error"] == []


@pytest.mark.parametrize("case", named(HARMLESS_TREES, QUICK_TREES))
def test_equal_content_on_other_blocks_is_no_alarm(case: BadTree, original: Original, tmp_path: Path) -> None:
    verdict = judged(original, tmp_path, case.sabotage)
    assert (verdict.state, failed(verdict)) == ("pass", set())


@pytest.mark.slow
def test_a_stale_dump_fails(tmp_path: Path) -> None:
    root = tmp_path / "unggahan"
    write_tree(root)
    yesterday = dump_of(source_of(root))
    write(root / "surat" / "baru.txt", b"surat hari ini")
    verdict = judged(dump_of(source_of(root)), tmp_path / "scratch", plain=yesterday.plain)
    assert verdict.state == "fail"
    assert {("fingerprint", "surat"), ("row_count", "(seluruh direktori)")} <= failed(verdict)


def test_an_empty_but_valid_archive_fails(original: Original, tmp_path: Path) -> None:
    empty = tmp_path / "kosong"
    empty.mkdir()
    verdict = judged(original, tmp_path / "scratch", plain=dump_of(source_of(empty)).plain)
    assert verdict.state == "fail"
    assert ("row_count", "(seluruh direktori)") in failed(verdict)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "the tar stream ended before its end marker"),
        ("cut at a member's border", "the tar stream ended before its end marker"),
        ("cut inside a member", "the tar stream ended before its end marker"),
        ("another kind of tar", "the tar stream holds a header without its magic"),
        ("a database", "the tar stream holds a header without its magic"),
        ("a second archive behind the first", "the tar stream holds data behind its end marker"),
    ],
)
def test_what_is_no_whole_archive_of_ours_is_not_even_loaded(
    what: str, message: str, original: Original, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=message):
        load(original, tmp_path / "scratch", plain=_archive(what, original.plain))
    assert os.listdir(tmp_path / "scratch") == []


def _archive(what: str, plain: bytes) -> bytes:
    other = io.BytesIO()
    with tarfile.open(fileobj=other, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("./a"), io.BytesIO())
    return {
        "nothing": b"",
        "cut at a member's border": plain.rstrip(b"\0")[: -(len(plain.rstrip(b"\0")) % 512) or None],
        "cut inside a member": plain[: len(plain) // 2 + 100],
        "another kind of tar": other.getvalue(),
        "a database": b"SQLite format 3\0".ljust(4096, b"\1"),
        "a second archive behind the first": plain + plain,
    }[what]


def _has_attributes(root: Path) -> bool:
    return "user.asal" in os.listxattr(root / "surat" / "berkas-1.bin")
