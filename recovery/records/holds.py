"""Legal holds: what is held is destroyed by no plan. One on an application covers its later backups, too."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recovery.canonical import digest
from recovery.errors import ConfigurationError, ConflictError, NotFoundError
from recovery.records import ledger, schema
from recovery.records.backups import Backup


@dataclass(frozen=True)
class Hold:
    """A hold on an application, on one of its components (`component`), or on one backup (`backup_id`)."""

    id: str
    application: str
    component: str
    backup_id: str
    reason: str
    added_at: str
    removed_at: str | None
    removal_reason: str

    @property
    def target(self) -> str:
        """What is held, as it is typed."""
        if self.backup_id:
            return self.backup_id
        return f"{self.application}/{self.component}" if self.component else self.application

    def covers(self, backup: Backup) -> bool:
        """Given a backup, return whether this keeps it."""
        if self.backup_id:
            return self.backup_id == backup.id
        return self.application == backup.application and self.component in ("", backup.component)


def add(connection: Connection, *, application: str, component: str = "", backup_id: str = "", reason: str) -> Hold:
    """Given what is to be held and why, hold it from now on and return the hold.

    Several may lie on one thing: each ends for itself. The ledger keeps the reason's digest, since nothing can be
    erased from it. Raises ConfigurationError when no reason is given.
    """
    _require_reason(reason)
    hold = Hold(str(uuid.uuid4()), application, component, backup_id, reason, schema.timestamp(), None, "")
    connection.execute(insert(schema.holds).values(vars(hold)))
    _append(connection, "hold.added", hold, reason)
    return hold


def remove(connection: Connection, hold_id: str, reason: str) -> Hold:
    """Given a hold's id (or how it begins) and why it ends, end it and return it.

    Raises NotFoundError for an id that no hold in force has, ConflictError for a beginning that several have,
    ConfigurationError when no reason is given.
    """
    _require_reason(reason)
    found = [hold for hold in list_holds(connection) if hold_id and hold.id.startswith(hold_id)]
    if not found:
        raise NotFoundError(
            f"no hold in force has the id {hold_id!r}", state="nothing was changed", hint="`pulih hold list` lists them"
        )
    if len(found) > 1:
        raise ConflictError(
            f"{len(found)} holds have an id that begins with {hold_id!r}",
            state="nothing was changed",
            hint="write more of it",
        )
    table = schema.holds
    ended = {"removed_at": schema.timestamp(), "removal_reason": reason}
    connection.execute(update(table).where(table.c.id == found[0].id).values(ended))
    _append(connection, "hold.removed", found[0], reason)
    return _hold(connection.execute(select(table).where(table.c.id == found[0].id)).one())


def list_holds(connection: Connection, *, ended: bool = False) -> list[Hold]:
    """Return the holds in force, oldest first; with `ended`, also those that are over."""
    table = schema.holds
    query = select(table).order_by(table.c.added_at, table.c.id)
    if not ended:
        query = query.where(table.c.removed_at.is_(None))
    return [_hold(row) for row in connection.execute(query)]


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise ConfigurationError(
            "a hold begins and ends with a reason, and none was given",
            state="nothing was changed",
            hint="write --reason: the case, the audit, who asked for it",
        )


def _append(connection: Connection, kind: str, hold: Hold, reason: str) -> None:
    facts: dict[str, Any] = {
        "id": hold.id,
        "application": hold.application,
        "component": hold.component,
        "backup_id": hold.backup_id,
        "reason_sha256": digest(reason),
    }
    component = f"{hold.application}/{hold.component}" if hold.component else ""
    ledger.append(connection, kind, facts, component=component)


def _hold(row: Row[Any]) -> Hold:
    return Hold(**dict(row._mapping))
