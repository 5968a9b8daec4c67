"""Numbers of forms: without gaps, also after a roll-back and among several processes, and anew every year in WIB."""

from datetime import UTC, datetime

import pytest

from recovery.errors import ConfigurationError, RecordsError
from recovery.records.catalog import Catalog
from recovery.records.numbers import check_pattern, next_number
from recovery.settings import NumberPatterns
from tests.recovery.records.workers import number_ten_forms, run_together

PATTERN = NumberPatterns().backup
MOMENT = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def _next(catalog: Catalog, moment: datetime = MOMENT, series: str = "backup") -> str:
    with catalog.begin() as connection:
        return next_number(connection, series, PATTERN, moment)


def test_numbers_follow_each_other_in_each_series(catalog: Catalog) -> None:
    """As the office's register demands."""
    assert _next(catalog) == "001/FPB/KOMINFO/XI/2026"
    assert _next(catalog) == "002/FPB/KOMINFO/XI/2026"
    assert _next(catalog, series="restore") == "001/FPB/KOMINFO/XI/2026"
    assert _next(catalog, datetime(2026, 12, 1, tzinfo=UTC)) == "003/FPB/KOMINFO/XII/2026"


def test_a_rolled_back_form_leaves_no_gap(catalog: Catalog) -> None:
    """The number is given in the transaction that stores the form."""
    _next(catalog)
    with pytest.raises(KeyError), catalog.begin() as connection:
        assert next_number(connection, "backup", PATTERN, MOMENT) == "002/FPB/KOMINFO/XI/2026"
        raise KeyError("x")
    assert _next(catalog) == "002/FPB/KOMINFO/XI/2026"


def test_the_year_changes_at_midnight_in_wib(catalog: Catalog) -> None:
    """Seven hours before it changes in UTC."""
    _next(catalog)
    before = datetime(2026, 12, 31, 16, 59, 59, 999999, tzinfo=UTC)
    after = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
    assert _next(catalog, before) == "002/FPB/KOMINFO/XII/2026"
    assert _next(catalog, after) == "001/FPB/KOMINFO/I/2027"
    assert _next(catalog, before) == "003/FPB/KOMINFO/XII/2026"


@pytest.mark.slow
def test_processes_that_number_at_once_leave_neither_gap_nor_double(catalog: Catalog, catalog_url: str) -> None:
    """Four workers, some of whose forms are rolled back."""
    assert run_together(number_ten_forms, catalog_url) == [0, 0, 0, 0]
    assert _next(catalog) == "025/FPB/KOMINFO/XI/2026"


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("{sequence}/{month}", "without {sequence} and {year} numbers repeat"),
        ("{year}", "without {sequence} and {year} numbers repeat"),
        ("{sequence}/{year}/{unit}", "it names unit"),
        ("{sequence}/{year}/{}", "it names a field without a name"),
        ("{sequence:%Y}/{year}", "Invalid format specifier"),
        ("{sequence", "expected '}' before end of string"),
    ],
)
def test_a_pattern_that_cannot_number_forms_is_refused(pattern: str, reason: str) -> None:
    """Before the first form, not at the second one."""
    with pytest.raises(ConfigurationError) as caught:
        check_pattern(pattern)
    assert f"the number pattern {pattern!r} cannot be used: {reason}" in str(caught.value)


def test_a_moment_without_a_zone_is_refused(catalog: Catalog) -> None:
    """It could lie in another year."""
    with pytest.raises(RecordsError, match="has no zone"):
        _next(catalog, datetime(2026, 1, 1))  # noqa: DTZ001


def test_all_default_patterns_number_forms() -> None:
    """The settings' own."""
    for pattern in NumberPatterns().model_dump().values():
        check_pattern(pattern)
