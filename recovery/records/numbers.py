"""Numbers of forms: one sequence for each series and year, without gaps, as an office's register demands."""

import string
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from recovery.calendar import to_wib
from recovery.errors import ConfigurationError
from recovery.records.schema import number_sequences

MONTHS_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
FIELDS = frozenset({"sequence", "month_roman", "month", "year"})


def next_number(connection: Connection, series: str, pattern: str, moment: datetime) -> str:
    """Given a series and its pattern, return the next number of the year (in WIB) in which `moment` lies.

    Call it in the transaction that stores the form: when that is rolled back, so is the number, and no gap stays.
    Raises ConfigurationError for a pattern that would repeat numbers, RecordsError for a moment without a zone.
    """
    check_pattern(pattern)
    local = to_wib(moment)
    this = (number_sequences.c.series == series) & (number_sequences.c.year == local.year)
    last = connection.execute(select(number_sequences.c.last).where(this)).scalar()
    sequence = 1 if last is None else last + 1
    if last is None:
        connection.execute(insert(number_sequences).values(series=series, year=local.year, last=sequence))
    else:
        connection.execute(update(number_sequences).where(this).values(last=sequence))
    return pattern.format(
        sequence=sequence, month_roman=MONTHS_ROMAN[local.month - 1], month=local.month, year=local.year
    )


def skip(connection: Connection, series: str, year: int, count: int) -> None:
    """Given a series, a year and how many numbers may be taken without the records knowing it, never give those."""
    this = (number_sequences.c.series == series) & (number_sequences.c.year == year)
    last = connection.execute(select(number_sequences.c.last).where(this)).scalar()
    if last is None:
        connection.execute(insert(number_sequences).values(series=series, year=year, last=count))
    else:
        connection.execute(update(number_sequences).where(this).values(last=last + count))


def check_pattern(pattern: str) -> None:
    """Given a pattern, return when it numbers forms without repeating. Raises ConfigurationError that says why not."""
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
        if not named <= FIELDS:
            raise _bad(pattern, f"it names {', '.join(sorted(named - FIELDS)) or 'a field without a name'}")
        if not {"sequence", "year"} <= named:
            raise _bad(pattern, "without {sequence} and {year} numbers repeat")
        pattern.format(sequence=1, month_roman="I", month=1, year=2026)
    except (ValueError, KeyError, IndexError) as error:
        raise _bad(pattern, str(error)) from error


def _bad(pattern: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the number pattern {pattern!r} cannot be used: {reason}",
        state="no number was given",
        hint="use {sequence:03d}, {month_roman}, {month} and {year}",
    )
