"""Step 5 of the backup procedure: "Mengisi formulir pelaksanaan back up"."""

from recovery.installation import Installation
from recovery.procedures.backup import b5_fill_in_form
from recovery.records.steps import StepResult
from tasks.dashboard import show_applications
from tasks.step import step


@step("backup.5")
def fill_in_form(installation: Installation, procedure_id: str) -> StepResult:
    """Issue the run's form, and write anew the pages of its applications: what is secured counts before the review."""
    result = b5_fill_in_form.fill_in_form(installation, procedure_id)
    show_applications(installation, procedure_id)
    return result
