"""Every point that the code declares is played by a sweep: a new one needs nobody who remembers it."""

from tests.recovery.procedures.playing import KINDS
from tests.recovery.swept_points import ELSEWHERE, ENGINES, ROOT, SWEEPS, declared, sweep_of
from tests.recovery.works import WORKS


def test_every_point_belongs_to_a_sweep() -> None:
    """One whose name begins as no other does is found here; each sweep's own test finds one that it does not reach."""
    points = declared()
    assert len(points) > 60
    assert [] == sorted(point for point in points if not sweep_of(point))
    assert set(SWEEPS.values()) <= {*KINDS, *(work.title for work in WORKS)}


def test_what_other_offices_have_is_killed_where_it_is_said_to_be() -> None:
    """A point or a test that is gone takes its line along."""
    assert [] == sorted(point for point in ELSEWHERE if point not in declared())
    assert [] == sorted(test for test in ELSEWHERE.values() if not (ROOT / test).is_file())
    # The test of the engines asks its clean run for their points.
    named = {point: test for point, test in ELSEWHERE.items() if test != ENGINES}
    assert [] == sorted(point for point, test in named.items() if point.rstrip("*") not in (ROOT / test).read_text())
    assert [] == sorted(start for start in SWEEPS if not any(point.startswith(start) for point in declared()))
