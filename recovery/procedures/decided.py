"""A recorded decision as the evidence of its step."""

from typing import Any

from recovery.errors import ProcedureError
from recovery.installation import Installation
from recovery.records import approvals
from recovery.records.approval_requests import request_by_id


def decided(installation: Installation, procedure_id: str, step_id: str) -> dict[str, Any]:
    """Given a step that officials decide, return the decision as evidence: decision, official, note, times, hashes.

    Raises ProcedureError when nobody has decided: silence is never consent.
    """
    decision = _decision(installation, procedure_id, step_id)
    return {
        "decision": decision.decision,
        "official": decision.nip,
        "note": decision.note,
        "answers": decision.answers,
        "method": decision.method,
        "submitted_at": decision.submitted_at,
        "request_hash": decision.request_hash,
    }


def decided_document(installation: Installation, procedure_id: str, step_id: str) -> dict[str, Any]:
    """Return the document that the official had before him when he decided. Raises ProcedureError."""
    decision = _decision(installation, procedure_id, step_id)
    with installation.catalog.read() as connection:
        return request_by_id(connection, decision.request_id).document


def decision_recorded(installation: Installation, procedure_id: str, step_id: str) -> approvals.Decision | None:
    """Given a deciding step, return the decision, or None while there is none.

    Raises ApprovalError for one that the worker did not record: the step then stands still until people look.
    """
    with installation.catalog.read() as connection:
        return approvals.sealed_decision_of(connection, procedure_id, step_id, installation.enrolment_key())


def _decision(installation: Installation, procedure_id: str, step_id: str) -> approvals.Decision:
    decision = decision_recorded(installation, procedure_id, step_id)
    if decision is None:
        raise ProcedureError(
            f"nobody has decided step {step_id} yet",
            state="the step is open",
            hint="resume the suspended run in the Prefect UI with the official's answer",
        )
    return decision
