"""The approval of a schedule before the question and after the answer: opening it, and issuing its document."""

from recovery.errors import ConfigurationError, ProcedureError
from recovery.installation import RELEASE, Installation
from recovery.procedures.documents import issue_schedule
from recovery.procedures.schedule_approval import KIND, approval_of, content_of
from recovery.records import forms, procedures
from recovery.records.procedures import SUPERSEDED


def begin_schedule(installation: Installation, procedure_id: str, schedule_name: str) -> str:
    """Given a schedule, open the approval of what the inventory says of it (again, after a suspend or retry).

    Returns "" when there is something to approve; else, with nothing opened, the sentence that says why not.
    Raises NotFoundError for an unknown schedule, ConfigurationError when nobody is named who approves it.
    """
    with installation.catalog.read() as connection:
        if procedures.find(connection, procedure_id) is not None:
            return ""
    approval = approval_of(installation, schedule_name)
    if approval.approved:
        return f"Jadwal Back Up {approval.cited} sudah disahkan, dan isinya tidak berubah."
    if not installation.schedule(schedule_name).approved_by:
        raise ConfigurationError(
            f"the schedule {schedule_name} names nobody who approves it",
            state="nothing was drawn up",
            hint="fill in approved_by in the inventory and: pulih apply",
        )
    procedures.open_procedure(
        installation.catalog,
        procedure_id,
        KIND,
        schedule=schedule_name,
        # The content as it is now: what is drawn up, asked and issued is one document, whatever is applied meanwhile.
        parameters={"content": content_of(installation, schedule_name), "replaces": approval.cited},
        release=RELEASE,
    )
    return ""


def draw_up(installation: Installation, procedure_id: str) -> forms.Form:
    """Issue the document that is to be approved, once. Raises ProcedureError when another approval took its place."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        drawn_up = forms.latest(connection, KIND, procedure_id)
    if drawn_up is None and procedure.state == "closed":
        raise ProcedureError(
            f"the approval {procedure_id} of {procedure.schedule} is closed",
            state="nothing was drawn up",
            hint="a newer approval of this schedule was started; answer that one",
        )
    return issue_schedule(installation, procedure_id, decided=False)


def put_decision(installation: Installation, procedure_id: str) -> forms.Form | None:
    """Issue the document with the decision on it, once; None when a newer approval of the schedule took its place."""
    with installation.catalog.read() as connection:
        if procedures.get(connection, procedure_id).outcome == SUPERSEDED:
            return None
    return issue_schedule(installation, procedure_id, decided=True)
