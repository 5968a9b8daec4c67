"""Databases of servers: spoilt ones fail for the right reason, and sound ones of whatever shape raise no alarm."""

import random
import resource
from contextlib import closing
from pathlib import Path

import pytest

from recovery.errors import SourceError
from recovery.quality.verdict import Verdict
from recovery.sources.base import Source
from tests.recovery.sabotage.conftest import CORPORA, Rich
from tests.recovery.sabotage.corpus import Corpus
from tests.recovery.sabotage.proving import (
    Original,
    decrypted,
    dump_of,
    encrypted,
    failed,
    judge_loaded,
)

SAMPLED_LOSSES = 3
SAMPLED_ARCHIVES = 3
FLIPPED, SAMPLED_FLIPPED = 60, 3
TABLES, JUDGED_SECONDS = 500, 60


def prove(source: Source, directory: Path) -> tuple[Original, Verdict]:
    """Take the whole way of a backup: dump, encrypt, decrypt, load in a server of its own, judge."""
    source.preflight()
    original = dump_of(source)
    part = directory / "data.zst.age"
    digests = encrypted(original.plain, part)
    with closing(source.scratch(directory / "scratch")) as scratch:
        copy = scratch.beside("proof")
        with scratch.load(copy, original.server_globals) as load:
            decrypted(part, digests, load.write)
            load.finish()
        return original, judge_loaded(scratch, copy, original.expected, directory / "scratch")


def judged_beside(rich: Rich, copy: str, directory: Path) -> Verdict:
    """Judge a copy beside the live data, and remove it."""
    try:
        return judge_loaded(rich.original.source, copy, rich.original.expected, directory)
    finally:
        rich.original.source.discard(copy)


def require_sound(corpus: Corpus, names: list[str], directory: Path) -> None:
    alarms = {}
    for number, name in enumerate(names):
        source = corpus.make(corpus.good[name])
        (place := directory / str(number)).mkdir()
        original, verdict = prove(source, place)
        found = [(check.name, check.object, check.message) for check in verdict.checks if check.state != "pass"]
        found += original.expected.differences(source.fingerprint())
        if found or verdict.state != "pass":
            alarms[name] = found
    assert alarms == {}


def test_sound_databases_pass(corpus: Corpus, tmp_path: Path) -> None:
    require_sound(corpus, list(corpus.quick), tmp_path)


@pytest.mark.endurance
def test_sound_databases_of_every_shape_pass(corpus: Corpus, tmp_path: Path) -> None:
    require_sound(corpus, list(corpus.good), tmp_path)


def require_found(rich: Rich, losses: list[int], directory: Path) -> None:
    cases, missed = rich.corpus.losses(), {}
    assert judged_beside(rich, rich.corpus.copy(rich.original, "utuh"), directory).state == "pass"
    for number in losses:
        copy = rich.corpus.copy(rich.original, f"rugi-{number}")
        rich.corpus.lose(copy, cases[number].statement)
        verdict = judged_beside(rich, copy, directory)
        check, about = cases[number].fails
        # Of some checks the case says only how the name begins.
        if not any(name.startswith(check) and object == about for name, object in failed(verdict)):
            missed[cases[number].name] = (verdict.state, cases[number].fails, sorted(failed(verdict)))
    assert missed == {}


def test_what_a_copy_lost_fails_the_proof(rich: Rich, tmp_path: Path) -> None:
    chosen = random.Random(20261122).sample(range(len(rich.corpus.losses())), SAMPLED_LOSSES)
    require_found(rich, chosen, tmp_path)


def test_the_other_engines_proofs_are_tried_too(tmp_path: Path) -> None:
    """All of what is above and below is played on them by `make test-endurance`."""
    for engine in list(CORPORA)[1:]:
        with CORPORA[engine].serve() as corpus:
            rich = Rich(corpus, dump_of(corpus.rich()))
            require_found(rich, random.Random(20261122).sample(range(len(corpus.losses())), 1), tmp_path)
            require_refused(rich, random.Random(20261122).sample(list(corpus.archives(rich.original)), 1), tmp_path)


@pytest.mark.endurance
def test_whatever_a_copy_lost_fails_the_proof(rich: Rich, tmp_path: Path) -> None:
    require_found(rich, list(range(len(rich.corpus.losses()))), tmp_path)


