"""Recording which approvals ran out. Prefect gets no timeout; silence is never consent."""

from datetime import datetime

from recovery.guard.report import Action, Report
from recovery.installation import Installation
from recovery.records import approvals


def expire_approvals(installation: Installation, now: datetime, report: Report) -> None:
    """Record the approval requests that are past their time; the run asks anew when somebody resumes it."""
    for request in approvals.expire(installation.catalog, now):
        report.did(
            installation.catalog,
            Action(
                "guard.approval_expired",
                f"nobody answered {request.step_id} of {request.procedure_id} until {request.expires_at}",
                request.procedure_id,
                facts={"request_id": request.id, "step_id": request.step_id, "expires_at": request.expires_at},
            ),
        )
