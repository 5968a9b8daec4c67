"""Step 3 of the restore procedure: "Melakukan verifikasi jenis dan kewenangan data"."""

from recovery.installation import Installation
from recovery.procedures.restore import r3_verify_authority
from recovery.records.steps import StepResult
from tasks.progress import show_progress
from tasks.step import step


@step("restore.3")
def verify_authority(installation: Installation, procedure_id: str) -> StepResult:
    """Put the decision on the form and, when it is to go on, rehearse; how far the rehearsal is becomes an artifact."""
    tell = show_progress("kemajuan-gladi", "Gladi restore")
    return r3_verify_authority.verify_authority(installation, procedure_id, tell=tell)
