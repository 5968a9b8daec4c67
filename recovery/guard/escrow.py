"""Whether the escrow identity opens what was backed up last. The worker takes recipients from its blocks; that they are
not those of the key in the safe would be noticed on the day on which all depends on that key."""

from sqlalchemy import Connection

from recovery.guard.report import Alarm
from recovery.installation import Installation
from recovery.keys_rotation import ROTATED
from recovery.records import backups, ledger

MEND = (
    "when this was not a change of the escrow key by hand, the worker encrypts for somebody else: compare its blocks "
    "with the inventory (`pulih doctor`), then `pulih apply`. In both cases: start a backup with a reason"
)


def escrow_alarms(installation: Installation, connection: Connection, until: str | None = None) -> list[Alarm]:
    """Given the catalog, return an alarm for each component whose newest verified backup is not for the escrow
    recipient; `until`: the latest moment that a backup can be of. A backup from before `pulih key rotate escrow` is for
    the one before, and no alarm."""
    current = installation.keys.escrow_recipient
    rotations = escrow_rotations(connection)
    found = []
    for application in installation.applications.values():
        for component in application.components:
            newest = backups.newest_verified(connection, application.name, component.name, until)
            if newest is None or current in newest.facts["recipients"]:
                continue
            if any(entry.facts["new"] == current and newest.moment < entry.at for entry in rotations):
                continue
            message = f"the backup {newest.name} is for {', '.join(newest.facts['recipients'])}, not for the escrow key"
            found.append(Alarm("escrow", f"{application.name}/{component.name}", message, MEND, newest.moment))
    return found


def escrow_rotations(connection: Connection) -> list[ledger.Entry]:
    """Return the entries of the ledger about changes of the escrow key, oldest first."""
    return [
        entry
        for entry in ledger.entries(connection, kind=ROTATED, last=None)
        if isinstance(entry.facts, dict) and entry.facts.get("key") == "escrow"
    ]
