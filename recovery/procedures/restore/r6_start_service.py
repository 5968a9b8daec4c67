"""Step 6: "Mengaktifkan kembali web service pada server"."""

import logging
from datetime import UTC, datetime
from typing import Any

from recovery.errors import ServiceError
from recovery.installation import Installation
from recovery.points import reached
from recovery.procedures.restore.plan import Plan, approved_plan
from recovery.procedures.restore.quiet import make_quiet
from recovery.procedures.restore.swapping import keep_all, replaced, undo_all
from recovery.procedures.working import release_all, work_on
from recovery.records import steps
from recovery.records.steps import StepResult

logger = logging.getLogger(__name__)

SUCCEEDED = "berhasil"
PUT_BACK = "dikembalikan"


def start_service(installation: Installation, procedure_id: str) -> StepResult:
    """Start the services and judge their health; when they are not well on the new data, put the old data back.

    Returns evidence with the true status: "berhasil" (new data live) or "dikembalikan" (old data live).
    Raises ServiceError when the services are not well on the old data either: an administrator is needed at once.
    """
    plan = approved_plan(installation, procedure_id)
    with work_on(installation, plan.components, procedure_id, "restore", release=False) as held:
        new_data, trouble = replaced(installation, procedure_id), ""
        if not new_data:
            # Step 5 failed or was killed half way: whole old data, before anybody can use a mixture.
            undo_all(installation, procedure_id)
        try:
            health = _start_all(installation, plan)
        except ServiceError as error:
            if not new_data:
                raise
            trouble = error.message
            logger.warning("the service is not well on the new data, putting the old data back: %s", trouble)
            health = _go_back(installation, procedure_id, plan)
            new_data = False
        if new_data:
            keep_all(installation, procedure_id)
    started_at = datetime.now(UTC)
    # Only now may a backup or another restore come near.
    release_all(installation, held)
    return StepResult(
        evidence={
            "status": SUCCEEDED if new_data else PUT_BACK,
            "started_at": started_at.isoformat(timespec="microseconds"),
            "health": health,
            "trouble": trouble,
            "downtime_milliseconds": _downtime(installation, procedure_id, started_at),
        }
    )


def _start_all(installation: Installation, plan: Plan) -> list[dict[str, Any]]:
    # In the opposite order of stopping: what others need was stopped last.
    health = []
    for service in reversed(installation.services(plan.application)):
        reached(f"service: before starting {service.name}")
        health.append(service.start())
        reached(f"service: after starting {service.name}")
    return health


def _go_back(installation: Installation, procedure_id: str, plan: Plan) -> list[dict[str, Any]]:
    make_quiet(installation, plan.application, plan.components)
    undo_all(installation, procedure_id)
    try:
        return _start_all(installation, plan)
    except ServiceError as error:
        raise ServiceError(
            f"the service is well neither on the new nor on the old data ({error.message})",
            state="the old data is live and unchanged; the service is not healthy",
            hint="look at the service's own log, start it by hand, then retry this run so that the form gets written",
        ) from error


def _downtime(installation: Installation, procedure_id: str, started_at: datetime) -> int | None:
    """From the beginning of step 4 until healthy; None when the service was never proven down."""
    with installation.catalog.read() as connection:
        stopped = steps.evidence_of(connection, procedure_id, "restore.4")
    if stopped is None:
        return None
    return round((started_at - datetime.fromisoformat(stopped["stopped_at"])).total_seconds() * 1000)
