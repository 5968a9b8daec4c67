"""Alarms as people read them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recovery.guard.report import Alarm

INDENT = " " * len("ALARM ")


def alarm_lines(alarms: "Iterable[Alarm]") -> list[str]:
    """Given alarms, return their lines."""
    lines = []
    for alarm in alarms:
        lines.append(f"ALARM {alarm.kind}: {alarm.subject}: {alarm.message}")
        lines += [f"{INDENT}HINT: {alarm.mend}"] if alarm.mend else []
    return lines
