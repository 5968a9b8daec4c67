"""Step 6: "Mengaktifkan kembali web service pada server"."""

from datetime import UTC, datetime

from recovery.installation import Installation
from recovery.procedures.restore.interventions import downtime, running_since
from recovery.procedures.restore.inventoried import require_to_end
from recovery.procedures.restore.plan import approved_plan
from recovery.procedures.restore.restarting import restart
from recovery.procedures.working import release_all, require_still_open, work_on
from recovery.records.steps import StepResult

SUCCEEDED = "berhasil"
PUT_BACK = "dikembalikan"


def start_service(installation: Installation, procedure_id: str) -> StepResult:
    """Start the services and judge their health; when they are not well on the new data, put the old data back.

    Returns evidence with the true status: "berhasil" (new data live) or "dikembalikan" (old data live).
    Raises ServiceError when the services are not well on the old data either: an administrator is needed at once.
    """
    plan = approved_plan(installation, procedure_id)
    require_to_end(installation, procedure_id, plan)
    with work_on(installation, plan.components, procedure_id, "restore", release=False) as held:
        require_still_open(installation, procedure_id)
        # The guard may have started them, hours ago: then the downtime ended with that.
        earlier = running_since(installation, procedure_id, plan.application)
        restarted = restart(installation, procedure_id, plan, held)
    started_at = earlier.at if earlier else datetime.now(UTC).isoformat(timespec="microseconds")
    # Only now may a backup or another restore come near.
    release_all(installation, held)
    return StepResult(
        evidence={
            "status": SUCCEEDED if restarted.new_data else PUT_BACK,
            "started_at": started_at,
            "health": earlier.health if earlier else restarted.health,
            "trouble": restarted.trouble or (earlier.trouble if earlier else ""),
            "downtime_milliseconds": downtime(installation, procedure_id, started_at),
        }
    )
