"""Cron expressions: what is accepted, what is refused, and which months they cover."""

from datetime import datetime

import pytest

from recovery.cron import check_cron, last_due, months_covered
from recovery.errors import ConfigurationError

ALL = frozenset(range(1, 13))


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 22 * * *", ALL),
        ("*/15 0-6/2 1,15 * *", ALL),
        ("0 22 28 * *", ALL),
        ("0 22 31 * *", frozenset({1, 3, 5, 7, 8, 10, 12})),
        ("0 22 29 2 *", frozenset()),
        ("0 22 1 jan,jul *", frozenset({1, 7})),
        ("0 22 31 * mon", ALL),
        ("0 22 * 3-5 sun", frozenset({3, 4, 5})),
        ("0 22 * * 7", ALL),
    ],
)
def test_the_months_in_which_a_schedule_runs_every_year(cron: str, expected: frozenset[int]) -> None:
    check_cron(cron)
    assert expected == months_covered(cron)


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 22 * *", "'0 22 * *' has 4 fields instead of 5"),
        ("0 0 22 * * *", "'0 0 22 * * *' has 6 fields instead of 5"),
        ("@monthly", "'@monthly' has 1 fields instead of 5"),
        ("60 22 * * *", "the minute '60' of the cron expression is not valid: 60 is not between 0 and 59"),
        ("0 24 * * *", "the hour '24' of the cron expression is not valid: 24 is not between 0 and 23"),
        ("0 22 0 * *", "the day of the month '0' of the cron expression is not valid: 0 is not between 1 and 31"),
        ("0 22 L * *", "the day of the month 'L' of the cron expression is not valid: 'L' is no number"),
        ("0 22 * * 5-1", "the day of the week '5-1' of the cron expression is not valid: the range 5-1 runs backwards"),
        ("0 22 * 13 *", "the month '13' of the cron expression is not valid: 13 is not between 1 and 12"),
        (
            "0/5 * * * *",
            "the minute '0/5' of the cron expression is not valid: a step needs a range before it, as in 0-30/10",
        ),
        ("*/0 * * * *", "the minute '*/0' of the cron expression is not valid: 0 is not between 1 and 59"),
        ("1, * * * *", "the minute '1,' of the cron expression is not valid: '' is no number"),
        ("٣ * * * *", "the minute '٣' of the cron expression is not valid: '٣' is no number"),
        ("0 22 30 2 *", "'0 22 30 2 *' names a day that none of its months has"),
        ("0 22 31 4,6,9,11 *", "'0 22 31 4,6,9,11 *' names a day that none of its months has"),
    ],
)
def test_what_programs_would_read_differently_or_never_run_is_refused(cron: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_cron(cron)
    assert expected == caught.value.message


@pytest.mark.parametrize(
    ("cron", "moment", "expected"),
    [
        pytest.param("0 22 20 * *", "2026-11-20T22:00+07:00", "2026-11-20T22:00+07:00", id="at the time itself"),
        pytest.param("0 22 20 * *", "2026-11-20T21:59+07:00", "2026-10-20T22:00+07:00", id="a minute before"),
        pytest.param("0 22 20 * *", "2026-11-20T15:00+00:00", "2026-11-20T22:00+07:00", id="times are those of WIB"),
        pytest.param("0 6 1 * *", "2026-10-31T23:30+00:00", "2026-11-01T06:00+07:00", id="the day is that of WIB"),
        pytest.param("0 22 31 * *", "2026-11-30T23:00+07:00", "2026-10-31T22:00+07:00", id="a month without that day"),
        pytest.param("0 22 29 2 *", "2027-06-01T00:00+07:00", "2024-02-29T22:00+07:00", id="a leap year's day"),
        pytest.param("0 22 * * sun", "2026-11-20T22:00+07:00", "2026-11-15T22:00+07:00", id="a weekday"),
        pytest.param("0 22 * * 7", "2026-11-20T22:00+07:00", "2026-11-15T22:00+07:00", id="Sunday is also 7"),
        pytest.param("0 22 1 * fri", "2026-11-20T21:00+07:00", "2026-11-13T22:00+07:00", id="either day, when both"),
        pytest.param("*/15 8-16 * * *", "2026-11-20T12:44+07:00", "2026-11-20T12:30+07:00", id="many times a day"),
        pytest.param("*/15 8-16 * * *", "2026-11-20T07:59+07:00", "2026-11-19T16:45+07:00", id="the day before"),
        pytest.param("0 22 30 2 *", "2026-11-20T12:44+07:00", None, id="never"),
    ],
)
def test_the_last_time_at_which_a_schedule_was_to_run(cron: str, moment: str, expected: str | None) -> None:
    found = last_due(cron, datetime.fromisoformat(moment))
    assert (expected and datetime.fromisoformat(expected)) == found
