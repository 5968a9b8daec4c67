"""The facts of Formulir Pelaksanaan Back Up Data, from the records."""

from typing import Any

from recovery.errors import NotFoundError
from recovery.forms import backup as form_of_backup
from recovery.forms.backup import FAILED, INCOMPLETE, SUCCEEDED, UNKNOWN, BackupAsset, BackupForm, BackupReview
from recovery.forms.model import Document, FormFacts, lines, mask_nik
from recovery.installation import Installation
from recovery.procedures.backup.b4_secure import UNLOCKED
from recovery.procedures.people import approval_of, signer
from recovery.procedures.schedule_approval import basis_of, recorded_approval
from recovery.records import backups, ledger, procedures, steps
from recovery.records.backups import COPIED, Backup
from recovery.records.procedures import Procedure
from recovery.records.steps import StepRow
from recovery.sets import set_prefix
from recovery.sop import step

# Step 1 says "sesuai dengan jadwal yang telah ditetapkan".
NOT_BY_SCHEDULE = "back up ini tidak berdasarkan jadwal yang telah ditetapkan (langkah 1)."
KEY_HOLDERS = "Pelaksana (kunci operasional); kunci cadangan disimpan dalam amplop tersegel (escrow)"


def backup_facts(installation: Installation, procedure_id: str, document: Document) -> FormFacts:
    """Given a backup procedure, return the facts of its form: every component, failures included."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        rows = steps.list_steps(connection, procedure_id)
        made = {backup.key: backup for backup in backups.list_of_procedure(connection, procedure_id)}
        copied = ledger.entries(connection, procedure_id=procedure_id, kind=COPIED, last=None)
        reviewer, approval, decision = approval_of(connection, procedure_id, "backup.6")
        schedule = procedure.parameters["schedule"]
        executor = signer(connection, schedule["executor"])
        if approval is None:
            reviewer = signer(connection, schedule["reviewer"])
    components = procedure.parameters["components"]
    places = {key: _places(key, rows, copied) for key in components}
    ended = [row.ended_at for row in rows if row.component and row.ended_at]
    return form_of_backup.build(
        document,
        BackupForm(
            schedule=basis_of(procedure),
            routine=procedure.parameters["routine"],
            reason=reason_in_words(procedure),
            started_at=procedure.opened_at,
            ended_at=max(ended, default=procedure.opened_at),
            execution_id=procedure_id,
            assets=tuple(_asset(installation, procedure, key, made.get(key), rows, places[key]) for key in components),
            problems=lines(
                _nonconformity(procedure),
                *(warnings_in_words(key, made[key]) for key in components if key in made),
                *(_unlocked(key, places[key]) for key in components),
            ),
            follow_up=_follow_up(components, made, rows),
            executor=executor,
            reviewer=reviewer,
            review=BackupReview(**_review(decision), approval=approval),
        ),
    )


def _places(key: str, rows: list[StepRow], copied: list[ledger.Entry]) -> dict[str, dict[str, str]]:
    """What keeps each copy of a component where it lies, by store: by step 4, or by the synchronisation after it."""
    evidence: dict[str, Any] = next(
        (row.evidence or {} for row in rows if (row.component, row.step_id) == (key, "backup.4")), {}
    )
    later = [each.facts for each in copied if each.component == key]
    return {place["store"]: place for place in [*evidence.get("locations", []), *later]}


def _asset(
    installation: Installation,
    procedure: Procedure,
    key: str,
    backup: Backup | None,
    rows: list[StepRow],
    places: dict[str, dict[str, str]],
) -> BackupAsset:
    identity = _identity(installation, key)
    failed = failed_step(rows, key)
    if backup is None or not backup.stores:
        unknown = backup is not None and backup.verdict == "error"
        return BackupAsset(
            **identity,
            status=UNKNOWN if unknown else FAILED,
            failure=failure_in_words(failed),
            verification=_checks(backup),
        )
    schedule = procedure.parameters["schedule"]
    locked = _locked(backup, schedule, places)
    totals = backup.facts["fingerprint"]["totals"]
    digests = backup.facts["digests"]
    return BackupAsset(
        **identity,
        source_version=_version(backup.facts["tools"]),
        status=SUCCEEDED if backup.state == "secured" else INCOMPLETE,
        failure=_missing_copy(backup, failed),
        name=backup.name or "",
        size=digests["cipher_size"],
        objects=totals["rows"],
        objects_unit=f"baris dalam {totals['objects']} tabel" if backup.kind != "files" else "berkas dan direktori",
        sha256=digests["cipher_sha256"],
        verification=_checks(backup),
        test_restore="Dimuat ke salinan uji dari berkas yang sama dengan yang disimpan: LULUS",
        main_location=_location(installation, backup, schedule["store"]),
        offsite_location=_location(installation, backup, schedule["offsite_store"]),
        encryption=f"age (X25519), {len(backup.facts['recipients'])} penerima",
        key_holders=KEY_HOLDERS,
        locked_until=backup.retention_until or "" if locked else "",
        locked_only=" dan ".join(locked) if len(locked) < len(backup.stores) else "",
        retention_until=backup.retention_until or "",
    )


def _identity(installation: Installation, key: str) -> dict[str, Any]:
    try:
        application, component = installation.component(key)
    except NotFoundError:
        # Taken out of the inventory while the Kabid was waited for: the version that he reviews says the rest.
        name, _, part = key.partition("/")
        return {"application": name, "owner_unit": "", "server": "", "component": part, "location": ""}
    return {
        "application": application.title,
        "owner_unit": application.owner_unit_title,
        "server": installation.host_of(application).title(),
        "component": component.printed_name,
        "location": component.location,
        "data_kind": component.data_kind,
        "classification": application.classification,
        "personal_data": application.personal_data,
    }


def _location(installation: Installation, backup: Backup, store_name: str) -> str:
    """Where a copy lies; "" when there is none there. Of a store that the inventory names no more, its name."""
    if store_name not in backup.stores:
        return ""
    if store_name not in installation.stores:
        return store_name
    return installation.store(store_name).location(set_prefix(backup.unit, backup.application, str(backup.name)))


def _locked(backup: Backup, schedule: dict[str, Any], places: dict[str, dict[str, str]]) -> list[str]:
    """Which of a backup's locations keep it locked, as the form calls them."""
    called = {schedule["store"]: "lokasi utama", schedule["offsite_store"]: "lokasi terpisah"}
    return [
        called.get(store, store)
        for store in backup.stores
        if places.get(store, {}).get("protection", UNLOCKED) != UNLOCKED
    ]


