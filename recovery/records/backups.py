"""Backups: one component at one moment, and how far it has come: staged, verified, named, secured, or failed; and, by
way of retention, destroyed."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from recovery.canonical import canonical_json
from recovery.errors import ConflictError, NotFoundError, ProcedureError
from recovery.records import schema

# In the ledger: a synchronisation put a copy, with what keeps it where it lies.
COPIED = "set.copied"

# From which states a state is reached. A failed backup may be judged again: the checker may only have been unable to
# look. Nothing leaves "secured" but by way of retention.
_REACHED_FROM = {
    "verified": ("staged", "failed", "verified"),
    "named": ("verified", "named"),
    "secured": ("named", "secured"),
    "failed": ("staged", "verified", "named", "failed"),
    "destroyed": ("secured",),
}


@dataclass(frozen=True)
class Backup:
    """A backup as recorded. It has a name only after it was verified, and counts only while it is secured."""

    id: str
    procedure_id: str
    application: str
    component: str
    unit: str
    kind: str
    state: str
    moment: str
    name: str | None
    staging: str
    facts: dict[str, Any]
    verdict: str
    manifest_sha256: str
    stores: tuple[str, ...]
    retention_until: str | None
    created_at: str

    @property
    def key(self) -> str:
        """ "application/component", as steps and flows name it."""
        return f"{self.application}/{self.component}"


def insert_staged(
    connection: Connection,
    *,
    backup_id: str,
    procedure_id: str,
    application: str,
    component: str,
    unit: str,
    kind: str,
    moment: str,
    staging: str,
    facts: dict[str, Any],
) -> None:
    """Given what step 1 made, record it as a staged backup."""
    row = {
        "id": backup_id,
        "procedure_id": procedure_id,
        "application": application,
        "component": component,
        "unit": unit,
        "kind": kind,
        "state": "staged",
        "moment": _moment(moment),
        "staging": staging,
        "facts": canonical_json(facts).decode(),
        "created_at": schema.timestamp(),
    }
    connection.execute(insert(schema.backups).values(row))


def mark_verified(connection: Connection, backup_id: str, facts: dict[str, Any]) -> None:
    """Given a staged backup that was restored and judged good, record the verdict and add to its facts."""
    _move(connection, backup_id, "verified", verdict="pass", facts=_more_facts(connection, backup_id, facts))


def mark_failed(connection: Connection, backup_id: str, verdict: str, facts: dict[str, Any]) -> None:
    """Given a backup that was judged bad ("fail") or could not be judged ("error"), record it and add to its facts."""
    _move(connection, backup_id, "failed", verdict=verdict, facts=_more_facts(connection, backup_id, facts))


def mark_named(connection: Connection, backup_id: str, name: str) -> None:
    """Given a verified backup, give it its name. Raises ConflictError when another backup has that name."""
    holder = by_name(connection, name)
    if holder is not None and holder.id != backup_id:
        raise ConflictError(
            f"the name {name} is taken by the backup {holder.id}",
            state="the earlier backup is untouched",
            hint="start the backup again: its moment, and so its name, will differ",
        )
    _move(connection, backup_id, "named", name=name)


def mark_secured(
    connection: Connection, backup_id: str, manifest_sha256: str, stores: list[str], retention_until: str
) -> None:
    """Given a named backup whose set was put into stores and read back there, record where, and until when it stays."""
    _move(
        connection,
        backup_id,
        "secured",
        manifest_sha256=manifest_sha256,
        stores=canonical_json(stores).decode(),
        retention_until=_moment(retention_until),
    )


def mark_copied(
    connection: Connection, backup_id: str, manifest_sha256: str, stores: list[str], retention_until: str
) -> None:
    """Given a named backup of which not every copy could be made, record those that are whole. It stays named: only
    when all copies match does it count. One that was secured meanwhile is left so."""
    if get(connection, backup_id).state != "secured":
        _move(
            connection,
            backup_id,
            "named",
            manifest_sha256=manifest_sha256,
            stores=canonical_json(stores).decode(),
            retention_until=_moment(retention_until),
        )


def mark_destroyed(connection: Connection, backup_id: str) -> None:
    """Given a secured backup whose set is about to be removed, record that it is offered for nothing any more."""
    _move(connection, backup_id, "destroyed")


def get(connection: Connection, backup_id: str) -> Backup:
    """Given a backup's id, return it. Raises NotFoundError."""
    row = connection.execute(select(schema.backups).where(schema.backups.c.id == backup_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"no backup has the id {backup_id!r}", hint="`pulih backups` lists them")
    return _backup(row)


def by_name(connection: Connection, name: str) -> Backup | None:
    """Given a backup's name, return it; None when no backup has that name."""
    row = connection.execute(select(schema.backups).where(schema.backups.c.name == name)).one_or_none()
    return _backup(row) if row else None


def of_procedure(connection: Connection, procedure_id: str, key: str) -> Backup | None:
    """Given a procedure and "application/component", return the backup that it made; None when it made none."""
    found = [backup for backup in list_of_procedure(connection, procedure_id) if backup.key == key]
    return found[-1] if found else None


def list_of_procedure(connection: Connection, procedure_id: str) -> list[Backup]:
    """Given a procedure, return the backups that it made, oldest first."""
    return _list(connection, schema.backups.c.procedure_id == procedure_id)


def list_backups(connection: Connection, application: str | None = None) -> list[Backup]:
    """Return all backups, oldest first; only an application's when one is given."""
    if application is None:
        return _list(connection)
    return _list(connection, schema.backups.c.application == application)


def newest_verified(
    connection: Connection, application: str, component: str, before: datetime | str | None = None
) -> Backup | None:
    """Given a component, return its newest backup that was proven and is in a store; None when there is none.

    With `before`, the newest whose moment is not after it: a restore to 22.00 may use the backup of 22.00.
    """
    conditions = _is_verified(application, component)
    if before is not None:
        conditions.append(schema.backups.c.moment <= _moment(before))
    found = _list(connection, *conditions)
    return found[-1] if found else None


def list_verified(connection: Connection, application: str, component: str) -> list[Backup]:
    """Given a component, return its backups that were proven and are in a store, by their moments."""
    return _list(connection, *_is_verified(application, component))


def order_taken(connection: Connection) -> dict[tuple[str, str], int]:
    """Return for each procedure and "application/component" where its backup's step 1 stands in the ledger: an order
    that no clock can change."""
    table = schema.ledger
    query = (
        select(table.c.procedure_id, table.c.component, func.min(table.c.sequence))
        .where(table.c.kind == "step.done", table.c.step_id == "backup.1")
        .group_by(table.c.procedure_id, table.c.component)
    )
    return {(procedure_id, component): sequence for procedure_id, component, sequence in connection.execute(query)}


def _is_verified(application: str, component: str) -> list[ColumnElement[bool]]:
    table = schema.backups
    return [
        table.c.application == application,
        table.c.component == component,
        table.c.state == "secured",
        table.c.verdict == "pass",
    ]


def _list(connection: Connection, *conditions: Any) -> list[Backup]:
    table = schema.backups
    query = select(table).where(*conditions).order_by(table.c.moment, table.c.created_at, table.c.id)
    return [_backup(row) for row in connection.execute(query)]


def _move(connection: Connection, backup_id: str, state: str, **values: Any) -> None:
    recorded = get(connection, backup_id)
    if recorded.state not in _REACHED_FROM[state]:
        raise ProcedureError(
            f"the backup {recorded.id} of {recorded.key} is {recorded.state} and cannot become {state}",
            state="the backup is untouched",
            hint="the steps come in the SOP's order; retry the run",
        )
    connection.execute(update(schema.backups).where(schema.backups.c.id == backup_id).values(state=state, **values))


def _more_facts(connection: Connection, backup_id: str, facts: dict[str, Any]) -> str:
    return canonical_json({**get(connection, backup_id).facts, **facts}).decode()


def _moment(moment: datetime | str) -> str:
    # Moments are compared as text, so all of them must be written in one way.
    return schema.timestamp(datetime.fromisoformat(moment) if isinstance(moment, str) else moment)


def _backup(row: Row[Any]) -> Backup:
    fields = dict(row._mapping)
    return Backup(**{**fields, "facts": json.loads(fields["facts"]), "stores": tuple(json.loads(fields["stores"]))})
