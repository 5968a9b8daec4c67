"""Backups of former times: real signed sets in the stores, and their records, without the dumps that take seconds."""

import hashlib
import json
import os
import uuid
from datetime import datetime
from pathlib import Path

from recovery.installation import RELEASE
from recovery.manifest import Manifest, Part
from recovery.naming import render_name
from recovery.own_records import COMPONENT, RESERVED
from recovery.records import backups, ledger, procedures
from recovery.records.backups import Backup
from recovery.sets import put_set, set_prefix
from recovery.settings import ScheduleSettings
from recovery.stream import PartDigests
from tests.testbed.small_office import SmallOffice

CONTENT = b"cadangan" * 100


def old_backup(
    office: SmallOffice,
    moment: datetime,
    *,
    application: str = "simpel",
    component: str = "data",
    schedule: ScheduleSettings | None = None,
) -> Backup:
    """Given when it was taken, put a verified set into the stores of its schedule, with all its records."""
    installation = office.installation
    schedule = schedule or installation.schedules["bulanan"]
    procedure_id, backup_id = str(uuid.uuid4()), str(uuid.uuid4())
    key, at = f"{application}/{component}", moment.isoformat(timespec="microseconds")
    name = render_name(installation.office.backup_name, application=application, component=component, moment=moment)
    staging = installation.staging(procedure_id, key)
    parts = (_part(staging, "data.sqlite.zst.age", "data"), _part(staging, "quality.json", "quality"))
    digests = {"cipher_size": parts[0].stored_size}
    recipients = [installation.keys.operations_recipient, installation.keys.escrow_recipient]
    procedures.open_procedure(
        installation.catalog,
        procedure_id,
        "backup",
        schedule=schedule.name,
        parameters={"schedule": schedule.model_dump(), "components": [key], "routine": True},
        release=RELEASE,
    )
    manifest = Manifest(
        backup_id=backup_id,
        name=name,
        application=application,
        component=component,
        kind="sqlite",
        unit="bkd",
        moment=at,
        procedure_id=procedure_id,
        schedule_number="",
        release=RELEASE,
        parts=parts,
        tools={},
        target={},
        snapshot={},
        fingerprint={},
        verdict="pass",
        recipients=recipients,
        retention_until=at,
        warnings=[],
    )
    stores = [store for store in (schedule.store, schedule.offsite_store) if store]
    for store in stores:
        put_set(
            installation.store(store),
            set_prefix("bkd", application, name),
            {part.file: staging / part.file for part in parts},
            manifest,
            installation.signer,
        )
    with installation.catalog.begin() as connection:
        ledger.append(connection, "step.done", {}, procedure_id=procedure_id, step_id="backup.1", component=key)
        backups.insert_staged(
            connection,
            backup_id=backup_id,
            procedure_id=procedure_id,
            application=application,
            component=component,
            unit="bkd",
            kind="sqlite",
            moment=at,
            staging="",
            facts={"digests": digests, "recipients": recipients},
        )
        backups.mark_verified(connection, backup_id, {})
        backups.mark_named(connection, backup_id, name)
        backups.mark_secured(connection, backup_id, manifest.sha256, stores, at)
        made = backups.get(connection, backup_id)
    installation.sweep(procedure_id)
    procedures.close_procedure(installation.catalog, procedure_id, "berhasil")
    return made


def set_directory(office: SmallOffice, backup: Backup, store: str = "utama") -> Path:
    """Where a backup's set lies in a directory store."""
    settings = office.installation.stores[store]
    return Path(settings.path, settings.prefix, set_prefix(backup.unit, backup.application, str(backup.name)))


def _part(staging: Path, file: str, role: str) -> Part:
    # A rebuild reads the verdict, and nobody the data.
    content = json.dumps({"state": "pass"}).encode() if role == "quality" else CONTENT + os.urandom(8)
    (staging / file).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    if role == "quality":
        return Part.plain(file, "quality", content)
    return Part.encrypted(file, "data", PartDigests(sha256, len(content), sha256, len(content)))


def old_records(office: SmallOffice, moment: datetime, sequence: int | str, stores: tuple[str, ...] = ()) -> str:
    """Given when they were put, and the number of the ledger's last entry, put a set of own records into every store,
    or into some; return its name."""
    installation = office.installation
    name, at = f"{COMPONENT}_{sequence:0>12}_{uuid.uuid4().hex[:12]}", moment.isoformat(timespec="microseconds")
    staging = installation.staging(name, "own/records")
    parts = (_part(staging, "data.tar.zst.age", "data"), _part(staging, "quality.json", "quality"))
    with installation.catalog.read() as connection:
        hashes = {entry.sequence: entry.hash for entry in ledger.entries(connection, last=100_000)}
    manifest = Manifest(
        backup_id=name,
        name=name,
        application=RESERVED,
        component=COMPONENT,
        kind="files",
        unit=RESERVED,
        moment=at,
        procedure_id="old",
        schedule_number="",
        release=RELEASE,
        parts=parts,
        tools={},
        target={},
        snapshot={"ledger_sequence": sequence, "ledger_hash": hashes.get(sequence, "")},
        fingerprint={},
        verdict="pass",
        recipients=[],
        retention_until=at,
        warnings=[],
    )
    staged = {part.file: staging / part.file for part in parts}
    for store in stores or sorted(installation.stores):
        put_set(
            installation.store(store),
            set_prefix(RESERVED, RESERVED, name),
            staged,
            manifest,
            installation.signer,
        )
    installation.sweep(name)
    return name
