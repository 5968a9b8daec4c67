"""Step 1: "Melakukan back up sesuai dengan jadwal yang telah ditetapkan"."""

import io
import logging
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.crypto import generate_identity
from recovery.durable import NewFile
from recovery.installation import Installation, remove_tree
from recovery.points import reached
from recovery.procedures.working import PATIENCE_SECONDS, work_on
from recovery.records import backups
from recovery.records.steps import StepResult
from recovery.stream import encrypt

logger = logging.getLogger(__name__)

RUN_IDENTITY = "run-identity"
# What a database server keeps outside of the database.
GLOBALS = "globals.sql.zst.age"


def back_up(installation: Installation, procedure_id: str, component: str) -> StepResult:
    """Given "application/component", dump it in one pass into encrypted staging, with the fingerprint of its snapshot.

    Nothing plain touches the disk: dump → zstd → age → staging. A third recipient, made for this run alone, lets
    step 2 open the very bytes that will be stored without any lasting key on the backup machine.
    """
    application, settings = installation.component(component)
    source = installation.source(component)
    with work_on(installation, [component], procedure_id, "back up", patience=PATIENCE_SECONDS):
        begun_at = _now()
        warnings = source.preflight()
        target = source.identify()
        staging = _empty_staging(installation, procedure_id, component)
        recipient = _new_run_identity(staging)
        data = staging / f"data.{source.extension}.zst.age"
        recipients = [installation.keys.operations_recipient, installation.keys.escrow_recipient]
        logger.info("dumping %s", component)
        with source.dump() as stream:
            digests = encrypt(stream.readinto, data, [*recipients, recipient], threads=source.compression_threads)
            dump = stream.finish()
        parts = {data.name: digests.to_json()}
        if dump.server_globals:
            outside = staging / GLOBALS
            beside = encrypt(io.BytesIO(dump.server_globals).readinto, outside, [*recipients, recipient])
            parts[GLOBALS] = beside.to_json()
        reached("backup.1: dumped")
    facts: dict[str, Any] = {
        "begun_at": begun_at,
        "ended_at": _now(),
        "file": data.name,
        "digests": digests.to_json(),
        "globals": parts.get(GLOBALS),
        "fingerprint": dump.fingerprint.to_json(),
        "snapshot": dump.snapshot,
        "tools": dump.tools,
        "target": target,
        "recipients": recipients,
        "warnings": [*warnings, *dump.warnings],
    }
    backup_id = uuid.uuid4().hex
    logger.info("dumped %s: %s bytes, encrypted %s bytes", component, digests.plain_size, digests.cipher_size)
    return StepResult(
        evidence={
            "backup_id": backup_id,
            "parts": parts,
            "snapshot": dump.snapshot,
            "totals": dump.fingerprint.totals,
            "warnings": facts["warnings"],
            "begun_at": begun_at,
            "ended_at": facts["ended_at"],
        },
        changes=[
            lambda connection: backups.insert_staged(
                connection,
                backup_id=backup_id,
                procedure_id=procedure_id,
                application=application.name,
                component=settings.name,
                unit=application.owner_unit,
                kind=settings.kind,
                moment=begun_at,
                staging=str(staging),
                facts=facts,
            )
        ],
    )


def _empty_staging(installation: Installation, procedure_id: str, component: str) -> Path:
    # What a killed try left here was never recorded: it proves nothing, and a write-once name must be free.
    remove_tree(installation.staging(procedure_id, component))
    reached("backup.1: staging emptied")
    return installation.staging(procedure_id, component)


def _new_run_identity(staging: Path) -> str:
    identity, recipient = generate_identity()
    # On the disk before anything is encrypted to it: step 2 may come after a power cut.
    with NewFile(staging / RUN_IDENTITY) as file:
        file.write(f"{identity}\n".encode())
        file.sync()
    reached("backup.1: identity of the run written")
    return recipient


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
