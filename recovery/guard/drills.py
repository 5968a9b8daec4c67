"""Drills: whether every component has one young enough, and ending those whose process died.

A bad copy, a copy that could not be looked at, no drill, and an old drill are never merged: each is mended by something
else.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.guard.report import Action, Alarm, Kind, Report
from recovery.installation import Installation
from recovery.procedures.drill_conclude import INTERRUPTED
from recovery.records import backups, drills, leases, procedures, schema
from recovery.records.drills import Drilled
from recovery.settings import ScheduleSettings

CLOSED = "guard.drill_closed"
# What is younger may still be worked on or retried; so much later a drill that is to follow a backup is missing.
GRACE = timedelta(days=1)
AGAIN = "`pulih drill {key}` drills it now"

_KINDS: dict[str, Kind] = {"fail": "drill-failed", "error": "drill-error"}


def drill_alarms(installation: Installation, connection: Connection, now: datetime) -> list[Alarm]:
    """Given the time by which ages are judged, return the alarms about drills, at most two for each component."""
    schedules: dict[str, list[ScheduleSettings]] = defaultdict(list)
    for schedule in installation.schedules.values():
        for name in schedule.applications:
            if schedule.drill.cron or schedule.drill.after_backup:
                schedules[name].append(schedule)
    found: list[Alarm | None] = []
    for application in installation.applications.values():
        for component in application.components:
            key = f"{application.name}/{component.name}"
            made = drills.of_component(connection, key)
            found.append(_not_passed(key, made))
            found.append(_freshness(connection, key, made, schedules[application.name], now))
    return [alarm for alarm in found if alarm is not None]


def settle_drills(installation: Installation, now: datetime, report: Report) -> None:
    """Close each drill that was begun a day ago and on which nobody works; its scratch is swept with it."""
    with installation.catalog.read() as connection:
        working = {lease["holder"] for lease in leases.list_leases(connection) if not lease["expired"]}
        left = [
            procedure.id
            for procedure in procedures.list_open(connection, drills.KIND)
            if procedure.id not in working and procedure.opened_at < schema.timestamp(now - GRACE)
        ]
    for procedure_id in left:
        procedures.close_procedure(installation.catalog, procedure_id, INTERRUPTED)
        message = f"closed the drill {procedure_id}, whose process died"
        report.did(installation.catalog, Action(CLOSED, message, procedure_id))


def _not_passed(key: str, made: list[Drilled]) -> Alarm | None:
    if not made or made[-1].passed:
        return None
    newest = made[-1]
    what = "found the copy bad" if newest.verdict == "fail" else "could not look at the copy"
    message = f"its last drill {what} in {newest.store or 'any store'}: {newest.error}"
    mend = (
        "`pulih verify` says which copy is good; take a new backup, then drill it"
        if newest.verdict == "fail"
        else f"mend what kept the drill from looking; {AGAIN.format(key=key)}"
    )
    return Alarm(_KINDS[newest.verdict], key, message, mend, newest.ended_at)


def _freshness(
    connection: Connection, key: str, made: list[Drilled], schedules: list[ScheduleSettings], now: datetime
) -> Alarm | None:
    application, _, component = key.partition("/")
    secured = [
        backup
        for backup in backups.list_backups(connection, application)
        if backup.component == component and backup.state == "secured"
    ]
    if not schedules or not secured:
        # Without a backup there is nothing to drill; that there is none is an alarm of its own.
        return None
    limit = schema.timestamp(now - timedelta(days=min(schedule.drill.days for schedule in schedules)))
    passed = [each for each in made if each.passed]
    mend = AGAIN.format(key=key)
    if passed and passed[-1].ended_at < limit:
        message = f"no drill of it passed since {format_moment(passed[-1].ended_at)}"
        return Alarm("drill-stale", key, message, mend, passed[-1].ended_at)
    if not passed and secured[0].created_at < limit:
        message = f"no drill of it has ever passed, and there is a backup since {format_moment(secured[0].moment)}"
        return Alarm("drill-never", key, message, mend)
    newest = secured[-1]
    followed = any(each.backup_id == newest.id for each in made)
    if (
        any(schedule.drill.after_backup for schedule in schedules)
        and not followed
        and newest.created_at < schema.timestamp(now - GRACE)
    ):
        message = f"no drill has followed its backup of {format_moment(newest.moment)}"
        return Alarm("drill-stale", key, message, mend, newest.moment)
    return None
