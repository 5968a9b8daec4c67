"""Reads the committed table of a year."""

import importlib
from dataclasses import dataclass
from datetime import date
from functools import cache


@dataclass(frozen=True)
class HolidayTable:
    """One year: `days` maps each day off to its name; `estimated` says that the decree was not out yet."""

    year: int
    days: dict[date, str]
    estimated: bool


@cache
def holiday_table(year: int) -> HolidayTable | None:
    """Given a year, return its table, or None when nobody has committed one."""
    name = f"recovery.holiday_tables.year_{year}"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:  # pragma: no cover - a table that imports something; the committed ones hold data only
            raise
        return None
    days = {date.fromisoformat(day): title for day, title in module.DAYS.items()}
    return HolidayTable(year=year, days=days, estimated=module.ESTIMATED)
