"""Opening a backup procedure: which schedule, which components, routine or out of schedule."""

from typing import Any

from recovery.errors import ConfigurationError, NotFoundError
from recovery.installation import RELEASE, Installation
from recovery.procedures.schedule_approval import approval_of
from recovery.records import backups, procedures, steps
from recovery.records.procedures import Procedure


def begin_backup(
    installation: Installation,
    procedure_id: str,
    *,
    schedule_name: str,
    routine: bool,
    reason: str = "",
    cites: str = "",
) -> dict[str, Any]:
    """Given a schedule, open the backup procedure (again, after a suspend or retry) and return its plain data.

    `routine` says that the schedule itself started the run; otherwise the SOP's form wants a reason. `cites` names the
    form of an earlier run whose failed components are backed up again. Returns {"id", "components"}.
    Raises NotFoundError for an unknown schedule or form, ConfigurationError for a missing reason.

    A run that comes again is judged by what it was opened with: whatever the inventory says by now, and whatever was
    mended of the run that it cites, what it did is still to be reviewed and closed.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.find(connection, procedure_id)
    if procedure is None:
        procedure = _open(installation, procedure_id, schedule_name, routine, reason, cites)
    return {"id": procedure.id, "components": procedure.parameters["components"]}


def _open(
    installation: Installation, procedure_id: str, schedule_name: str, routine: bool, reason: str, cites: str
) -> Procedure:
    schedule = installation.schedule(schedule_name)
    if not routine and not reason.strip() and not cites:
        raise ConfigurationError(
            "a backup out of schedule needs a reason",
            state="nothing was backed up",
            hint="start it again and fill in 'Alasan di luar jadwal'",
        )
    components = [
        f"{name}/{component.name}"
        for name in schedule.applications
        for component in installation.application(name).components
    ]
    if cites:
        components = _failed_components(installation, cites, components)
    return procedures.open_procedure(
        installation.catalog,
        procedure_id,
        "backup",
        schedule=schedule_name,
        parameters={
            "schedule": schedule.model_dump(),
            "components": components,
            "routine": routine,
            # What the run cites. Without an approved schedule it runs all the same: data first, paper after it.
            "approval": approval_of(installation, schedule_name).to_json(),
        },
        reason=reason.strip(),
        cites=cites,
        release=RELEASE,
    )


def _failed_components(installation: Installation, cites: str, components: list[str]) -> list[str]:
    with installation.catalog.read() as connection:
        cited = procedures.by_form(connection, cites)
        if cited is None or cited.kind != "backup":
            raise NotFoundError(
                f"no backup form has the number {cites!r}",
                state="nothing was backed up",
                hint="copy the number from the form of the run that failed; `pulih backups` lists them",
            )
        secured = {
            row.component
            for row in steps.list_steps(connection, cited.id)
            if row.step_id == "backup.4" and row.state == "done"
        }
        # Also what a synchronisation completed since.
        secured |= {made.key for made in backups.list_of_procedure(connection, cited.id) if made.state == "secured"}
    failed = [component for component in cited.parameters["components"] if component not in secured]
    again = [component for component in failed if component in components]
    if not again:
        raise ConfigurationError(
            f"nothing failed under {cites} that this schedule still names",
            state="nothing was backed up",
            hint="start a backup out of schedule with a reason instead",
        )
    return again
