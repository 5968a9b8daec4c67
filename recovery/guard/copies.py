"""Copies of forms and of the installation's own records that a store did not take as it was to, and that nobody has
made good since: of its catalog nobody would notice them."""

from datetime import datetime

from sqlalchemy import Connection

from recovery.guard.report import Alarm, Report
from recovery.installation import Installation
from recovery.records import schema
from recovery.records.missed_copies import Missed, missed_copies

TAKEN = (
    "somebody has that store's credentials: change them, and tell the auditor; when what lies there was looked at and "
    "moved away by hand, `pulih sync` puts the copy there"
)
UNLOCKED = "mend what kept the store from locking it; then `pulih sync` locks it"


def look_at_copies(installation: Installation, now: datetime, report: Report) -> None:
    """Raise an alarm for each such copy; a store that is only down is told by whoever looks at stores."""
    with installation.catalog.read() as connection:
        for alarm in copy_alarms(installation, connection, now):
            report.alarm(alarm)


def copy_alarms(installation: Installation, connection: Connection, now: datetime) -> list[Alarm]:
    """Given the catalog, return those alarms. That of a set of the records ends with its retention, too."""
    return [
        Alarm("store", f"{each.key} in the store {each.store}", *_told(each), each.since)
        for each in missed_copies(connection)
        if each.fault != "missing"
        and each.store in installation.stores
        and (each.fault == "taken" or installation.stores[each.store].lock != "none")
        and (not each.until or each.until > schema.timestamp(now))
    ]


def _told(missed: Missed) -> tuple[str, str]:
    if missed.fault == "taken":
        what = "the form" if missed.kind == "form" else "the set of the installation's own records"
        return f"{what} is not there: {missed.message}", TAKEN
    return f"the set of the installation's own records lies there without a lock: {missed.message}", UNLOCKED
