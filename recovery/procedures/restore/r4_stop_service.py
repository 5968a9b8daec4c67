"""Step 4: "Mematikan web service yang ada di server sehingga tidak ada transaksi"."""

from recovery.installation import Installation
from recovery.procedures.restore.go_ahead import require_approved_target, require_go_ahead
from recovery.procedures.restore.interventions import STOPPING
from recovery.procedures.restore.inventoried import require_in_inventory, services_in_words
from recovery.procedures.restore.plan import approved_plan
from recovery.procedures.restore.quiet import make_quiet
from recovery.procedures.working import PATIENCE_SECONDS, work_on
from recovery.records import ledger, procedures
from recovery.records.steps import StepResult


def stop_service(installation: Installation, procedure_id: str) -> StepResult:
    """Given the executor's go-ahead, stop the application's services and prove that nothing is connected.

    Steps 4 to 6 are one critical section: the leases taken here are given back only by step 6.
    """
    plan = approved_plan(installation, procedure_id)
    require_in_inventory(installation, procedure_id, plan.application, plan.components)
    # A backup of the same application may be under way; stopping the service waits for it rather than disturbing it.
    patience = PATIENCE_SECONDS
    with work_on(installation, plan.components, procedure_id, "restore", patience=patience, release=False) as held:
        # After the waiting, not before: approvals may have run out meanwhile.
        require_go_ahead(installation, procedure_id, plan)
        # The swap asks this again. Asked here, a target that changed since costs no downtime.
        for component in plan.components:
            require_approved_target(installation, plan, component)
        stopped_at = _stopping_since(installation, procedure_id, plan.application)
        quiet = make_quiet(installation, plan.application, plan.components, held)
    return StepResult(evidence={"stopped_at": stopped_at, "quiet": quiet})


def _stopping_since(installation: Installation, procedure_id: str, application: str) -> str:
    """Record that the services are about to be stopped; return since when they are down, or are being stopped.

    A try that died may have stopped them: then that, and not this try, is when the downtime on the form began.
    """
    running = any(service.state() == "running" for service in installation.services(application))
    with installation.catalog.begin() as connection:
        # A try that was taken for dead may come here after another one failed and the restore was given up for it.
        procedures.require_open(connection, procedure_id)
        earlier = ledger.entries(connection, procedure_id=procedure_id, kind=STOPPING, last=1)
        if running or not earlier:
            facts = {"application": application, **services_in_words(installation, application)}
            ledger.append(connection, STOPPING, facts, procedure_id=procedure_id, step_id="restore.4")
            earlier = ledger.entries(connection, procedure_id=procedure_id, kind=STOPPING, last=1)
    return earlier[0].at
