"""Carrying out an approved plan, set by set: each is looked at once more right before its removal, and left if anything
about it is otherwise than it was approved."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from recovery.canonical import digest
from recovery.errors import LeaseHeldError, NotFoundError, ProcedureError, PulihError, StoreError
from recovery.installation import Installation
from recovery.points import reached
from recovery.procedures.working import LEASE_SECONDS, hold_set
from recovery.records import approvals, backups, destructions, leases, procedures
from recovery.records.backups import Backup
from recovery.records.destructions import Destruction
from recovery.records.leases import KeptLease
from recovery.retention import plan_retention
from recovery.retention_own_records import KEY as OWN_RECORDS
from recovery.retention_own_records import planned_record, stored_records
from recovery.retention_plan import Removal, copies_at_fault, removal_of
from recovery.retention_records import newest_entry_at, newest_moment, stored_sets
from recovery.sets import set_prefix
from recovery.sop import RETENTION_APPROVAL

logger = logging.getLogger(__name__)

RESOURCE = "retention"
PURPOSE = "destroy sets"


@dataclass(frozen=True)
class _Seen:
    """What the stores say of a component: why which sets do not count, and the sets that only stores know."""

    faults: dict[str, str]
    records: list[Backup]


@contextmanager
def alone(installation: Installation, procedure_id: str) -> Iterator[KeptLease]:
    """Hold the lease of retention while the block runs: one plan is drawn up or carried out at a time.

    Raises LeaseHeldError, which names the holder.
    """
    lease = leases.acquire(installation.catalog, RESOURCE, procedure_id, LEASE_SECONDS, PURPOSE)
    try:
        with leases.keep(installation.catalog, lease) as kept:
            yield kept
    finally:
        leases.release(installation.catalog, lease)


def carry_out(installation: Installation, procedure_id: str, *, now: datetime | None = None) -> None:
    """Given a procedure whose plan was approved, destroy what stands in it; repeated after a kill, go on with it.

    A set that is not in the plan any more when it is made anew, is held, locked, in use, or consists of other objects
    than the plan names, is skipped with the reason. What a store refuses stays begun, for the next call or procedure.
    Raises ApprovalError when the approval does not hold, ProcedureError when another plan took this one's place.
    """
    with alone(installation, procedure_id) as kept:
        with installation.catalog.read() as connection:
            document = approved_plan(connection, installation, procedure_id, now=now)
        seen: dict[str, _Seen] = {}
        for item in document["destroy"]:
            kept.check()
            _carry_out_item(installation, procedure_id, item, seen, now)


def finish_begun(installation: Installation) -> list[Destruction]:
    """Remove what is left of sets whose removal was approved and begun and never ended; return what is left still.

    Call it with the lease of retention.
    """
    with installation.catalog.read() as connection:
        begun = destructions.unfinished(connection)
    for each in begun:
        try:
            with hold_set(installation, each.backup_id, each.procedure_id, PURPOSE, patience=0.0) as kept:
                _remove(installation, each, kept)
        except LeaseHeldError as error:
            logger.warning("%s", error)
    with installation.catalog.read() as connection:
        return destructions.unfinished(connection)


def approved_plan(
    connection: Connection, installation: Installation, procedure_id: str, *, now: datetime | None = None
) -> dict[str, Any]:
    """Given a procedure, return its plan if exactly that was approved. Raises ApprovalError, ProcedureError."""
    procedure = procedures.get(connection, procedure_id)
    if procedure.state != "open":
        raise ProcedureError(
            f"the retention {procedure_id} is closed ({procedure.outcome})",
            state="nothing more was destroyed",
            hint="start the deployment anew: what is still to go is drawn up again",
        )
    document: dict[str, Any] = procedure.parameters["plan"]
    decision = approvals.decision_of(connection, procedure_id, RETENTION_APPROVAL)
    form = decision.binding if decision else {}
    binding = {**form, "plan_sha256": digest(document)}
    approvals.still_valid(connection, procedure_id, RETENTION_APPROVAL, binding, installation.enrolment_key(), now=now)
    return document


def _carry_out_item(
    installation: Installation,
    procedure_id: str,
    item: dict[str, Any],
    seen: dict[str, _Seen],
    now: datetime | None,
) -> None:
    with installation.catalog.read() as connection:
        backup = _planned(connection, item)
        mine = destructions.of_procedure(connection, procedure_id).get(backup.id)
    if mine is not None and mine.state != destructions.BEGUN:
        return
    try:
        with hold_set(installation, backup.id, procedure_id, PURPOSE, patience=0.0) as kept:
            if mine is None:
                mine = _begin(installation, procedure_id, item, backup, seen, now)
            if mine is not None:
                _remove(installation, mine, kept)
    except LeaseHeldError:
        if mine is None:
            _skip(installation, procedure_id, backup, "sedang dibaca atau disalin oleh proses lain")


def _begin(
    installation: Installation,
    procedure_id: str,
    item: dict[str, Any],
    backup: Backup,
    seen: dict[str, _Seen],
    now: datetime | None,
) -> Destruction | None:
    """Look once more; if all is as it was approved, record that the removal begins. Else skip it and return None."""
    try:
        if backup.key not in seen:
            seen[backup.key] = _look(installation, backup)
        removal = removal_of(installation, backup)
    except PulihError as error:
        _skip(installation, procedure_id, backup, f"penyimpanan tidak dapat diperiksa: {error.message}")
        return None
    if removal.locked:
        _skip(installation, procedure_id, backup, f"terkunci: {removal.locked}")
        return None
    with installation.catalog.begin() as connection:
        # In the transaction in which the set is given up: nobody can hold, restore or destroy anything in between.
        approved_plan(connection, installation, procedure_id, now=now)
        why = _otherwise(connection, installation, item, removal, seen[backup.key], now or datetime.now(UTC))
        if why:
            destructions.skip(connection, procedure_id, backup, why)
            return None
        destructions.begin(connection, procedure_id, backup, removal.objects)
        mine = destructions.of_procedure(connection, procedure_id)[backup.id]
    reached("retention: begun")
    return mine


def _look(installation: Installation, backup: Backup) -> _Seen:
    """Look into the stores at the component of a backup, before the transactions in which its sets are given up."""
    records = stored_records(installation) if backup.key == OWN_RECORDS else []
    with installation.catalog.read() as connection:
        stored = stored_sets(connection, installation, component=backup.key, records=records)
        known = {each.id: each for each in [*backups.list_backups(connection, backup.application), *records]}
    return _Seen(copies_at_fault(installation, stored, known, backup.key), records)


def _otherwise(
    connection: Connection,
    installation: Installation,
    item: dict[str, Any],
    removal: Removal,
    seen: _Seen,
    now: datetime,
) -> str:
    """Return in Indonesian what is otherwise than it was approved; "" when nothing is."""
    backup = _planned(connection, item)
    if (backup.state, backup.manifest_sha256) != ("secured", item["manifest_sha256"]):
        return f"keadaannya bukan lagi seperti saat disetujui ({backup.state})"
    stored = [
        replace(each, fault=seen.faults.get(each.id, ""))
        for each in stored_sets(connection, installation, component=backup.key, records=seen.records)
    ]
    plan = plan_retention(stored, now, newest_entry_at(connection), newest_anywhere=newest_moment(connection))
    planned = plan.find(backup.id)
    if planned is None:
        return "tidak lagi ada dalam penyimpanan seperti saat disetujui"
    if planned.decision != "destroy":
        return "; ".join(SKIPPED_WORDS[reason] for reason in planned.reasons)
    if (removal.objects, removal.left_in) != (item["objects"], item.get("left_in", [])):
        return "isi cadangan di penyimpanan bukan lagi seperti saat disetujui"
    return ""


# Why a set that was approved for destruction stays after all.
SKIPPED_WORDS = {
    "verified": "kini termasuk cadangan terverifikasi terbaru yang selalu tinggal",
    "age": "kini belum melewati masa simpan",
    "daily": "kini cadangan harian yang tinggal",
    "weekly": "kini cadangan mingguan yang tinggal",
    "monthly": "kini cadangan bulanan yang tinggal",
    "yearly": "kini cadangan tahunan yang tinggal",
    "hold": "ditahan (penahanan hukum)",
    "in use": "aplikasinya sedang dalam proses restore",
    "locked": "terkunci",
    "no policy": "ketentuan retensinya tidak tercatat",
    "clock": "jam server tidak dapat dipercaya",
}


def _planned(connection: Connection, item: dict[str, Any]) -> Backup:
    """The backup that stands in a plan, as it is recorded now; of the own records only the plan is a record."""
    return planned_record(item) if item["component"] == OWN_RECORDS else backups.get(connection, item["backup_id"])


def _skip(installation: Installation, procedure_id: str, backup: Backup, why: str) -> None:
    with installation.catalog.begin() as connection:
        destructions.skip(connection, procedure_id, backup, why)


def _remove(installation: Installation, destruction: Destruction, kept: KeptLease) -> None:
    """Remove the objects of a set whose removal has begun, in their order; see that nothing is left, and record it."""
    with installation.catalog.read() as connection:
        plan = procedures.get(connection, destruction.procedure_id).parameters["plan"]
        (item,) = (each for each in plan["destroy"] if each["backup_id"] == destruction.backup_id)
        backup = _planned(connection, item)
    prefix = set_prefix(backup.unit, backup.application, str(backup.name))
    trouble = []
    # In the others nothing lay when it began; that must still be so.
    for store_name in dict.fromkeys([*destruction.objects, *installation.stores]):
        try:
            store = installation.removal_store(store_name)
            for key in destruction.objects.get(store_name, []):
                kept.check()
                store.remove(key)
                reached("retention: object removed")
            left = [info.key for info in store.list(f"{prefix}/")]
            if left:
                raise StoreError(
                    f"{left[0]} is still there, or was put there since",
                    state="the backup is still being destroyed",
                    hint="see who may write into that store; the next run removes it",
                )
        except (StoreError, NotFoundError) as error:
            # The other store may do its work; this one is tried again by the next call.
            trouble.append(f"{store_name}: {error.message}")
    with installation.catalog.begin() as connection:
        if trouble:
            destructions.note(connection, destruction.procedure_id, backup.id, "; ".join(trouble))
            return
        destructions.end(connection, destruction.procedure_id, backup)
    reached("retention: recorded")
