"""What became of each set that an approved plan names: begun, destroyed, or skipped with the reason.

A set counts as destroyed for everybody else from the moment when its removal begins, so that nothing relies on a set
of which a part is gone; whoever was killed in between finds here what is left to remove.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recovery.canonical import canonical_json
from recovery.errors import NotFoundError
from recovery.records import backups, ledger, schema
from recovery.records.backups import Backup

BEGUN, DESTROYED, SKIPPED = "begun", "destroyed", "skipped"


@dataclass(frozen=True)
class Destruction:
    """One set of a plan. `objects`: by store, the keys that are removed, in this order. `detail`: why it was skipped,
    or what the last try failed of."""

    procedure_id: str
    backup_id: str
    state: str
    detail: str
    objects: dict[str, list[str]]
    begun_at: str
    ended_at: str | None


def begin(connection: Connection, procedure_id: str, backup: Backup, objects: dict[str, list[str]]) -> None:
    """Given a secured backup, or a set of our own records, and what is removed of it, record that this begins."""
    if backup.procedure_id:  # of the records there is no row
        backups.mark_destroyed(connection, backup.id)
    _insert(connection, procedure_id, backup.id, BEGUN, "", objects)
    _append(connection, "backup.destruction_begun", procedure_id, backup, {"stores": sorted(objects)})


def end(connection: Connection, procedure_id: str, backup: Backup) -> None:
    """Given a backup of which nothing is left in any store, record it."""
    _update(connection, procedure_id, backup.id, state=DESTROYED, detail="", ended_at=schema.timestamp())
    _append(connection, "backup.destroyed", procedure_id, backup, {})


def skip(connection: Connection, procedure_id: str, backup: Backup, why: str) -> None:
    """Given a backup that is not destroyed after all, record why. Nothing of it was touched."""
    _insert(connection, procedure_id, backup.id, SKIPPED, why, {}, ended_at=schema.timestamp())
    _append(connection, "backup.destruction_skipped", procedure_id, backup, {"why": why})


def note(connection: Connection, procedure_id: str, backup_id: str, trouble: str) -> None:
    """Given a removal that has begun and could not be ended, keep what the last try failed of."""
    _update(connection, procedure_id, backup_id, detail=trouble)


def of_procedure(connection: Connection, procedure_id: str) -> dict[str, Destruction]:
    """Given a procedure, return what became of its sets, by the backup's id."""
    table = schema.destructions
    rows = connection.execute(select(table).where(table.c.procedure_id == procedure_id))
    return {row.backup_id: _destruction(row) for row in rows}


def unfinished(connection: Connection) -> list[Destruction]:
    """Return the removals that have begun and not ended, oldest first, whichever procedure began them."""
    table = schema.destructions
    query = select(table).where(table.c.state == BEGUN).order_by(table.c.begun_at, table.c.backup_id)
    return [_destruction(row) for row in connection.execute(query)]


def of_backup(connection: Connection, backup_id: str) -> Destruction | None:
    """Given a backup, return its destruction, begun or done; None when there is none."""
    table = schema.destructions
    query = select(table).where(table.c.backup_id == backup_id, table.c.state != SKIPPED)
    row = connection.execute(query).one_or_none()
    return _destruction(row) if row else None


def given_up(connection: Connection) -> set[str]:
    """Return the ids of all whose removal has begun, ended or not."""
    table = schema.destructions
    return set(connection.execute(select(table.c.backup_id).where(table.c.state != SKIPPED)).scalars())


def refuse_destroyed(connection: Connection, backup: Backup) -> None:
    """Raises NotFoundError, which says since when and by which procedure, when the backup's set was destroyed."""
    if backup.state != "destroyed":
        return
    destruction = of_backup(connection, backup.id)
    when = f" by the procedure {destruction.procedure_id}, begun at {destruction.begun_at}" if destruction else ""
    raise NotFoundError(
        f"the set of {backup.name} was destroyed{when}",
        state="nothing was read",
        hint="`pulih backups` lists the sets that are there; the Berita Acara says why this one is not",
    )


def verify(connection: Connection) -> list[str]:
    """Return every contradiction between ledger and catalog about what was destroyed; [] means that there is none."""
    table = schema.ledger
    query = select(table.c.facts).where(table.c.kind == "backup.destruction_begun")
    given_up = {json.loads(facts)["backup_id"] for facts in connection.execute(query).scalars()}
    findings = []
    for backup in backups.list_backups(connection):
        if backup.state == "destroyed" and backup.id not in given_up:
            findings.append(f"the catalog calls the backup {backup.name} destroyed, and no entry says so")
        elif backup.state != "destroyed" and backup.id in given_up:
            findings.append(f"an entry says that the backup {backup.name} was destroyed, and the catalog does not")
    return findings


def _insert(
    connection: Connection,
    procedure_id: str,
    backup_id: str,
    state: str,
    detail: str,
    objects: dict[str, list[str]],
    *,
    ended_at: str | None = None,
) -> None:
    row = {
        "procedure_id": procedure_id,
        "backup_id": backup_id,
        "state": state,
        "detail": detail,
        "objects": canonical_json(objects).decode(),
        "begun_at": schema.timestamp(),
        "ended_at": ended_at,
    }
    connection.execute(insert(schema.destructions).values(row))


def _update(connection: Connection, procedure_id: str, backup_id: str, **values: Any) -> None:
    table = schema.destructions
    mine = (table.c.procedure_id == procedure_id) & (table.c.backup_id == backup_id)
    connection.execute(update(table).where(mine).values(values))


def _append(connection: Connection, kind: str, procedure_id: str, backup: Backup, facts: dict[str, Any]) -> None:
    named = {"backup_id": backup.id, "name": backup.name, "manifest_sha256": backup.manifest_sha256}
    ledger.append(connection, kind, {**named, **facts}, procedure_id=procedure_id, component=backup.key)


def _destruction(row: Row[Any]) -> Destruction:
    fields = dict(row._mapping)
    return Destruction(**{**fields, "objects": json.loads(fields["objects"])})
