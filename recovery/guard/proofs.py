"""Whether every component has a proof young enough. Silence is what this alarms about: nobody notices a backup that
did not happen. Never, failing and stale are never merged: each is mended by something else."""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery.calendar import format_moment, to_wib
from recovery.cron import last_due
from recovery.guard.report import Alarm, Report
from recovery.installation import Installation
from recovery.records import backups, schema, steps
from recovery.settings import ScheduleSettings

# The SOP's time standard for each step of a backup: so much later than its time a scheduled backup is missing.
GRACE = timedelta(days=1)


def look_at_proofs(installation: Installation, now: datetime, report: Report) -> None:
    """Raise an alarm for each component that was never proven, whose last backup failed, or whose proof is too old."""
    schedules: dict[str, list[ScheduleSettings]] = defaultdict(list)
    for schedule in installation.schedules.values():
        for name in schedule.applications:
            schedules[name].append(schedule)
    with installation.catalog.read() as connection:
        for application in installation.applications.values():
            for component in application.components:
                key = f"{application.name}/{component.name}"
                newest = backups.newest_verified(connection, application.name, component.name)
                for alarm in (
                    _failing(connection, key),
                    _never(key) if newest is None else _stale(key, newest, schedules[application.name], now),
                ):
                    if alarm is not None:
                        report.alarm(alarm)
            if not schedules[application.name]:
                report.alarm(_unscheduled(application.name))


def _never(key: str) -> Alarm:
    return Alarm("never", key, "has no verified backup at all", "start a backup of its schedule now, with a reason")


def _unscheduled(application: str) -> Alarm:
    return Alarm("unscheduled", application, "stands in no schedule", "add it to one in the inventory and apply")


def _failing(connection: Connection, key: str) -> Alarm | None:
    """Its newest backup failed in one of the steps 1 to 4, whatever older proof there is."""
    row = steps.newest_failure(connection, key)
    if row is None:
        return None
    message = f"its last backup failed: {row.error}"
    mend = "mend the cause and retry the run, or start a backup with 'Mengulang' once its form is out"
    return Alarm("failing", key, message, mend, row.ended_at or "")


def _stale(key: str, newest: backups.Backup, schedules: list[ScheduleSettings], now: datetime) -> Alarm | None:
    missed = [due for schedule in schedules if (due := last_due(schedule.cron, now - GRACE)) is not None]
    due = max((moment for moment in missed if schema.timestamp(moment) > newest.moment), default=None)
    if due is None:
        return None
    last, local = to_wib(newest.moment), to_wib(now)
    # The SOP's floor is the month; within it, the schedule's own times count.
    when = (
        "this month"
        if (last.year, last.month) < (local.year, local.month) == (due.year, due.month)
        else f"since {format_moment(due)}, when its schedule wanted one"
    )
    return Alarm(
        "stale",
        key,
        f"has no verified backup {when}; the newest is of {format_moment(newest.moment)}",
        "see in the Prefect UI why the schedule's run is missing or unfinished (worker? server? paused?)",
        newest.moment,
    )
