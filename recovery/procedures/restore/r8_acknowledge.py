"""Step 8 (printed as 7): "Menerima informasi status aduan kerusakan data"."""

from recovery.installation import Installation
from recovery.procedures.decided import decided
from recovery.procedures.documents import issue_form
from recovery.records.steps import StepResult


def acknowledge(installation: Installation, procedure_id: str) -> StepResult:
    """Given the requester's receipt (already checked and recorded), put it on the form, as a new version of it."""
    decision = decided(installation, procedure_id, "restore.8")
    issued = issue_form(installation, procedure_id, "restore", version=2)
    return StepResult(evidence={**decision, "form_number": issued.number, "form_sha256": issued.pdf_sha256})
