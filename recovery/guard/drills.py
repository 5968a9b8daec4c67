"""Drills: whether every component has one young enough, and ending those whose process died.

A bad copy, a copy that could not be looked at, no drill, and an old drill are never merged: each is mended by something
else.
"""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.guard.clock import believable_until
from recovery.guard.report import Action, Alarm, Report
from recovery.installation import Installation
from recovery.newest import newest_by_order
from recovery.records import backups, drills, leases, procedures, schema
from recovery.records.backups import Backup
from recovery.records.drills import Drilled
from recovery.records.procedures import INTERRUPTED
from recovery.settings import ScheduleSettings

CLOSED = "guard.drill_closed"
# What is younger may still be worked on or retried; so much later a drill that is to follow a backup is missing.
GRACE = timedelta(days=1)
AGAIN = "`pulih drill {key}` drills it now"


def drill_alarms(installation: Installation, connection: Connection, now: datetime) -> list[Alarm]:
    """Given the time by which ages are judged, return the alarms about drills: at most two for each copy of a
    component, and one for its age."""
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
            secured = [
                backup
                for backup in backups.list_backups(connection, application.name)
                if backup.component == component.name and backup.state == "secured"
            ]
            found += _not_passed(installation, key, made, secured)
            # What a drill would take now, and so what the alarm that asks for one must be about.
            newest = newest_by_order(connection, application.name, component.name, now).backup
            found.append(_freshness(key, made, secured, newest, schedules[application.name], now))
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


def _not_passed(installation: Installation, key: str, made: list[Drilled], secured: list[Backup]) -> list[Alarm]:
    """One store's copy says nothing of another's: each store's last word counts, while what it is about is there."""
    stores = {backup.id: backup.stores for backup in secured}

    def lasts(drilled: Drilled) -> bool:
        if drilled is made[-1]:
            return not drilled.backup_id or drilled.backup_id in stores
        return drilled.store in installation.stores and drilled.store in stores.get(drilled.backup_id, ())

    judged = {each.store: each for each in made if each.judged}
    newest = {each.store: each for each in made}
    bad = [each for each in judged.values() if not each.passed and lasts(each)]
    unseen = [each for each in newest.values() if not each.judged and lasts(each)]
    return [_bad(key, each) for each in bad] + [_unseen(key, each) for each in unseen]


def _bad(key: str, drilled: Drilled) -> Alarm:
    message = f"the last drill of its copy in {drilled.store} found it bad: {drilled.error}"
    mend = (
        f"`pulih verify` says which copy is good; take a new backup; when it lies in {drilled.store}, "
        f"`pulih drill {key} --store {drilled.store}` drills it"
    )
    return Alarm("drill-failed", key, message, mend, drilled.ended_at)


def _unseen(key: str, drilled: Drilled) -> Alarm:
    if drilled.store:
        message, store = (
            f"the last drill of its copy in {drilled.store} could not look at it",
            f" --store {drilled.store}",
        )
    else:
        message, store = "its last drill could not look at a copy", ""
    mend = f"mend what kept the drill from looking; then `pulih drill {key}{store}` drills it"
    return Alarm("drill-error", key, f"{message}: {drilled.error}", mend, drilled.ended_at)


def _freshness(
    key: str,
    made: list[Drilled],
    secured: list[Backup],
    newest: Backup | None,
    schedules: list[ScheduleSettings],
    now: datetime,
) -> Alarm | None:
    if not schedules or not secured:
        # Without a backup there is nothing to drill; that there is none is an alarm of its own.
        return None
    limit = schema.timestamp(now - timedelta(days=min(schedule.drill.days for schedule in schedules)))
    # What is of a time still to come would be fresh until then.
    passed = [each for each in made if each.passed and each.ended_at <= believable_until(now)]
    mend = AGAIN.format(key=key)
    if passed and passed[-1].ended_at < limit:
        message = f"no drill of it passed since {format_moment(passed[-1].ended_at)}"
        return Alarm("drill-stale", key, message, mend, passed[-1].ended_at)
    if not passed and secured[0].created_at < limit:
        message = f"no drill of it has ever passed, and there is a backup since {format_moment(secured[0].moment)}"
        return Alarm("drill-never", key, message, mend)
    if newest is None or any(each.backup_id == newest.id for each in made):
        return None
    if any(schedule.drill.after_backup for schedule in schedules) and newest.created_at < schema.timestamp(now - GRACE):
        message = f"no drill has followed its backup of {format_moment(newest.moment)}"
        return Alarm("drill-stale", key, message, mend, newest.moment)
    return None
