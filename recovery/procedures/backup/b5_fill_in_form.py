"""Step 5: "Mengisi formulir pelaksanaan back up"."""

from recovery.installation import Installation
from recovery.points import reached
from recovery.procedures.documents import issue_form
from recovery.records.steps import StepResult


def fill_in_form(installation: Installation, procedure_id: str) -> StepResult:
    """Issue one form for every component of the run, failures included; then remove what was only needed until here."""
    issued = issue_form(installation, procedure_id, "backup", version=1)
    # The form is the first thing that relies on the sets alone: staging and the run's identities can go.
    installation.sweep(procedure_id)
    reached("backup.5: staging and scratch removed")
    return StepResult(evidence={"form_number": issued.number, "form_sha256": issued.pdf_sha256})
