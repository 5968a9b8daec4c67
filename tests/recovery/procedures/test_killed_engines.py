"""Our process or the database server dies at every point where both work; the data is whole and the restore ends well.

One test for all engines: an engine that has a class in tests/testbed/engines.py is swept.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recovery.procedures.sweep import Case, Seen, cases_of_engine, sample
from tests.recovery.procedures.sweeper import Sweeper, told
from tests.testbed.engines import ENGINES, first_every_time

SAMPLED = 3


@pytest.fixture(scope="module", params=first_every_time())
def restores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweeper]:
    """An office whose rows are in a server, in which a restore was played once, undisturbed."""
    sweeper = Sweeper("restore", tmp_path_factory.mktemp("restore"), request.param)
    yield sweeper
    sweeper.close()


def played(sweeper: Sweeper, cases: list[Case]) -> list[str]:
    """Play cases and return what went wrong, in words."""
    return [told(case, sweeper.seen(), finding) for case, found in sweeper.run(cases) for finding in found]


def among(seen: Seen, *hows: str) -> list[Case]:
    return [case for case in cases_of_engine(seen) if case.how in hows]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_process_or_the_server_may_die_at_any_point_of_a_restore(
    restores: Sweeper, request: pytest.FixtureRequest
) -> None:
    """A sample; the guard or the next try ends it, with whole old or whole new data, open to connections."""
    seed = int(request.config.getoption("--sweep-seed", default="1"))
    inside = [case for case in among(restores.seen(), "kill", "server") if case.action in ("restore.5", "restore.6")]
    around = [case for case in among(restores.seen(), "server") if case.action in ("restore.3", "restore.4")]
    assert [] == played(restores, [*sample(inside, SAMPLED, seed), *sample(around, 1, seed)])


@pytest.mark.slow
def test_the_points_of_the_engine_are_among_those_that_are_swept(restores: Sweeper) -> None:
    """Without them, nothing above would say anything about the swap of a database."""
    names = restores.seen()["restore"]["restore.5"]["point"]
    kind = next(name for name in names if name.endswith(": before swap")).partition(":")[0]
    assert kind in ENGINES
    for verb in ("prepare", "swap"):
        assert {f"{kind}: before {verb}", f"{kind}: after {verb}"} <= set(names)


@pytest.mark.endurance
@pytest.mark.parametrize("how", ["kill", "server"])
def test_a_restore_survives_a_death_at_each_point(restores: Sweeper, how: str) -> None:
    cases = among(restores.seen(), how)
    print(f"{len(cases)} cases of {how}")
    assert [] == played(restores, cases)


@pytest.mark.endurance
@pytest.mark.parametrize("engine", ENGINES)
def test_a_backup_survives_a_death_at_each_point(engine: str, tmp_path: Path) -> None:
    sweeper = Sweeper("backup", tmp_path / "backup", engine)
    try:
        cases = among(sweeper.seen(), "kill", "server")
        print(f"{len(cases)} cases")
        assert [] == played(sweeper, cases)
    finally:
        sweeper.close()
