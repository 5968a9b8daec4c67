"""Working days, deadlines, and how times, durations and amounts are written for Indonesian officials.

Times are kept in UTC and shown in WIB (Asia/Jakarta, which has no daylight saving time).
"""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

from recovery.errors import RecordsError
from recovery.holiday_tables import holiday_table

Counting = Literal["kerja", "kalender"]

WIB = timezone(timedelta(hours=7), "WIB")

# Office hours end at 16.00 from Monday to Thursday and at 16.30 on Friday (Perpres 21/2023: 37 h 30 min a week from
# 07.30). We take 16.00 on every day: a deadline that is half an hour early is never missed because the office closed.
END_OF_OFFICE_HOURS = time(16, 0)

EMPTY = "–"

DAY_NAMES = ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu")
MONTH_NAMES = (
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
)

_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def to_wib(moment: datetime | str) -> datetime:
    """Given a moment (aware datetime or ISO 8601 text with zone), return it in WIB.

    Raises RecordsError for text that is no time, and for a time without a zone: it could be seven hours off.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise RecordsError(
                f"{moment!r} is not a time", hint="Give ISO 8601, as in 2026-11-20T15:00:03+00:00."
            ) from error
    if moment.tzinfo is None:
        raise RecordsError(f"the time {moment.isoformat()} has no zone", hint="Keep times in UTC with +00:00.")
    return moment.astimezone(WIB)


def to_date(day: date | datetime | str) -> date:
    """Given a date, a moment, or either as ISO 8601 text, return the day that it is in WIB."""
    if isinstance(day, str) and _PLAIN_DATE.fullmatch(day):
        try:
            return date.fromisoformat(day)
        except ValueError as error:
            raise RecordsError(f"{day!r} is not a day of the calendar", hint="Give YYYY-MM-DD.") from error
    if isinstance(day, date) and not isinstance(day, datetime):
        return day
    return to_wib(day).date()


def format_date(day: date | datetime | str | None) -> str:
    """Given a day, return "20 November 2026"; nothing gives "–"."""
    if day is None or day == "":
        return EMPTY
    value = to_date(day)
    return f"{value.day} {MONTH_NAMES[value.month - 1]} {value.year}"


def format_day(day: date | datetime | str | None) -> str:
    """Given a day, return "Jumat, 20 November 2026"; nothing gives "–"."""
    if day is None or day == "":
        return EMPTY
    value = to_date(day)
    return f"{DAY_NAMES[value.weekday()]}, {format_date(value)}"


def format_time(moment: datetime | str) -> str:
    """Given a moment, return "22.00.03 WIB"."""
    return f"{to_wib(moment):%H.%M.%S} WIB"


def format_moment(moment: datetime | str | None) -> str:
    """Given a moment, return "Jumat, 20 November 2026 pukul 22.00.03 WIB"; nothing gives "–"."""
    if moment is None or moment == "":
        return EMPTY
    return f"{format_day(to_wib(moment))} pukul {format_time(moment)}"


def format_date_or_moment(text: str) -> str:
    """Given an ISO date or an ISO moment, return it as officials read it, without a time when it has none."""
    return format_moment(text) if "T" in text else format_date(text)


def format_period(begin: datetime | str | None, end: datetime | str | None) -> str:
    """Given the begin and end of something, return both and how long it took.

    The day of the end is written only when it differs. A missing end is said: it is a fact about the work.
    """
    if begin is None or begin == "":
        return EMPTY if end is None or end == "" else f"selesai {format_moment(end)}"
    if end is None or end == "":
        return f"{format_moment(begin)} – belum selesai"
    first, last = to_wib(begin), to_wib(end)
    length = format_duration((last - first).total_seconds())
    if first.date() == last.date():
        return f"{format_day(first)} pukul {first:%H.%M.%S}–{format_time(last)} ({length})"
    return f"{format_moment(first)} – {format_moment(last)} ({length})"


def format_number(value: int | float, decimals: int | None = None) -> str:
    """Given a number, return it as Indonesian text: "1.234,5".

    `decimals` fixes the digits after the comma; without it an integer has none, and a float drops trailing zeros.
    """
    if decimals is not None:
        text = f"{value:,.{decimals}f}"
    elif isinstance(value, int):
        text = f"{value:,d}"
    else:
        text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return text.translate(str.maketrans(",.", ".,"))


def format_bytes(size: int) -> str:
    """Given a number of bytes, return it with one digit after the comma in the largest fitting unit: "1,5 GiB"."""
    if abs(size) < 1024:
        return f"{format_number(size)} byte"
    value, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB", "PiB"):
        # 1023,95 would be rounded to "1.024,0" of this unit; the next unit says it better.
        if abs(value) < 1023.95:
            break
        value, unit = value / 1024, larger
    return f"{_without_zero(format_number(value, 1))} {unit}"


def format_duration(length: float | timedelta) -> str:
    """Given seconds or a timedelta, return "3 menit 4 detik"; below ten seconds with one digit after the comma."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 0:
        return f"minus {format_duration(-seconds)}"
    # 9,95 would be rounded to "10,0".
    if seconds < 9.95:
        return f"{_without_zero(format_number(seconds, 1))} detik"
    rest = round(seconds)
    words = []
    for unit, length_of_unit in (("hari", 86400), ("jam", 3600), ("menit", 60), ("detik", 1)):
        amount, rest = divmod(rest, length_of_unit)
        if amount:
            words.append(f"{format_number(amount)} {unit}")
    return " ".join(words)


def _without_zero(text: str) -> str:
    return text.removesuffix(",0")


def holiday_name(day: date) -> str:
    """Given a day, return the name of the holiday or collective leave on it, or ""."""
    table = holiday_table(day.year)
    return table.days.get(day, "") if table else ""


def is_working_day(day: date) -> bool:
    """Given a day, say whether offices work: Monday to Friday, less national holidays and cuti bersama.

    A year without a table has no holidays here; `warning` says so.
    """
    return day.weekday() < 5 and not holiday_name(day)


def deadline(
    opened_at: datetime | str,
    counting: Counting = "kerja",
    *,
    days: int = 1,
    end_of_office_hours: time = END_OF_OFFICE_HOURS,
) -> datetime:
    """Given when a step opened, return its deadline in UTC: the end of office hours, `days` days later.

    The SOP's time standard of every step is "1 hari"; we read it as one working day (`counting` "kerja") or, where
    the office chose so, as one calendar day ("kalender"). The day on which the step opens is never counted.
    """
    if counting not in ("kerja", "kalender"):
        raise RecordsError(f"{counting!r} is not a way to count days", hint="Use 'kerja' or 'kalender'.")
    day = to_wib(opened_at).date()
    for _ in range(days):
        day += timedelta(days=1)
        while counting == "kerja" and not is_working_day(day):
            day += timedelta(days=1)
    return datetime.combine(day, end_of_office_hours, WIB).astimezone(UTC)


def warning(year: int) -> tuple[str, str]:
    """Given a year, return what is doubtful about its working days and what to do; two "" when its table follows the
    decree."""
    table = holiday_table(year)
    if table is None:
        return (
            f"there is no holiday table for {year}: every Monday to Friday counts as a working day",
            f"add one with `python -m recovery.holiday_tables.generate {year}`",
        )
    if table.estimated:
        return f"the holiday table for {year} is an estimate", "compare it with the decree (SKB Tiga Menteri)"
    return "", ""
