"""Step 3: "Memberi nama back up sesuai dengan ketentuan"."""

from datetime import datetime

from recovery.errors import ConflictError, ProcedureError
from recovery.installation import Installation
from recovery.naming import render_name
from recovery.records import backups
from recovery.records.steps import StepResult


def name(installation: Installation, procedure_id: str, component: str) -> StepResult:
    """Given a verified backup, give it its name by the configured pattern.

    Raises ConfigurationError when the name does not read back to what it was made of, ConflictError when it is taken,
    ProcedureError when the backup was not verified: a name is what makes a backup count.
    """
    application, settings = installation.component(component)
    with installation.catalog.read() as connection:
        backup = backups.of_procedure(connection, procedure_id, component)
    if backup is None or backup.state == "staged" or backup.verdict != "pass":
        raise ProcedureError(
            f"the backup of {component} is not verified",
            state="it got no name",
            hint="retry the run: step 2 comes first",
        )
    chosen = render_name(
        installation.office.backup_name,
        application=application.name,
        component=settings.name,
        moment=datetime.fromisoformat(backup.moment),
    )
    with installation.catalog.read() as connection:
        holder = backups.by_name(connection, chosen)
    if holder is not None and holder.id != backup.id:
        raise ConflictError(
            f"the name {chosen} is taken by an earlier backup",
            state="the earlier backup is untouched; the new one is not stored",
            hint="start the backup again: its moment, and so its name, will differ",
        )
    return StepResult(
        evidence={"backup_id": backup.id, "name": chosen, "pattern": installation.office.backup_name},
        changes=[lambda connection: backups.mark_named(connection, backup.id, chosen)],
    )
