"""Records of a time that is still to come: made while the clock ran ahead, they would pass for fresh until that time.

So nothing of such a time counts as a proof, and people are told that there is one.
"""

from datetime import datetime

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.guard.report import Alarm
from recovery.records import backups, ledger, procedures, schema
from recovery.retention import CLOCK_TOLERANCE

MEND = (
    "set the clock right, then start a backup with a reason. A restore without a wanted time passes that backup over: "
    "`pulih restore-plan --backup NAME` says what a request has to say to get it"
)


def believable_until(now: datetime) -> str:
    """Given the time by which ages are judged, return the latest moment, as recorded, that a record can be of."""
    return schema.timestamp(now + CLOCK_TOLERANCE)


def clock_alarm(connection: Connection, now: datetime) -> Alarm | None:
    """Given that time, return the alarm about the record that is furthest ahead of it; None when none is."""
    recorded = [
        (backup.moment, f"the backup {backup.name or backup.key}") for backup in backups.list_backups(connection)
    ]
    recorded += [(each.opened_at, f"the procedure {each.id}") for each in procedures.list_all(connection)]
    recorded.append((ledger.first_entry_at(connection) or "", "the ledger's first entry"))
    moment, what = max(recorded)
    if moment <= believable_until(now):
        return None
    message = (
        f"{what} is of {format_moment(moment)}, and by the clock it is {format_moment(now)}: such a record is no proof"
    )
    return Alarm("clock", "records", message, MEND, moment)
