"""Working days, deadlines and Indonesian text for times and amounts."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery import calendar
from recovery.errors import RecordsError
from recovery.holiday_tables import holiday_table
from recovery.holiday_tables.generate import generate
from recovery.holiday_tables.table import __file__ as table_file


def test_a_moment_is_shown_in_wib_with_day_and_dots():
    """The SOP's form of a time, after conversion from UTC."""
    expected = "Jumat, 20 November 2026 pukul 22.00.03 WIB"
    assert expected == calendar.format_moment("2026-11-20T15:00:03.999999+00:00")
    assert expected == calendar.format_moment(datetime(2026, 11, 20, 15, 0, 3, tzinfo=UTC))


def test_a_moment_late_in_the_utc_day_is_the_next_day_in_wib():
    """The day, and even the year, are those of WIB."""
    assert "Jumat, 1 Januari 2027 pukul 00.30.00 WIB" == calendar.format_moment("2026-12-31T17:30:00+00:00")
    assert "1 Januari 2027" == calendar.format_date("2026-12-31T17:30:00+00:00")


def test_a_plain_date_is_not_shifted():
    """A date without a time has no zone to convert from."""
    assert "20 November 2026" == calendar.format_date("2026-11-20")
    assert "Jumat, 20 November 2026" == calendar.format_day(date(2026, 11, 20))


def test_a_date_gets_no_time_and_a_moment_keeps_its_own():
    """Officials fill in days, and the system knows moments."""
    assert ["20 November 2026", "Jumat, 20 November 2026 pukul 22.00.03 WIB", "–"] == [
        calendar.format_date_or_moment(text) for text in ("2026-11-20", "2026-11-20T15:00:03+00:00", "")
    ]


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_is_shown_as_a_dash(nothing):
    """An empty value is printed, so that nobody can fill it in later unseen."""
    assert ["–"] * 4 == [
        calendar.format_moment(nothing),
        calendar.format_date(nothing),
        calendar.format_day(nothing),
        calendar.format_period(nothing, nothing),
    ]


def test_a_time_without_a_zone_is_refused():
    """It could be seven hours off."""
    with pytest.raises(RecordsError) as caught:
        calendar.format_moment("2026-11-20T15:00:03")
    assert "the time 2026-11-20T15:00:03 has no zone\nHINT: Keep times in UTC with +00:00." == str(caught.value)


@pytest.mark.parametrize("text", ["besok", "2026-13-40", "2026-11-20T99:00:00+00:00"])
def test_text_that_is_no_time_is_refused(text):
    """The error names the text."""
    with pytest.raises(RecordsError, match="is not a"):
        calendar.format_date(text)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (
            "2026-11-20T15:00:03+00:00",
            "2026-11-20T15:03:07+00:00",
            "Jumat, 20 November 2026 pukul 22.00.03–22.03.07 WIB (3 menit 4 detik)",
        ),
        (
            "2026-11-20T16:59:00+00:00",
            "2026-11-20T17:00:00+00:00",
            "Jumat, 20 November 2026 pukul 23.59.00 WIB – Sabtu, 21 November 2026 pukul 00.00.00 WIB (1 menit)",
        ),
        ("2026-11-20T15:00:03+00:00", "", "Jumat, 20 November 2026 pukul 22.00.03 WIB – belum selesai"),
        ("", "2026-11-20T15:00:03+00:00", "selesai Jumat, 20 November 2026 pukul 22.00.03 WIB"),
    ],
)
def test_a_period_shows_begin_end_and_length(begin, end, expected):
    """The end's day is written when it differs."""
    assert expected == calendar.format_period(begin, end)


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (1234.5, None, "1.234,5"),
        (1234567, None, "1.234.567"),
        (0, None, "0"),
        (-1234.0, None, "-1.234"),
        (2, 1, "2,0"),
    ],
)
def test_numbers_are_written_the_indonesian_way(value, decimals, expected):
    """Dots group thousands, a comma begins the decimals."""
    assert expected == calendar.format_number(value, decimals)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 byte"),
        (1023, "1.023 byte"),
        (1024, "1 KiB"),
        (1610612736, "1,5 GiB"),
        (1024**2 - 1, "1 MiB"),
        (5 * 1024**5, "5 PiB"),
        (5000 * 1024**5, "5.000 PiB"),
    ],
)
def test_sizes_are_written_in_the_largest_fitting_unit(size, expected):
    """One digit after the comma, none when it would be zero."""
    assert expected == calendar.format_bytes(size)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 detik"),
        (0.42, "0,4 detik"),
        (9.96, "10 detik"),
        (59.6, "1 menit"),
        (184, "3 menit 4 detik"),
        (3600, "1 jam"),
        (93784, "1 hari 2 jam 3 menit 4 detik"),
        (-184, "minus 3 menit 4 detik"),
        (timedelta(minutes=3), "3 menit"),
    ],
)
def test_durations_are_written_in_words(seconds, expected):
    """Rounded to whole seconds from ten seconds on."""
    assert expected == calendar.format_duration(seconds)


