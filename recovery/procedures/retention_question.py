"""What the Kabid is asked before sets are destroyed: the plan, what stays, and the Berita Acara by its hash."""

from typing import Any

from sqlalchemy import Connection

from recovery.calendar import format_bytes, format_moment, format_number
from recovery.installation import Installation
from recovery.procedures.retention_document import APPROVED, REJECTED, expired_words, titled
from recovery.records import backups, forms, procedures
from recovery.records.approvals import Question
from recovery.retention_own_records import KEY as OWN_RECORDS
from recovery.sop import RETENTION_APPROVAL, RETENTION_APPROVAL_TITLE

EXECUTOR_EXCLUDED = "Pelaksana tidak boleh menyetujui pemusnahan cadangan yang dibuatnya."
# A dialogue with hundreds of lines is read by nobody; the document has them all.
LONGEST_LIST = 60


def retention_question(installation: Installation, procedure_id: str) -> Question:
    """Given a retention procedure whose record is drawn up, return its question.

    The answer is bound to the recorded plan and to the bytes of the Berita Acara. Who executed the schedules that took
    these backups, or executes them now, does not decide on them.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        drawn_up = forms.list_forms(connection, procedure_id)[0]
        plan: dict[str, Any] = procedure.parameters["plan"]
        destroyed = plan["destroy"]
        executors = _executors(connection, installation, destroyed)
    shown = [[each["name"], f"{format_moment(each['moment'])} – {expired_words(each)}"] for each in destroyed]
    if len(shown) > LONGEST_LIST:
        rest = f"{format_number(len(shown) - LONGEST_LIST)} cadangan lain: daftar lengkap pada {drawn_up.number}"
        shown = [*shown[:LONGEST_LIST], ["Dan", rest]]
    kept = [
        [
            titled(installation, each["component"]),
            f"{each['verified']} terverifikasi, dimusnahkan {each['destroyed']}, tetap ada {each['verified_after']} "
            f"(ketentuan: paling sedikit {each['promised']})",
        ]
        for each in plan["components"]
    ]
    issued = [
        ["Nomor dan versi", f"{drawn_up.number} versi {drawn_up.version}"],
        ["Jumlah cadangan", format_number(len(destroyed))],
        ["Ukuran", format_bytes(sum(each["bytes"] * len(each["stores"]) for each in destroyed))],
        ["Menunggu kunci berakhir", format_number(len(plan["wait"]))],
        ["SHA-256 rencana", procedure.parameters["plan_sha256"]],
        ["SHA-256 dokumen", drawn_up.pdf_sha256],
        ["Akibat", "Cadangan yang dimusnahkan tidak dapat dikembalikan."],
    ]
    return Question(
        procedure_id=procedure_id,
        step_id=RETENTION_APPROVAL,
        roles=("kabid",),
        document={
            "judul": drawn_up.facts["title"],
            "langkah": RETENTION_APPROVAL_TITLE,
            "bagian": [
                {"judul": "Dokumen", "baris": issued},
                {"judul": "Yang tetap disimpan", "baris": kept},
                {"judul": "Cadangan yang akan dimusnahkan", "baris": shown},
            ],
        },
        choices=(APPROVED, REJECTED),
        refusals=(REJECTED,),
        excluded=dict.fromkeys(sorted(executors), EXECUTOR_EXCLUDED),
        binding={
            "plan_sha256": procedure.parameters["plan_sha256"],
            "form_number": drawn_up.number,
            "form_version": drawn_up.version,
            "form_sha256": drawn_up.pdf_sha256,
        },
    )


def _executors(connection: Connection, installation: Installation, destroyed: list[dict[str, Any]]) -> set[str]:
    """Who took these backups, by what each run recorded of its schedule: that one may have left the inventory, or have
    another executor since, who is kept out as well."""
    taken_in = {
        backups.get(connection, each["backup_id"]).procedure_id
        for each in destroyed
        if each["component"] != OWN_RECORDS  # no schedule took these, and the plan alone knows them
    }
    recorded = {procedures.get(connection, id).parameters["schedule"]["executor"] for id in taken_in}
    named = {each["schedule"] for each in destroyed}
    now = {schedule.executor for name, schedule in installation.schedules.items() if name in named}
    # A catalog that was rebuilt from the sets alone does not know who executed.
    return (recorded | now) - {""}
