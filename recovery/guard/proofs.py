"""Whether every component has a proof young enough. Silence is what this alarms about: nobody notices a backup that
did not happen. Never, failing, stale and silent are never merged: each is mended by something else."""

from collections import defaultdict
from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery.calendar import WIB, format_moment, to_wib
from recovery.cron import last_due
from recovery.errors import PulihError
from recovery.guard.clock import believable_until, clock_alarm
from recovery.guard.drills import drill_alarms
from recovery.guard.escrow import escrow_alarms
from recovery.guard.report import Alarm, Kind, Report
from recovery.installation import Installation
from recovery.procedures.schedule_approval import approval_of
from recovery.records import backups, ledger, procedures, schema, steps
from recovery.settings import ScheduleSettings

# The SOP's time standard for each step of a backup: so much later than its time a scheduled backup is missing.
GRACE = timedelta(days=1)
# A worker that is busy, or a server that is being upgraded, begins a run so much later. Then nobody begins it any more.
START_GRACE = timedelta(hours=1)

PROOF_KINDS: frozenset[Kind] = frozenset(
    {
        "never",
        "failing",
        "stale",
        "unscheduled",
        "silent",
        "incomplete",
        "clock",
        "escrow",
        "drill-failed",
        "drill-error",
        "drill-never",
        "drill-stale",
    }
)


def look_at_proofs(installation: Installation, now: datetime, report: Report) -> None:
    """Raise an alarm for each component that was never proven, whose last backup failed, or whose proof is too old,
    and for each schedule whose time passed without a run."""
    for alarm in proof_alarms(installation, now):
        report.alarm(alarm)


def proof_alarms(installation: Installation, now: datetime) -> list[Alarm]:
    """Given the time by which ages are judged, return those alarms; of kinds PROOF_KINDS."""
    schedules: dict[str, list[ScheduleSettings]] = defaultdict(list)
    for schedule in installation.schedules.values():
        for name in schedule.applications:
            schedules[name].append(schedule)
    # What is of a time still to come would be fresh, and no silence, until then.
    until = believable_until(now)
    with installation.catalog.read() as connection:
        found = [clock_alarm(connection, now)]
        for application in installation.applications.values():
            for component in application.components:
                key = f"{application.name}/{component.name}"
                newest = backups.newest_verified(connection, application.name, component.name, until)
                found.append(_failing(connection, key, until))
                found.append(
                    _never(key) if newest is None else _stale(key, newest, schedules[application.name], now),
                )
            if not schedules[application.name]:
                found.append(_unscheduled(application.name))
        begun = ledger.first_entry_at(connection)
        for schedule in installation.schedules.values():
            known = [begun or schema.timestamp(now), _approved_at(installation, schedule)]
            since = max([_valid_from(schedule), *(moment for moment in known if moment <= until)])
            found.append(_silent(connection, schedule, since, now))
        found += escrow_alarms(installation, connection, until)
        found += _incomplete(connection)
        found += drill_alarms(installation, connection, now)
    return [alarm for alarm in found if alarm is not None]


def _incomplete(connection: Connection) -> list[Alarm]:
    """A set of which a copy is missing does not count, however good the other one is."""
    return [
        Alarm(
            "incomplete",
            backup.key,
            f"{backup.name} lies only in {', '.join(backup.stores)}, so it does not count yet",
            "mend the other store; then `pulih sync` completes it",
            backup.created_at,
        )
        for backup in backups.list_backups(connection)
        if backup.state == "named" and backup.stores
    ]


def _never(key: str) -> Alarm:
    mend = "start a backup of its schedule now, with a reason"
    return Alarm("never", key, "has no verified backup that counts", mend)


def _unscheduled(application: str) -> Alarm:
    return Alarm("unscheduled", application, "stands in no schedule", "add it to one in the inventory and apply")


def _failing(connection: Connection, key: str, until: str) -> Alarm | None:
    """Its newest backup failed in one of the steps 1 to 4, whatever older proof there is."""
    row = steps.newest_failure(connection, key, until)
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


def _silent(connection: Connection, schedule: ScheduleSettings, since: str, now: datetime) -> Alarm | None:
    """The scheduler may be dead while the server looks well: then no run begins, none is late, and none fails."""
    due = last_due(schedule.cron, now - START_GRACE)
    # What was due before there was a catalog, or this schedule, was nobody's to do.
    if due is None or schema.timestamp(due) < since:
        return None
    if any(
        procedure.schedule == schedule.name and schema.timestamp(due) <= procedure.opened_at <= believable_until(now)
        for procedure in procedures.list_all(connection, "backup")
    ):
        return None
    return Alarm(
        "silent",
        schedule.name,
        f"was due {format_moment(due)}, and no run of it has begun since",
        "`pulih doctor` says whether server, scheduler and worker live; then start di-luar-jadwal for it",
        schema.timestamp(due),
    )


def _valid_from(schedule: ScheduleSettings) -> str:
    """When the schedule begins by what it says itself; "" when it does not say."""
    if not schedule.valid_from:
        return ""
    return schema.timestamp(datetime.fromisoformat(schedule.valid_from).replace(tzinfo=WIB))


def _approved_at(installation: Installation, schedule: ScheduleSettings) -> str:
    """When what the schedule says now was approved, as far as that is known; "" when it is not."""
    try:
        approval = approval_of(installation, schedule.name)
    except PulihError:
        # Told by who looks at schedules. Silence must be heard whatever the approval is worth.
        return ""
    return approval.approved_at if approval.approved else ""
