"""National holidays and collective leave days (cuti bersama) of Indonesia, one committed table per year.

A table is committed and not computed at run time, because a deadline that was shown must not move when a library
is upgraded. `python -m recovery.holiday_tables.generate 2028` writes the next year's table; read it against the
joint ministerial decree (SKB Tiga Menteri) before committing it, and only then set ESTIMATED to False.
"""

from recovery.holiday_tables.table import HolidayTable, holiday_table

__all__ = ["HolidayTable", "holiday_table"]
