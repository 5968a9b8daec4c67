"""The judge on spoilt copies of a SQLite database: every one is a `fail` for the right reason, and none is a guess."""

import random
from pathlib import Path

import pytest

from tests.recovery.sabotage.proving import Original, dump_of, failed, judged, named
from tests.recovery.sabotage.sqlite_cases import BAD, HARMLESS, QUICK, Bad, flip, write_database
from tests.recovery.sources.sqlite_databases import source_of


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    path = tmp_path_factory.mktemp("asal") / "simpel.db"
    write_database(path)
    return dump_of(source_of(path))


@pytest.mark.parametrize("case", named(BAD, QUICK))
def test_a_spoilt_database_fails_for_the_right_reason(case: Bad, original: Original, tmp_path: Path) -> None:
    verdict = judged(original, tmp_path, case.sabotage)
    assert verdict.state == "fail"
    assert set(case.fails) <= failed(verdict)
    assert [check for check in verdict.checks if check.state == "error"] == []


@pytest.mark.parametrize("case", named(HARMLESS, QUICK))
def test_other_bytes_with_the_same_content_are_no_alarm(case: Bad, original: Original, tmp_path: Path) -> None:
    verdict = judged(original, tmp_path, case.sabotage)
    assert (verdict.state, failed(verdict)) == ("pass", set())


def test_a_dump_of_nothing_is_loaded_and_fails(original: Original, tmp_path: Path) -> None:
    verdict = judged(original, tmp_path, plain=b"")
    assert verdict.state == "fail"
    assert ("integrity", "sqlite") in failed(verdict)


@pytest.mark.slow
def test_a_bit_flipped_anywhere_in_the_header_or_at_random_is_a_failure_or_touches_no_content(
    original: Original, tmp_path: Path
) -> None:
    # Bytes that no row needs (free space, counters) may flip unseen here: the SHA-256 of the part sees them.
    places = [*range(0, 100, 14), *random.Random(20261120).sample(range(100, len(original.plain)), 9)]
    for number, place in enumerate(places):
        directory = tmp_path / str(number)
        verdict = judged(original, directory, lambda copy, place=place: flip(copy, place, bit=place % 8))
        scratch = original.source.scratch(directory)
        if verdict.state == "pass":
            assert original.expected.differences(scratch.fingerprint(scratch.beside("proof"))) == [], place
            assert scratch.check(scratch.beside("proof")) == [], place
        else:
            assert verdict.state == "fail", place


def test_a_copy_that_cannot_be_measured_names_no_data(original: Original, tmp_path: Path) -> None:
    messages = " ".join(check.message for check in judged(original, tmp_path, lambda copy: flip(copy, 47)).checks)
    assert "Pegawai" not in messages
    assert "unsupported file format" in messages
