"""Filling a catalog from what a store holds: every row comes from something that a trusted key signed."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, update

from recovery.canonical import canonical_json
from recovery.copies import stores_of_its_day
from recovery.crypto import Signer
from recovery.durable import NewFile
from recovery.errors import ObjectUnreadableError, SetError
from recovery.manifest import Manifest
from recovery.procedures.schedule_approval import ScheduleApproval
from recovery.rebuild_sets import Inventoried
from recovery.records import backups, ledger, ledger_heads, procedures, schema
from recovery.records.catalog import Catalog, open_catalog
from recovery.records.ledger import NOTHING_BEFORE, Head
from recovery.sets import BackupSet
from recovery.stores.one_object import read_one

# The outcome of a procedure of which only its sets are left.
REBUILT = "dibangun ulang"

# From which records a catalog is rebuilt of which there are none.
FROM_MANIFESTS = "manifests alone"


def begin_catalog(unfinished: Path, copy: Path | None) -> Catalog:
    """Given where a catalog is to be filled, make it there, of this release: from a copy, or a new one."""
    for leftover in ("", "-wal", "-shm"):
        unfinished.with_name(unfinished.name + leftover).unlink(missing_ok=True)
    if copy is not None:
        with NewFile(unfinished) as file:
            file.write(copy.read_bytes())
            file.sync()
    catalog = open_catalog(f"sqlite:///{unfinished}")
    catalog.upgrade()
    return catalog


def fill(
    catalog: Catalog, found: Inventoried, store_name: str, signer: Signer, trusted_pem: bytes, source: BackupSet | None
) -> tuple[int, list[str]]:
    """Given a catalog (a copy of the records from `source`, or a new one) and what its store holds, add what the
    catalog lacks, go on with the ledger behind the newest head, and return how many backups were added and what cannot
    be proven.

    What an earlier key signed than the records is believed only where they know of it: who stole that key before it
    was changed signs with it whatever he likes.
    """
    unproven: list[str] = []
    added = 0
    with catalog.begin() as connection:
        last = ledger.head(connection)
        newest = _newest_head(found, last, unproven)
        kept = [head for head in found.heads if head.sequence <= last.sequence]
        unproven += [f"ledger: {finding}" for finding in ledger.verify(connection, kept, trusted_pem)]
        if newest.sequence > last.sequence:
            unproven.append(
                f"ledger: the entries {last.sequence + 1} to {newest.sequence} are lost; only the head of the last one "
                "is left, signed in the store"
            )
        origin = FROM_MANIFESTS if source is None else source.manifest.name
        facts = {"source": origin, "store": store_name, "sets": len(found.sets)}
        ledger.resume(connection, newest, found.taken, facts, signer)
        recorded = {backup.id: backup for backup in backups.list_backups(connection)}
        for backup_set in found.sets.values():
            known = recorded.get(backup_set.manifest.backup_id)
            if source is not None and _is_doubtful(backup_set, known, found.ages, source):
                unproven.append(
                    f"backup {backup_set.manifest.name}: a signing key signed it that was changed before the records "
                    f"{origin} were made, and they do not know it; it is not offered"
                )
                continue
            added += _take(connection, backup_set, known, found, store_name, unproven)
        proven = {each.manifest.backup_id for each in found.sets.values()}
        for backup in backups.list_backups(connection):
            if backup.state == "secured" and store_name in backup.stores and backup.id not in proven:
                unproven.append(f"backup {backup.name}: the records say that it is in {store_name}, where it is not")
        left_open = procedures.list_open(connection)
    for procedure in left_open:
        procedures.close_procedure(catalog, procedure.id, procedures.GIVEN_UP)
        unproven.append(
            f"procedure {procedure.id} ({procedure.kind} {procedure.application or procedure.schedule}) was open when "
            "the copy was made, and is closed now: look at its application and services yourself"
        )
    return added, unproven


def _newest_head(found: Inventoried, last: Head, unproven: list[str]) -> Head:
    """Return the newest head that is believed; those behind it and the last entry are said."""
    newest = max(found.believed_heads(), key=lambda head: head.sequence, default=Head(0, NOTHING_BEFORE))
    reached = max(newest.sequence, last.sequence)
    unproven += [
        f"{ledger_heads.head_key(head.sequence)}: its signature is of a key that was changed before entry {reached} "
        "was signed; it is not used"
        for head in found.heads
        if head.sequence > reached
    ]
    return newest


def _is_doubtful(
    backup_set: BackupSet, recorded: backups.Backup | None, ages: dict[str, int], source: BackupSet
) -> bool:
    """Whether an earlier key signed a set than the records, and they do not have its SHA-256."""
    unknown = recorded is None or not recorded.manifest_sha256
    return unknown and ages[backup_set.prefix] > ages[source.prefix]


def _take(
    connection: Connection,
    backup_set: BackupSet,
    recorded: backups.Backup | None,
    found: Inventoried,
    store_name: str,
    unproven: list[str],
) -> int:
    """Record a proven set unless the catalog has it; return 1 when it was added."""
    manifest = backup_set.manifest
    if recorded is not None and recorded.state in ("named", "secured"):
        if recorded.manifest_sha256 not in ("", manifest.sha256):
            unproven.append(
                f"backup {manifest.name}: the set in {store_name} is not the one that was recorded, though it is "
                "signed: its manifest has another SHA-256"
            )
            return 0
        if recorded.state == "secured":
            return 0
    if recorded is not None and recorded.state == "destroyed":
        # The copy was made between the beginning of an approved removal and its end, or somebody put the set back.
        unproven.append(
            f"backup {manifest.name}: the records say that its destruction was approved and begun, and its set is in "
            f"{store_name}; it is not offered, and the next retention ends what was begun"
        )
        return 0
    if recorded is None and backups.by_name(connection, manifest.name) is not None:
        unproven.append(f"backup {manifest.name}: the records have another backup of this name")
        return 0
    try:
        quality = json.loads(read_one(backup_set.store, lambda: backup_set.read("quality")))
    except (SetError, ObjectUnreadableError, ValueError) as error:
        unproven.append(f"backup {manifest.name}: its verdict cannot be read ({error})")
        return 0
    procedure = procedures.find(connection, manifest.procedure_id)
    stores = list(dict.fromkeys([*(recorded.stores if recorded else ()), store_name]))
    # Nothing is signed that was not proven and named, so it counts, however far it had come when the copy was made:
    # the store at hand may be all that is left. Unless the records say that one store took it and another did not:
    # then it counts when all that its schedule demanded have it, as it did before.
    incomplete = recorded is not None and bool(recorded.stores)
    missing = [name for name in (stores_of_its_day(procedure) if procedure else ()) if name not in stores]
    if missing:
        where = ", ".join(missing)
        finding = (
            f"it is not secured: by the records it has no copy in {where}"
            if incomplete
            else f"the records do not say whether {where} has a copy, too"
        )
        unproven.append(f"backup {manifest.name}: {finding}; `pulih sync` completes it")
    row = _row(manifest, quality, "named" if incomplete and missing else "secured", stores)
    if recorded is not None:
        table = schema.backups
        connection.execute(update(table).where(table.c.id == recorded.id).values(row))
        return 1
    if procedure is None:
        connection.execute(insert(schema.procedures).values(_procedure(manifest, found, store_name)))
    connection.execute(insert(schema.backups).values({**row, "id": manifest.backup_id, "created_at": manifest.moment}))
    return 1


def _row(manifest: Manifest, quality: Any, state: str, stores: list[str]) -> dict[str, Any]:
    outside = [part.digests.to_json() for part in manifest.parts if part.role == "globals"]
    facts = {
        "begun_at": manifest.moment,
        "ended_at": manifest.moment,
        "file": manifest.part("data").file,
        "digests": manifest.part("data").digests.to_json(),
        "globals": outside[0] if outside else None,
        "fingerprint": manifest.fingerprint,
        "snapshot": manifest.snapshot,
        "tools": manifest.tools,
        "target": manifest.target,
        "recipients": manifest.recipients,
        "warnings": manifest.warnings,
        "quality": quality,
        "rebuilt": True,
    }
    return {
        "procedure_id": manifest.procedure_id,
        "application": manifest.application,
        "component": manifest.component,
        "unit": manifest.unit,
        "kind": manifest.kind,
        "state": state,
        "moment": manifest.moment,
        "name": manifest.name,
        "staging": "",
        "facts": canonical_json(facts).decode(),
        "verdict": manifest.verdict,
        "manifest_sha256": manifest.sha256,
        "stores": canonical_json(stores).decode(),
        "retention_until": manifest.retention_until,
    }


def _procedure(manifest: Manifest, found: Inventoried, store_name: str) -> dict[str, Any]:
    """The procedure that made a set, as far as sets tell of it."""
    of_it = [each.manifest for each in found.sets.values() if each.manifest.procedure_id == manifest.procedure_id]
    unknown = dict.fromkeys(("name", "period", "executor", "reviewer", "approved_by", "offsite_store"), "")
    parameters = {
        "components": sorted(f"{each.application}/{each.component}" for each in of_it),
        "schedule": {**unknown, "store": store_name},
        "routine": True,
        "approval": ScheduleApproval("", "unknown", number=manifest.schedule_number).to_json(),
        "rebuilt": True,
    }
    moments = [each.moment for each in of_it]
    return {
        "id": manifest.procedure_id,
        "kind": "backup",
        "state": "closed",
        "outcome": REBUILT,
        "release": manifest.release,
        "parameters": canonical_json(parameters).decode(),
        "opened_at": min(moments),
        "closed_at": max(moments),
    }
