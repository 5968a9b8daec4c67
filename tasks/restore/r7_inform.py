"""Step 6 of the restore procedure: "Menginformasikan status kerusakan kepada Pemohon"."""

from recovery.installation import Installation
from recovery.procedures.restore import r7_inform
from recovery.records.steps import StepResult
from tasks.dashboard import show_applications
from tasks.step import step


@step("restore.7")
def inform(installation: Installation, procedure_id: str) -> StepResult:
    """Issue the form, tell the requester, and write anew the application's page: its data is what it is by now."""
    result = r7_inform.inform(installation, procedure_id)
    show_applications(installation, procedure_id)
    return result
