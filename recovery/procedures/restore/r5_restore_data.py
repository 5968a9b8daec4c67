"""Step 5: "Membuat proses restore data pada data terbaru"."""

import time
from datetime import UTC, datetime

from recovery.errors import ProcedureError
from recovery.installation import Installation
from recovery.procedures.restore.go_ahead import require_go_ahead
from recovery.procedures.restore.inventoried import require_in_inventory
from recovery.procedures.restore.plan import approved_plan
from recovery.procedures.restore.quiet import make_quiet
from recovery.procedures.restore.swapping import require_not_undone, swap_all
from recovery.procedures.working import require_still_open, work_on
from recovery.records import steps
from recovery.records.steps import StepResult


def restore_data(installation: Installation, procedure_id: str) -> StepResult:
    """Given stopped services, make the rehearsed copies live by atomic swaps; the old data stays as the safety copy.

    Raises ProcedureError when step 4 did not prove the service stopped (nothing is touched then) and SwapError when
    the old data was put back.
    """
    with installation.catalog.read() as connection:
        stopped = steps.evidence_of(connection, procedure_id, "restore.4")
        verified = steps.evidence_of(connection, procedure_id, "restore.3") or {}
    if stopped is None:
        raise ProcedureError(
            "the service is not proven to be stopped",
            state="the data was not touched",
            hint="see why step 4 failed; step 6 starts the service again",
        )
    plan = approved_plan(installation, procedure_id)
    require_in_inventory(installation, procedure_id, plan.application, plan.components)
    with work_on(installation, plan.components, procedure_id, "restore", release=False) as held:
        require_still_open(installation, procedure_id)
        require_go_ahead(installation, procedure_id, plan)
        # Before the services are stopped again: the guard may have ended this restore, and people work by now.
        require_not_undone(installation, procedure_id)
        begun_at, begun = datetime.now(UTC), time.monotonic()
        make_quiet(installation, plan.application, plan.components, held)
        swapped = swap_all(installation, procedure_id, plan, verified["rehearsal"], held)
        milliseconds = round((time.monotonic() - begun) * 1000)
    return StepResult(
        evidence={
            "status": "diganti",
            "begun_at": begun_at.isoformat(timespec="microseconds"),
            "ended_at": datetime.now(UTC).isoformat(timespec="microseconds"),
            # Proof of quiet and swap: the part of the downtime that is ours.
            "milliseconds": milliseconds,
            "components": {
                component: {**swapped[component], "backup": plan.backups[component]["name"]}
                for component in plan.components
            },
        }
    )
