"""Step 6: "Menerima dan memeriksa formulir back up"."""

from recovery.installation import Installation
from recovery.procedures.decided import decided
from recovery.procedures.documents import issue_form
from recovery.records.steps import StepResult


def review(installation: Installation, procedure_id: str) -> StepResult:
    """Given the Kabid's decision (already checked and recorded), put it on the form, as a new version of it."""
    decision = decided(installation, procedure_id, "backup.6")
    issued = issue_form(installation, procedure_id, "backup", version=2)
    return StepResult(evidence={**decision, "form_number": issued.number, "form_sha256": issued.pdf_sha256})
