"""Gladi restore: a backup is taken out of a store, as in a disaster, and proven again. Nothing live is touched."""

import io
import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recovery.errors import ConfigurationError, NotFoundError, PulihError, SetError, SourceCorruptError
from recovery.installation import RELEASE, Installation, remove_tree
from recovery.newest import newest_by_order
from recovery.points import reached
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.procedures.working import hold_set
from recovery.progress import Proof, Tell, to_nobody
from recovery.proofs import open_proof, proof_copy
from recovery.quality.verdict import Verdict
from recovery.records import backup_entries, backups, destructions, drills, procedures
from recovery.records.backups import Backup
from recovery.records.drills import KIND, Drilled
from recovery.records.procedures import Procedure
from recovery.sets import BackupSet, open_set, set_prefix
from recovery.sources.base import Fingerprint

logger = logging.getLogger(__name__)

NEWEST, LONGEST_UNPROVEN = "newest", "longest-unproven"


def begin_drill(
    installation: Installation,
    procedure_id: str,
    *,
    schedule_name: str = "",
    component: str = "",
    store_name: str = "",
    choice: str = "",
) -> dict[str, Any]:
    """Open a drill (again, after a retry) and choose which copy of which backup it takes; return its plain data.

    Of a schedule, all its components; of "application/component" or of an application, those; else all there are.
    `store_name` names the store, else it alternates from drill to drill. Returns {"id", "components"}.
    Raises NotFoundError for what the inventory does not name, ConfigurationError for an unknown choice; a drill that
    comes again goes on with what it chose.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.find(connection, procedure_id)
    if procedure is None:
        procedure = _open_drill(installation, procedure_id, schedule_name, component, store_name, choice)
    return {"id": procedure.id, "components": procedure.parameters["components"]}


def _open_drill(
    installation: Installation, procedure_id: str, schedule_name: str, component: str, store_name: str, choice: str
) -> Procedure:
    schedule = installation.schedule(schedule_name) if schedule_name else None
    if store_name:
        installation.store(store_name)
    choice = choice or (schedule.drill.choice if schedule else NEWEST)
    if choice not in (NEWEST, LONGEST_UNPROVEN):
        raise ConfigurationError(
            f"{choice!r} is no way to choose a backup",
            state="nothing was drilled",
            hint=f"choose {NEWEST} or {LONGEST_UNPROVEN}",
        )
    names = list(schedule.applications) if schedule else sorted(installation.applications)
    keys = _keys(installation, names, component)
    chosen = {key: _choose(installation, key, store_name, choice) for key in keys}
    applications = sorted({key.partition("/")[0] for key in keys})
    return procedures.open_procedure(
        installation.catalog,
        procedure_id,
        KIND,
        application=applications[0] if len(applications) == 1 and not schedule else "",
        schedule=schedule_name,
        parameters={"components": keys, "chosen": chosen, "signers": _signers(installation, applications)},
        release=RELEASE,
    )


def prove(
    installation: Installation,
    procedure_id: str,
    component: str,
    report: Callable[[Verdict], None] = lambda verdict: None,
    tell: Tell = to_nobody,
) -> Drilled:
    """Given a component of a drill, take the chosen copy out of its store, load it in scratch and judge it; once.

    Signature, manifest as recorded and every digest are checked, the data is opened with the operations identity, and
    the copy is measured and judged as in step 2 of the backup. What keeps it from being judged is a verdict, too, and
    is recorded: never merged with a copy that is bad.
    """
    with installation.catalog.read() as connection:
        recorded = drills.of_procedure(connection, procedure_id).get(component)
        chosen = procedures.get(connection, procedure_id).parameters["chosen"][component]
    if recorded is not None:
        return recorded
    begun_at = _now()
    counts: dict[str, int] = {}
    totals: dict[str, int] = {}
    try:
        if not chosen:
            raise NotFoundError(f"{component} has no verified backup")
        with hold_set(installation, chosen["backup_id"], procedure_id, "drill"):
            with installation.catalog.read() as connection:
                backup = backups.get(connection, chosen["backup_id"])
                # Since it was chosen retention may have destroyed it, which says nothing of what the copy was.
                destructions.refuse_destroyed(connection, backup)
                backup_entries.require_as_recorded(connection, backup)
            verdict, totals = _judge(installation, procedure_id, component, backup, chosen["store"], tell)
        report(verdict)
        counts, state = verdict.counts, verdict.state
        error = "" if state == "pass" else verdict.worst()
    except PulihError as trouble:
        bad = isinstance(trouble, SetError | SourceCorruptError)
        state, error = "fail" if bad else "error", trouble.message
    drilled = Drilled(
        backup_id=chosen.get("backup_id", ""),
        name=chosen.get("name", ""),
        store=chosen.get("store", ""),
        manifest_sha256=chosen.get("manifest_sha256", ""),
        verdict=state,
        error=error,
        counts=counts,
        objects=totals.get("objects", 0),
        rows=totals.get("rows", 0),
        begun_at=begun_at,
        ended_at=_now(),
        component=component,
        procedure_id=procedure_id,
    )
    return _record(installation, drilled)


def _record(installation: Installation, drilled: Drilled) -> Drilled:
    with installation.catalog.begin() as connection:
        recorded = drills.of_procedure(connection, drilled.procedure_id).get(drilled.component)
        if recorded is not None:  # pragma: no cover - another process took us for dead and was faster
            return recorded
        drills.record(connection, drilled)
    reached("drill: recorded")
    logger.info("drilled %s from %s: %s", drilled.component, drilled.store, drilled.verdict)
    return drilled


def _judge(
    installation: Installation, procedure_id: str, component: str, backup: Backup, store_name: str, tell: Tell
) -> tuple[Verdict, dict[str, int]]:
    found = _open(installation, backup, store_name)
    directory = installation.scratch(procedure_id, component)
    try:
        verdict = _judge_loaded(installation, component, found, directory, tell)
    finally:
        # Plain data must not outlive the proof.
        remove_tree(directory)
    reached("drill: scratch removed")
    return verdict, found.manifest.fingerprint["totals"]


def _judge_loaded(installation: Installation, component: str, found: BackupSet, directory: Path, tell: Tell) -> Verdict:
    _application, settings = installation.component(component)
    manifest = found.manifest
    identity = installation.operations_identity(manifest.recipients)
    outside = io.BytesIO()
    if any(part.role == "globals" for part in manifest.parts):
        found.restore("globals", identity, outside.write)
    with closing(open_proof(installation, component, directory)) as scratch:
        copy = proof_copy(scratch)
        proof = Proof(component, scratch.kind, tell)
        with scratch.load(copy, outside.getvalue()) as load:
            found.restore("data", identity, proof.counted(load.write, manifest.part("data").plain_size))
            load.finish()
        reached("drill: copy loaded")
        expected = Fingerprint.from_json(manifest.fingerprint)
        verdict = judge_copy(scratch, copy, expected, settings.suite, manifest.moment, directory, proof.measured)
    reached("drill: copy judged")
    return verdict


def _open(installation: Installation, backup: Backup, store_name: str) -> BackupSet:
    return open_set(
        installation.store(store_name),
        set_prefix(backup.unit, backup.application, str(backup.name)),
        installation.signer.trusted_pem,
        application=backup.application,
        component=backup.component,
        manifest_sha256=backup.manifest_sha256,
    )


def _keys(installation: Installation, applications: list[str], wanted: str) -> list[str]:
    if "/" in wanted:
        installation.component(wanted)
        return [wanted]
    names = [installation.application(wanted).name] if wanted else applications
    return [f"{name}/{component.name}" for name in names for component in installation.application(name).components]


def _choose(installation: Installation, key: str, store_name: str, choice: str) -> dict[str, str]:
    """Which copy of which backup: {} when the component has none."""
    application, _, component = key.partition("/")
    with installation.catalog.read() as connection:
        before = drills.of_component(connection, key)
        found = backups.list_verified(connection, application, component)
        newest = newest_by_order(connection, application, component, datetime.now(UTC)).backup
    if not found:
        return {}
    proven_at = {backup.id: backup.moment for backup in found}
    proven_at |= {each.backup_id: each.ended_at for each in before if each.passed and each.backup_id in proven_at}
    backup = (newest or found[-1]) if choice == NEWEST else min(found, key=lambda each: proven_at[each.id])
    stores = [name for name in backup.stores if name in installation.stores] or list(backup.stores)
    return {
        "backup_id": backup.id,
        "name": str(backup.name),
        "store": store_name or _next_store(stores, before[-1].store if before else ""),
        "manifest_sha256": backup.manifest_sha256,
    }


def _next_store(stores: list[str], last: str) -> str:
    """The store after the one that was drilled last, in turn, so that each copy is proven."""
    return stores[(stores.index(last) + 1) % len(stores)] if last in stores else stores[0]


def _signers(installation: Installation, applications: list[str]) -> dict[str, str]:
    """Executor and reviewer: those of the first schedule that names one of the applications."""
    for schedule in installation.schedules.values():
        if set(applications) & set(schedule.applications):
            return {"executor": schedule.executor, "reviewer": schedule.reviewer}
    return {"executor": "", "reviewer": ""}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
