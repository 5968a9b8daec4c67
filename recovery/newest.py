"""Which verified backup is the newest, also when a clock was wrong: what is restored where nobody names a time.

A moment that is still to come was told by a wrong clock, or our clock is wrong now. A moment that is later than that
of a backup which was taken afterwards, as the ledger's order says, was wrong in one of the two. Such a backup is passed
over, and people are told so: they can name it.

Naming is by the time that a backup says of itself, since no other is known of it; that the time cannot be believed is
told then, too.
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
    believed = _believed(connection, verified, now)
    passed_over: list[Backup] = []
    for backup in reversed(verified):
        if backup.id in believed:
            return Newest(backup, tuple(passed_over))
        passed_over.append(backup)
    return Newest(None, tuple(passed_over))


def is_believed(connection: Connection, backup: Backup, now: datetime) -> bool:
    """Given a verified backup and the time, return whether its moment can be believed."""
    verified = backups.list_verified(connection, backup.application, backup.component)
    return backup.id in _believed(connection, verified, now)


def _believed(connection: Connection, verified: list[Backup], now: datetime) -> set[str]:
    order = backups.order_taken(connection)

    def place(backup: Backup) -> int:
        # 0: out of a store, without a word of it in the ledger. Its moment is all there is.
        return order.get((backup.procedure_id, backup.key), 0)

    believed: set[str] = set()
    limit = now
    for backup in sorted(verified, key=place, reverse=True):
        if not place(backup):
            limit = now
        if _moment(backup) <= limit + CLOCK_TOLERANCE:
            believed.add(backup.id)
        limit = min(limit, _moment(backup))
    return believed


def _moment(backup: Backup) -> datetime:
    return datetime.fromisoformat(backup.moment)
