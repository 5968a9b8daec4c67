"""The facts of the Berita Acara Gladi Restore, from the records."""

from typing import Any

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.forms import drill as form_of_drill
from recovery.forms.drill import DrilledComponent, DrillForm
from recovery.forms.model import Document, FormFacts, mask_nik
from recovery.installation import Installation
from recovery.procedures.people import signer
from recovery.procedures.restore.inventoried import application_title, component_title
from recovery.records import backups, drills, procedures
from recovery.records.drills import Drilled
from recovery.records.procedures import Procedure
from recovery.sets import set_prefix

# What a component that nobody judged stands for: its process was stopped from outside.
UNFINISHED = "tidak selesai"


def drill_facts(installation: Installation, procedure_id: str, document: Document) -> FormFacts:
    """Given a drill, return the facts of its form: every component, also those that were not judged."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        judged = drills.of_procedure(connection, procedure_id)
        people = procedure.parameters["signers"]
        return form_of_drill.build(
            document,
            DrillForm(
                basis=f"Jadwal {procedure.schedule}" if procedure.schedule else "Di luar jadwal",
                started_at=procedure.opened_at,
                ended_at=max((each.ended_at for each in judged.values()), default=procedure.opened_at),
                execution_id=procedure_id,
                components=tuple(
                    _component(installation, connection, procedure, key, judged.get(key))
                    for key in procedure.parameters["components"]
                ),
                executor=signer(connection, people["executor"]),
                reviewer=signer(connection, people["reviewer"]),
            ),
        )


def _component(
    installation: Installation, connection: Connection, procedure: Procedure, key: str, judged: Drilled | None
) -> DrilledComponent:
    title = application_title(installation, key.partition("/")[0])
    names: dict[str, Any] = {"application": title, "component": component_title(installation, key)}
    earlier = [each for each in drills.of_component(connection, key) if each.procedure_id != procedure.id]
    passed = [each.ended_at for each in earlier if each.passed]
    last_passed = format_moment(passed[-1]) if passed else "belum pernah"
    if judged is None:
        return DrilledComponent(**names, verdict="error", error=UNFINISHED, last_passed=last_passed)
    # The technical text is the system's own and English; a file's name in it might look like a NIK.
    error = mask_nik(f"pesan sistem: {judged.error}") if judged.error else ""
    if not judged.backup_id:
        return DrilledComponent(**names, verdict=judged.verdict, error=error, last_passed=last_passed)
    backup = backups.get(connection, judged.backup_id)
    counts = judged.counts
    return DrilledComponent(
        **names,
        verdict=judged.verdict,
        error=error,
        name=judged.name,
        moment=format_moment(backup.moment),
        location=_location(installation, backup, judged.store),
        sha256=judged.manifest_sha256,
        objects=judged.rows if counts else None,
        objects_unit=f"baris dalam {judged.objects} tabel" if backup.kind != "files" else "berkas dan direktori",
        checks=f"Great Expectations dan sidik digital: {counts['checks']} pemeriksaan, {counts['pass']} lulus, "
        f"{counts['fail']} gagal, {counts['error']} tidak dapat diperiksa"
        if counts
        else "",
        begun_at=judged.begun_at,
        ended_at=judged.ended_at,
        last_passed=last_passed,
    )


def _location(installation: Installation, backup: backups.Backup, store_name: str) -> str:
    if store_name not in installation.stores:
        return store_name
    return installation.store(store_name).location(set_prefix(backup.unit, backup.application, str(backup.name)))