@pytest.mark.parametrize(
    ("opened_at", "counting", "expected"),
    [
        # Friday 22.00 WIB to Monday 16.00 WIB.
        ("2026-11-20T15:00:03+00:00", "kerja", "2026-11-23T09:00:00+00:00"),
        ("2026-11-20T15:00:03+00:00", "kalender", "2026-11-21T09:00:00+00:00"),
        # Tuesday 17 March: the 18th to the 24th are leave, Nyepi, leave, weekend and Idul Fitri.
        ("2026-03-17T02:00:00+00:00", "kerja", "2026-03-25T09:00:00+00:00"),
        # Wednesday 23 December: leave, Christmas, weekend.
        ("2026-12-23T02:00:00+00:00", "kerja", "2026-12-28T09:00:00+00:00"),
        # 17.30 UTC on Thursday is already Friday in WIB.
        ("2026-11-19T17:30:00+00:00", "kerja", "2026-11-23T09:00:00+00:00"),
    ],
)
def test_the_deadline_is_the_end_of_office_hours_on_the_next_day(opened_at, counting, expected):
    """One working day, or one calendar day where the office chose so."""
    assert expected == calendar.deadline(opened_at, counting).isoformat()


def test_several_days_count_only_working_days():
    """Two working days from a Thursday end on Monday."""
    assert "2026-11-23T09:00:00+00:00" == calendar.deadline("2026-11-19T02:00:00+00:00", days=2).isoformat()


def test_an_unknown_way_of_counting_is_refused():
    """A typing mistake is no calendar."""
    with pytest.raises(RecordsError, match="'kerjaan' is not a way to count days"):
        calendar.deadline("2026-11-19T02:00:00+00:00", "kerjaan")


@given(st.integers(min_value=0, max_value=5 * 365 * 86400))
def test_a_deadline_is_a_working_day_at_sixteen_in_wib_and_later(seconds):
    """For any moment from 2025 to 2029, with or without a table."""
    opened_at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    end = calendar.to_wib(calendar.deadline(opened_at))
    assert end > opened_at
    assert end.date() > calendar.to_wib(opened_at).date()
    assert calendar.is_working_day(end.date())
    assert (16, 0, 0) == (end.hour, end.minute, end.second)


def test_2026_has_its_seventeen_holidays_and_eight_leave_days():
    """As decreed."""
    table = holiday_table(2026)
    leave = [day for day, name in table.days.items() if name.startswith("Cuti Bersama")]
    assert (25, 8, False) == (len(table.days), len(leave), table.estimated)
    assert "Hari Kemerdekaan Republik Indonesia" == calendar.holiday_name(date(2026, 8, 17))
    assert not calendar.is_working_day(date(2026, 8, 17))
    assert calendar.is_working_day(date(2026, 8, 18))


@pytest.mark.parametrize("year", [2025, 2026])
def test_decreed_tables_agree_with_the_holidays_package(year):
    """The committed text is what the generator writes."""
    committed = Path(table_file).with_name(f"year_{year}.py").read_text(encoding="utf-8")
    assert generate(year) == committed


def test_an_estimated_year_warns():
    """Its dates may move when the decree comes out."""
    assert ("", "") == calendar.warning(2026)
    assert ("the holiday table for 2027 is an estimate", "compare it with the decree (SKB Tiga Menteri)") == (
        calendar.warning(2027)
    )


def test_a_year_without_a_table_warns_and_counts_monday_to_friday():
    """A missing table never stops a procedure."""
    assert calendar.warning(2030) == (
        "there is no holiday table for 2030: every Monday to Friday counts as a working day",
        "add one with `python -m recovery.holiday_tables.generate 2030`",
    )
    assert calendar.is_working_day(date(2030, 1, 1))
    assert not calendar.is_working_day(date(2030, 1, 5))
