"""Which verified backup is the newest, also when a clock was wrong: what is restored where nobody names a time.

A moment that is still to come was told by a wrong clock, or our clock is wrong now. A moment that is later than that
of a backup which was taken afterwards, as the ledger's order says, was wrong in one of the two. Such a backup is passed
over, and people are told so: they can name it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from recovery.records import backups
from recovery.records.backups import Backup
from recovery.retention import CLOCK_TOLERANCE


@dataclass(frozen=True)
class Newest:
    """The newest verified backup of a component (None: there is none), and those that seem newer, newest first."""

    backup: Backup | None
    passed_over: tuple[Backup, ...]


def newest_by_order(connection: Connection, application: str, component: str, now: datetime) -> Newest:
    """Given a component and the time, return its newest verified backup whose moment can be believed, and what was
    passed over for it."""
    verified = backups.list_verified(connection, application, component)
    order = backups.order_taken(connection)

    def place(backup: Backup) -> int:
        # 0: out of a store, without a word of it in the ledger. Its moment is all there is.
        return order.get((backup.procedure_id, backup.key), 0)

    limits: dict[str, datetime] = {}
    limit = now
    for backup in sorted(verified, key=place, reverse=True):
        limits[backup.id] = limit + CLOCK_TOLERANCE if place(backup) else now + CLOCK_TOLERANCE
        limit = min(limit, _moment(backup)) if place(backup) else limit
    believed = [backup for backup in verified if _moment(backup) <= limits[backup.id]]
    newest = believed[-1] if believed else None
    later = verified[verified.index(newest) + 1 :] if newest else verified
    return Newest(newest, tuple(reversed(later)))


def _moment(backup: Backup) -> datetime:
    return datetime.fromisoformat(backup.moment)