def require_refused(rich: Rich, names: list[str], directory: Path) -> None:
    archives, missed = rich.corpus.archives(rich.original), {}
    for number, name in enumerate(names):
        make, fails = archives[name]
        copy = rich.original.source.beside(f"arsip-{number}")
        rich.corpus.load(rich.original, copy, make())
        verdict = judged_beside(rich, copy, directory)
        if verdict.state != "fail" or not set(fails) <= failed(verdict):
            missed[name] = (verdict.state, set(fails) - failed(verdict))
    assert missed == {}


def test_a_valid_archive_that_is_not_the_dump_fails(rich: Rich, tmp_path: Path) -> None:
    names = list(rich.corpus.archives(rich.original))
    require_refused(rich, random.Random(20261122).sample(names, SAMPLED_ARCHIVES), tmp_path)


@pytest.mark.endurance
def test_every_valid_archive_that_is_not_the_dump_fails(rich: Rich, tmp_path: Path) -> None:
    require_refused(rich, list(rich.corpus.archives(rich.original)), tmp_path)


def test_a_stale_dump_fails(corpus: Corpus, tmp_path: Path) -> None:
    original, yesterday = corpus.stale()
    copy = original.source.beside("kemarin")
    corpus.load(original, copy, yesterday)
    verdict = judge_loaded(original.source, copy, original.expected, tmp_path)
    assert (verdict.state, len(failed(verdict))) == ("fail", 1)
    assert {name for name, _ in failed(verdict)} == {"fingerprint"}


def flip(rich: Rich, count: int, directory: Path) -> None:
    plain = rich.original.plain
    untrue = {}
    for position in random.Random(20261122).sample(range(len(plain)), count):
        content = bytearray(plain)
        content[position] ^= 1 << position % 8
        copy = rich.original.source.beside("bit")
        try:
            rich.corpus.load(rich.original, copy, bytes(content))
        except SourceError:
            continue
        found = rich.original.expected.differences(rich.original.source.fingerprint(copy))
        verdict = judged_beside(rich, copy, directory)
        # Bytes that no object needs (dates, names of programs) may flip unseen here: the SHA-256 of the part sees them.
        if (verdict.state == "fail") != bool(found) or verdict.state not in ("pass", "fail"):
            untrue[position] = (verdict.state, found)
    assert untrue == {}
    assert rich.original.source.beside("bit") not in rich.original.source.copies()


def test_a_flipped_bit_is_refused_or_found_or_touches_no_content(rich: Rich, tmp_path: Path) -> None:
    flip(rich, SAMPLED_FLIPPED, tmp_path)


@pytest.mark.endurance
def test_many_flipped_bits_are_refused_or_found_or_touch_no_content(rich: Rich, tmp_path: Path) -> None:
    flip(rich, FLIPPED, tmp_path)


@pytest.mark.endurance
@pytest.mark.parametrize("place", [0, 1, 100, 5000, -5000, -100, -1])
def test_an_archive_that_was_cut_leaves_no_copy_or_fails(rich: Rich, place: int, tmp_path: Path) -> None:
    copy = rich.original.source.beside("putus")
    with pytest.raises(SourceError):
        rich.corpus.load(rich.original, copy, rich.original.plain[:place])
    assert copy not in rich.original.source.copies()


@pytest.mark.endurance
@pytest.mark.parametrize("engine", CORPORA)
def test_five_hundred_tables_are_proven_without_an_alarm(engine: str, tmp_path: Path) -> None:
    """And the judge takes at most 60 seconds of processor time for it, whatever else the machine does."""
    import great_expectations  # noqa: F401 - what importing takes is not the judge's

    with CORPORA[engine].serve() as corpus:
        source = corpus.many_tables(TABLES)
        original = dump_of(source)
        with closing(source.scratch(tmp_path / "scratch")) as scratch:
            copy = scratch.beside("proof")
            with scratch.load(copy, original.server_globals) as load:
                load.write(original.plain)
                load.finish()
            measured = scratch.fingerprint(copy)
            before = resource.getrusage(resource.RUSAGE_SELF)
            verdict = judge_loaded(scratch, copy, original.expected, tmp_path)
            after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{engine}: {TABLES} tables, {len(verdict.checks)} checks judged in {seconds:.1f} s of processor time")
    assert seconds <= JUDGED_SECONDS
    assert TABLES == measured.totals["objects"]
    assert [check for check in verdict.checks if check.state != "pass"] == []
