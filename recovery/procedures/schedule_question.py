"""What the approving official of a schedule is asked: the document that was drawn up, word for word."""

from typing import Any

from recovery.canonical import digest
from recovery.installation import Installation
from recovery.procedures.schedule_approval import APPROVED, REJECTED
from recovery.records import forms, procedures
from recovery.records.approvals import Question
from recovery.records.forms import Form
from recovery.sop import SCHEDULE_APPROVAL, SCHEDULE_APPROVAL_TITLE

EXECUTOR_EXCLUDED = "Pelaksana tidak boleh mengesahkan jadwalnya sendiri."


def schedule_question(installation: Installation, procedure_id: str) -> Question:
    """Given an approval of a schedule whose document is drawn up, return its question.

    Only the official whom the schedule names may answer, whatever his role; the answer is bound to the schedule's
    content and to the document's bytes.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        drawn_up = forms.list_forms(connection, procedure_id)[0]
    content = procedure.parameters["content"]
    issued = [
        ["Nomor dan versi", f"{drawn_up.number} versi {drawn_up.version}"],
        ["Menggantikan", procedure.parameters["replaces"] or "– (belum ada jadwal yang disahkan)"],
        ["SHA-256 dokumen", drawn_up.pdf_sha256],
    ]
    return Question(
        procedure_id=procedure_id,
        step_id=SCHEDULE_APPROVAL,
        roles=(),
        only=(content["approved_by"],),
        document={
            "judul": drawn_up.facts["title"],
            "langkah": SCHEDULE_APPROVAL_TITLE,
            "bagian": [*_sections(drawn_up), {"judul": "Dokumen", "baris": issued}],
        },
        choices=(APPROVED, REJECTED),
        refusals=(REJECTED,),
        excluded={content["executor"]: EXECUTOR_EXCLUDED},
        binding={
            "content_sha256": digest(content),
            "form_number": drawn_up.number,
            "form_version": drawn_up.version,
            "form_sha256": drawn_up.pdf_sha256,
        },
    )


def _sections(form: Form) -> list[dict[str, Any]]:
    """The printed form's blocks as sections of an approval's document."""
    return [
        {
            "judul": block["title"] or section["title"],
            "baris": [[row["label"], "; ".join(row["value"].splitlines())] for row in block["rows"]],
        }
        for section in form.facts["sections"]
        for block in section["blocks"]
    ]
