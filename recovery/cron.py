"""Cron expressions of schedules: a strict five-field form that means the same everywhere.

Extensions in which programs differ (`L`, `#`, `?`, `@monthly`, seconds, random and hashed fields) are refused.
"""

from datetime import datetime, time, timedelta

from recovery.calendar import WIB, to_wib
from recovery.errors import ConfigurationError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORTEST_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS)}),
)


def months_covered(cron: str) -> frozenset[int]:
    """Given a cron expression, return the months (1–12) in which it runs in every year.

    The SOP wants a backup in each month (its warning 2), and "0 22 31 * *" misses five of them.
    Raises ConfigurationError when the expression is not valid.
    """
    texts, values = _parse(cron)
    days, months = values[2], values[3]
    # Cron's rule: when both day fields are restricted, either one is enough; every month has every weekday.
    if texts[4] != "*":
        return frozenset(months)
    return frozenset(month for month in months if min(days) <= _SHORTEST_MONTHS[month - 1])


def check_cron(cron: str) -> None:
    """Given a cron expression, raise ConfigurationError when it is not valid or would never run."""
    texts, values = _parse(cron)
    if texts[4] == "*" and all(min(values[2]) > _days_at_most(month) for month in values[3]):
        raise ConfigurationError(
            f"{cron!r} names a day that none of its months has",
            state="nothing would ever run",
            hint="choose a day that exists; day 1 to 28 exists in every month",
        )


def last_due(cron: str, moment: datetime) -> datetime | None:
    """Given a cron expression and a moment, return the last time at or before it at which it was to run, in WIB.

    None when there was none in the eight years before. Raises ConfigurationError when the expression is not valid.
    """
    texts, (minutes, hours, days, months, weekdays) = _parse(cron)
    local = to_wib(moment)
    for age in range(8 * 366):
        day = local.date() - timedelta(days=age)
        by_day, by_weekday = day.day in days, day.isoweekday() % 7 in {number % 7 for number in weekdays}
        # Cron's rule: when both day fields are restricted, either one is enough.
        either = texts[2] != "*" and texts[4] != "*"
        if day.month not in months or not (by_day or by_weekday if either else by_day and by_weekday):
            continue
        times = (datetime.combine(day, time(hour, minute), WIB) for hour in hours for minute in minutes)
        due = max((each for each in times if each <= local), default=None)
        if due is not None:
            return due
    return None


def _days_at_most(month: int) -> int:
    return 29 if month == 2 else _SHORTEST_MONTHS[month - 1]


def _parse(cron: str) -> tuple[list[str], list[set[int]]]:
    texts = cron.split()
    if len(texts) != len(_FIELDS):
        raise ConfigurationError(
            f"{cron!r} has {len(texts)} fields instead of 5",
            state="nothing was scheduled",
            hint="write minute, hour, day of the month, month and day of the week, for example '0 22 1 * *'",
        )
    return texts, [
        _field(text, title, lowest, highest, names)
        for text, (title, lowest, highest, names) in zip(texts, _FIELDS, strict=True)
    ]


def _field(text: str, title: str, lowest: int, highest: int, names: dict[str, int]) -> set[int]:
    values: set[int] = set()
    for part in text.split(","):
        interval, slash, step_text = part.partition("/")
        first_text, dash, last_text = interval.partition("-")
        if interval == "*":
            first, last = lowest, highest
        else:
            first = _number(first_text, text, title, lowest, highest, names)
            last = _number(last_text, text, title, lowest, highest, names) if dash else first
        if slash and not (interval == "*" or dash):
            raise _refused(text, title, "a step needs a range before it, as in 0-30/10")
        if last < first:
            raise _refused(text, title, f"the range {interval} runs backwards")
        step = _number(step_text, text, title, 1, highest, {}) if slash else 1
        values.update(range(first, last + 1, step))
    return values


def _number(part: str, text: str, title: str, lowest: int, highest: int, names: dict[str, int]) -> int:
    if part.lower() in names:
        return names[part.lower()]
    if not (part.isascii() and part.isdigit()):
        raise _refused(text, title, f"{part!r} is no number")
    if not lowest <= int(part) <= highest:
        raise _refused(text, title, f"{part} is not between {lowest} and {highest}")
    return int(part)


def _refused(text: str, title: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the {title} {text!r} of the cron expression is not valid: {why}",
        state="nothing was scheduled",
        hint="write numbers, lists (1,15), ranges (1-5), steps (*/10) or *",
    )
