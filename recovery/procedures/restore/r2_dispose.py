"""Step 2: "Mendisposisi permintaan restore data kepada Kabid Aptika"."""

from recovery.installation import Installation
from recovery.procedures.decided import decided
from recovery.procedures.documents import issue_form
from recovery.records.steps import StepResult

FORWARDED = "diteruskan"
RETURNED = "dikembalikan"


def dispose(installation: Installation, procedure_id: str) -> StepResult:
    """Given the Kadis's decision (checked and recorded by now), put it on the request's form: routing, no judgement."""
    decision = decided(installation, procedure_id, "restore.2")
    issue_form(installation, procedure_id, "restore_request", version=2)
    return StepResult(evidence=decision)
