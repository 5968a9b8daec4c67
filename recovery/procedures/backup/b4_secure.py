"""Step 4: "Mengamankan hasil backup"."""

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

from recovery.crypto import Signer
from recovery.durable import NewFile, remove_file
from recovery.errors import ProcedureError, PulihError, SetError, StoreError
from recovery.installation import RELEASE, Installation
from recovery.manifest import Manifest, Part
from recovery.points import reached
from recovery.procedures.backup.b1_back_up import GLOBALS, RUN_IDENTITY
from recovery.procedures.schedule_approval import recorded_approval
from recovery.records import backups, ledger, procedures
from recovery.records.steps import StepResult
from recovery.sets import WEAKEST_FIRST, open_set, protect_set, put_set, set_prefix
from recovery.stream import PartDigests

logger = logging.getLogger(__name__)

QUALITY = "quality.json"
COPIES_MISSING = "set.copies_missing"
UNLOCKED = WEAKEST_FIRST[0]


def secure(installation: Installation, procedure_id: str, component: str) -> StepResult:
    """Given a named backup, put the proven bytes and their signed manifest into every store, and read them back.

    The manifest is built from records alone, so that a killed try is repeated with identical bytes; it is put last
    and is the commit. Only then is the run's own identity destroyed: from here on only the lasting keys open the set.
    """
    with installation.catalog.read() as connection:
        backup = backups.of_procedure(connection, procedure_id, component)
        procedure = procedures.get(connection, procedure_id)
    if backup is None or backup.name is None:
        raise ProcedureError(
            f"the backup of {component} has no name", state="it is not stored", hint="retry the run: step 3 comes first"
        )
    schedule = procedure.parameters["schedule"]
    staging = Path(backup.staging)
    manifest = build_manifest(backup, procedure)
    remove_file(staging / QUALITY)  # what a killed try left
    with NewFile(staging / QUALITY) as file:
        file.write(quality_document(backup))
        file.sync()
    staged = {part.file: staging / part.file for part in manifest.parts}
    signer = installation.signer
    wanted = [name for name in (schedule["store"], schedule["offsite_store"]) if name]
    locations: list[dict[str, str]] = []
    missing: dict[str, PulihError] = {}
    for store_name in wanted:
        # A store that is down must not keep the other one from taking its copy.
        try:
            locations.append(_put(installation, backup, store_name, staged, manifest, signer))
        except (StoreError, SetError) as error:
            missing[store_name] = error
        reached("backup.4: store done")
    stores = [place["store"] for place in locations]
    if missing:
        raise _incomplete(installation, backup, manifest, stores, missing)
    reached("backup.4: secured")
    remove_file(staging / RUN_IDENTITY)
    reached("backup.4: identity of the run destroyed")
    return StepResult(
        evidence={
            "backup_id": backup.id,
            "locations": locations,
            "manifest_sha256": manifest.sha256,
            "retention_until": manifest.retention_until,
            "recipients": manifest.recipients,
        },
        changes=[
            lambda connection: backups.mark_secured(
                connection, backup.id, manifest.sha256, stores, manifest.retention_until
            )
        ],
    )


def _put(
    installation: Installation,
    backup: backups.Backup,
    store_name: str,
    staged: dict[str, Path],
    manifest: Manifest,
    signer: Signer,
) -> dict[str, str]:
    """Put one copy and return where it lies, what keeps it there, and which lock the settings demand."""
    store = installation.store(store_name)
    prefix = set_prefix(backup.unit, backup.application, str(backup.name))
    put_set(store, prefix, staged, manifest, signer)
    # The parts were read back before the manifest was put; now the set as any later reader finds it.
    open_set(
        store,
        prefix,
        signer.trusted_pem,
        application=backup.application,
        component=backup.component,
        manifest_sha256=manifest.sha256,
    )
    protection, demanded = protect_set(store, prefix, manifest), installation.stores[store_name].lock
    logger.info("secured %s in %s (lock: %s)", backup.name, store_name, protection)
    if protection == UNLOCKED and demanded != UNLOCKED:
        logger.warning(
            "%s is not locked in %s, where %s is demanded: without_lock: warn accepts that whoever may remove objects "
            "there can remove it",
            backup.name,
            store_name,
            demanded,
        )
    place = {"store": store_name, "location": store.location(prefix), "protection": protection}
    return {**place, "demanded": demanded}


def _incomplete(
    installation: Installation,
    backup: backups.Backup,
    manifest: Manifest,
    stores: list[str],
    missing: dict[str, PulihError],
) -> PulihError:
    """Record the copies that are whole, and return the error that says which are missing."""
    first = next(iter(missing.values()))
    if not stores:
        if len(missing) > 1:
            first.hint = "; ".join(f"{store}: {error.message}" for store, error in missing.items())
        return first
    facts = {"name": backup.name, "stores": stores, "missing": {name: error.message for name, error in missing.items()}}
    with installation.catalog.begin() as connection:
        backups.mark_copied(connection, backup.id, manifest.sha256, stores, manifest.retention_until)
        ledger.append(connection, COPIES_MISSING, facts, procedure_id=backup.procedure_id, component=backup.key)
    reached("backup.4: incomplete copies recorded")
    return StoreError(
        f"the copy of {backup.name} in {', '.join(missing)} is missing: {first.message}",
        state=f"the copy in {', '.join(stores)} is whole and kept; the backup counts when all copies match",
        hint="mend the store; then `pulih sync` completes the backup, or Retry while the form is not issued",
    )


def quality_document(backup: backups.Backup) -> bytes:
    """Given a verified backup, return quality.json: the recorded verdict, so that a repeated try gives equal bytes."""
    return json.dumps(backup.facts["quality"], ensure_ascii=False, indent=1, sort_keys=True).encode()


def build_manifest(backup: backups.Backup, procedure: procedures.Procedure) -> Manifest:
    """Given a named backup and its procedure, return the manifest; equal records give equal bytes."""
    facts, schedule, approval = backup.facts, procedure.parameters["schedule"], recorded_approval(procedure)
    moment = datetime.fromisoformat(backup.moment)
    return Manifest(
        backup_id=backup.id,
        name=str(backup.name),
        application=backup.application,
        component=backup.component,
        kind=backup.kind,
        unit=backup.unit,
        moment=backup.moment,
        procedure_id=procedure.id,
        schedule_number=approval.cited if approval.approved else "",
        release=RELEASE,
        parts=(
            Part.encrypted(facts["file"], "data", PartDigests(**facts["digests"])),
            *([Part.encrypted(GLOBALS, "globals", PartDigests(**facts["globals"]))] if facts.get("globals") else []),
            Part.plain(QUALITY, "quality", quality_document(backup)),
        ),
        tools=facts["tools"],
        target=facts["target"],
        snapshot=facts["snapshot"],
        fingerprint=facts["fingerprint"],
        verdict=backup.verdict,
        recipients=facts["recipients"],
        retention_until=(moment + timedelta(days=schedule["retention_days"])).isoformat(timespec="microseconds"),
        warnings=facts["warnings"],
    )
