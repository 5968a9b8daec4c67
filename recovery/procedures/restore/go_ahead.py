"""Checking the approvals again, immediately before anything is touched."""

from recovery.errors import ApprovalError
from recovery.installation import Installation
from recovery.procedures.restore.plan import Plan
from recovery.records import approvals
from recovery.sop import EXECUTOR_START
from recovery.sources.identities import is_approved


def require_go_ahead(installation: Installation, procedure_id: str, plan: Plan) -> None:
    """Given the approved plan, require that both approvals still hold for exactly it.

    Same request, same manifests, same targets, not expired. Raises ApprovalError; nothing was touched then.
    """
    key = installation.enrolment_key()
    with installation.catalog.read() as connection:
        for step_id in ("restore.3", EXECUTOR_START):
            approvals.still_valid(connection, procedure_id, step_id, plan.binding, key)


def require_approved_target(installation: Installation, plan: Plan, component: str) -> None:
    """Given the approved plan and one of its components, require that what is live there is the target that was
    approved: a same-named database elsewhere must never be swapped. Raises ApprovalError; nothing was touched then."""
    if not is_approved(plan.backups[component]["target"], installation.source(component).identify()):
        raise ApprovalError(
            f"{component} is not the target that was approved",
            state="nothing was touched",
            hint="see what changed on the host (machine, path) and start a new restore",
        )