def _unlocked(key: str, places: dict[str, dict[str, str]]) -> str:
    """A store that was to lock and cannot is accepted by `without_lock: warn`, and by nobody who is not told of it."""
    stores = [
        store
        for store, place in places.items()
        if place.get("protection") == UNLOCKED and place.get("demanded", UNLOCKED) != UNLOCKED
    ]
    return (
        f"{key}: tidak terkunci di {', '.join(stores)}, yang tidak dapat mengunci (without_lock: warn)"
        if stores
        else ""
    )


def _missing_copy(backup: Backup, failed: StepRow | None) -> str:
    if failed is None:
        return ""
    if backup.state == "secured":
        return "salinan yang belum ada pada langkah 4 sudah dilengkapi (sinkronisasi)"
    return failure_in_words(failed)


def _follow_up(components: list[str], made: dict[str, Backup], rows: list[StepRow]) -> str:
    failed = [key for key in components if failed_step(rows, key)]
    incomplete = [key for key in failed if key in made and made[key].stores and made[key].state != "secured"]
    completed = [key for key in failed if key in made and made[key].state == "secured"]
    return lines(
        "Komponen yang gagal diulang dengan menyebut nomor formulir ini."
        if len(failed) > len(incomplete) + len(completed)
        else "",
        "Salinan yang belum ada dilengkapi dengan sinkronisasi penyimpanan; cadangan baru dihitung sesudah semua "
        "salinan cocok."
        if incomplete
        else "",
    )


def _version(tools: dict[str, str]) -> str:
    engines = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB"}
    named = [f"{title} {tools[name]}" for name, title in engines.items() if name in tools]
    return ", ".join(named or tools.values())


def _checks(backup: Backup | None) -> str:
    quality = backup.facts.get("quality") if backup else None
    if not quality:
        return ""
    counts = quality["counts"]
    return (
        f"Great Expectations dan sidik digital: {counts['checks']} pemeriksaan, {counts['pass']} lulus, "
        f"{counts['fail']} gagal, {counts['error']} tidak dapat diperiksa, {counts['warning']} peringatan"
    )


def failed_step(rows: list[StepRow], key: str) -> StepRow | None:
    """Given the steps of a backup and "application/component", return its step that stands as failed, or None."""
    failed = [row for row in rows if row.component == key and row.state == "failed"]
    return failed[0] if failed else None


def failure_in_words(failed: StepRow | None) -> str:
    """Given the step at which a component failed, or None when it only never came to its end, return what people read
    of it."""
    if failed is None:
        return "tidak selesai"
    # The technical text is the system's own and English; a file's name in it might look like a NIK.
    return mask_nik(f"langkah {step(failed.step_id).number} gagal (pesan sistem: {failed.error})")


def _nonconformity(procedure: Procedure) -> str:
    approval = recorded_approval(procedure)
    return "" if approval.approved else f"{approval.words}: {NOT_BY_SCHEDULE}"


def warnings_in_words(key: str, backup: Backup) -> str:
    """Given a component's key and its backup, return what step 1 could not take or do as it should; "" for nothing."""
    warnings = backup.facts.get("warnings", [])
    return mask_nik(f"{key}: " + "; ".join(warnings)) if warnings else ""


def reason_in_words(procedure: Procedure) -> str:
    """Given a backup, return why it is out of schedule: a repetition needs no reason but the form that it cites. "" for
    a routine one."""
    cited = f"mengulang komponen yang gagal pada formulir {procedure.cites}" if procedure.cites else ""
    return "; ".join(filter(None, (procedure.reason, cited)))


def _review(decision: dict[str, Any]) -> dict[str, Any]:
    if not decision:
        return {}
    answers = decision["answers"]
    return {
        "on_schedule": answers["sesuai_jadwal"] == "ya",
        "verified": answers["berhasil_diverifikasi"] == "ya",
        "named": answers["nama_sesuai"] == "ya",
        "secured": answers["tersimpan_aman"] == "ya",
        "conclusion": decision["decision"],
        "note": mask_nik(decision["note"]),
    }
