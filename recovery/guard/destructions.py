"""Removals of sets that were approved and begun and that do not come to their end: nobody is offered such a set any
more, and part of it, which was to be gone, lies in a store still."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.guard.report import Alarm, Report
from recovery.installation import Installation
from recovery.records import backups, destructions, schema

# A killed run is retried, or followed by the next one, within its day; what a store refuses is refused again.
GRACE = timedelta(days=1)
MEND = (
    "mend what keeps that store from removing it, then start the deployment `pemusnahan`: each of its runs first ends "
    "what was begun. A store that left the inventory has to come back for that"
)


def look_at_destructions(installation: Installation, now: datetime, report: Report) -> None:
    """Raise an alarm for each such removal."""
    with installation.catalog.read() as connection:
        for alarm in destruction_alarms(connection, now):
            report.alarm(alarm)


def destruction_alarms(connection: Connection, now: datetime) -> list[Alarm]:
    """Given the catalog and the time by which ages are judged, return the alarms about removals that began a day ago
    and have not ended, oldest first."""
    late = [each for each in destructions.unfinished(connection) if each.begun_at < schema.timestamp(now - GRACE)]
    if not late:
        return []
    # A set of the installation's own records is in no catalog: its id is its name.
    names = {backup.id: str(backup.name) for backup in backups.list_backups(connection)}
    return [
        Alarm(
            "destruction",
            names.get(each.backup_id, each.backup_id),
            f"its removal was begun {format_moment(each.begun_at)} and has not ended: "
            f"{each.detail or 'the run that began it was ended, and none went on with it'}",
            MEND,
            each.begun_at,
        )
        for each in late
    ]
