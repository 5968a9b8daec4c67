"""Sources that are in order pass, whatever their shape: who cries wolf is not heard when it matters."""

from pathlib import Path

import pytest

from recovery.sources.base import Source
from tests.recovery.sabotage.good_databases import GOOD_DATABASES, QUICK_DATABASES, Shape
from tests.recovery.sabotage.good_trees import GOOD_TREES, QUICK_TREES
from tests.recovery.sabotage.proving import decrypted, dump_of, encrypted, judge_loaded, named
from tests.recovery.sources import directory_trees, sqlite_databases


@pytest.mark.parametrize("shape", named(GOOD_DATABASES, QUICK_DATABASES))
def test_a_sound_database_passes(shape: Shape, tmp_path: Path) -> None:
    path = tmp_path / "asal" / "simpel.db"
    path.parent.mkdir()
    shape.make(path)
    _prove(sqlite_databases.source_of(path), tmp_path)


@pytest.mark.parametrize("shape", named(GOOD_TREES, QUICK_TREES))
def test_a_sound_tree_passes(shape: Shape, tmp_path: Path) -> None:
    root = tmp_path / "asal" / "unggahan"
    root.parent.mkdir()
    shape.make(root)
    _prove(directory_trees.source_of(root), tmp_path)


def _prove(source: Source, directory: Path) -> None:
    """Take the whole way of a backup: dump, encrypt, decrypt, load, judge."""
    source.preflight()
    original = dump_of(source)
    part = directory / "data.zst.age"
    digests = encrypted(original.plain, part)
    scratch = source.scratch(directory / "scratch")
    copy = scratch.beside("proof")
    with scratch.load(copy) as load:
        decrypted(part, digests, load.write)
        load.finish()
    verdict = judge_loaded(scratch, copy, original.expected, directory / "scratch")
    assert [(check.name, check.object, check.message) for check in verdict.checks if check.state != "pass"] == []
    assert verdict.state == "pass"
    assert original.expected.differences(source.fingerprint()) == []
