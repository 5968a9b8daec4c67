"""Checking the approvals again, immediately before anything is touched."""

from recovery.installation import Installation
from recovery.procedures.restore.plan import Plan
from recovery.records import approvals
from recovery.sop import EXECUTOR_START


def require_go_ahead(installation: Installation, procedure_id: str, plan: Plan) -> None:
    """Given the approved plan, require that both approvals still hold for exactly it.

    Same request, same manifests, same targets, not expired. Raises ApprovalError; nothing was touched then.
    """
    key = installation.enrolment_key()
    with installation.catalog.read() as connection:
        for step_id in ("restore.3", EXECUTOR_START):
            approvals.still_valid(connection, procedure_id, step_id, plan.binding, key)
