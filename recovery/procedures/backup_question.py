"""What the Kabid is asked in step 6 of a backup: whether its form is in order."""

from recovery.calendar import format_moment, format_number
from recovery.installation import Installation
from recovery.procedures.backup_document import failed_step, failure_in_words, reason_in_words, warnings_in_words
from recovery.procedures.restore.inventoried import component_title_and_key
from recovery.procedures.schedule_approval import basis_of, recorded_approval
from recovery.records import backups, procedures, steps
from recovery.records.approvals import Question
from recovery.records.backups import Backup
from recovery.records.steps import StepRow
from recovery.sop import step

# What he finds, by the name of his answer and as the SOP's form prints it.
REVIEW_CHECKS = {
    "berhasil_diverifikasi": "Berhasil diverifikasi",
    "nama_sesuai": "Nama sesuai ketentuan",
    "tersimpan_aman": "Tersimpan aman",
}
SCHEDULE_CHECK = {"sesuai_jadwal": "Sesuai jadwal"}
EXECUTOR_EXCLUDED = "Pelaksana tidak boleh memeriksa pekerjaannya sendiri."


def backup_question(installation: Installation, procedure_id: str) -> Question:
    """Given a backup whose form is filled in, return the Kabid's question, in the form's words, bound to that form."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        form = steps.evidence_of(connection, procedure_id, "backup.5") or {}
        made = {backup.key: backup for backup in backups.list_of_procedure(connection, procedure_id)}
        rows = steps.list_steps(connection, procedure_id)
    schedule = procedure.parameters["schedule"]
    approval = recorded_approval(procedure)
    conformity = [] if approval.approved else [["Kesesuaian jadwal", f"TIDAK SESUAI – {approval.words}"]]
    warnings = [warnings_in_words(key, made[key]) for key in procedure.parameters["components"] if key in made]
    problems = [["Kendala", words] for words in warnings if words]
    document = {
        "judul": "Formulir Pelaksanaan Back Up Data",
        "langkah": step("backup.6").title,
        "bagian": [
            {
                "judul": "Identitas",
                "baris": [
                    ["Nomor formulir", form.get("form_number", "")],
                    ["Jadwal (dasar)", basis_of(procedure)],
                    *conformity,
                    [
                        "Jenis",
                        "Rutin" if procedure.parameters["routine"] else f"Di luar jadwal: {reason_in_words(procedure)}",
                    ],
                    ["Waktu mulai", format_moment(procedure.opened_at)],
                    ["SHA-256 formulir", form.get("form_sha256", "")],
                ],
            },
            {
                "judul": "Hasil",
                "baris": [
                    [component_title_and_key(installation, component), _result(made.get(component), rows, component)]
                    for component in procedure.parameters["components"]
                ]
                + problems,
            },
        ],
    }
    return Question(
        procedure_id=procedure_id,
        step_id="backup.6",
        roles=("kabid",),
        document=document,
        choices=("sesuai", "tidak sesuai"),
        refusals=("tidak sesuai",),
        excluded={schedule["executor"]: EXECUTOR_EXCLUDED},
        binding={"form_sha256": form.get("form_sha256", "")},
        # A run that is out of schedule, or whose schedule nobody approved, says so itself: he may accept it as that.
        checks={**(SCHEDULE_CHECK if procedure.parameters["routine"] and approval.approved else {}), **REVIEW_CHECKS},
    )


def _result(backup: Backup | None, rows: list[StepRow], component: str) -> str:
    if backup is None or backup.state != "secured":
        return f"GAGAL – {failure_in_words(failed_step(rows, component))}"
    objects = format_number(backup.facts["fingerprint"]["totals"]["rows"])
    return f"Berhasil – {backup.name}, {objects} objek, terverifikasi dan diamankan"
