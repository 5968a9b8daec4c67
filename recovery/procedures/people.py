"""Officials and decisions as the forms name them."""

from typing import Any

from sqlalchemy import Connection

from recovery.forms.model import Approval
from recovery.forms.model import Official as Signer
from recovery.records import approvals, officials

# How an official proved that his device was there, in the words of the forms.
METHODS = {"totp": "kode sekali pakai (TOTP)", "receipt-code": "kode tanda terima"}


def signer(connection: Connection, nip: str) -> Signer:
    """Given a NIP, return name, NIP and position as a form prints them; unknown ones print their NIP alone."""
    official = officials.find(connection, nip) if nip else None
    if official is None:
        return Signer(nip=nip)
    return Signer(name=official.name, nip=official.nip, position=official.title)


def approval_of(
    connection: Connection, procedure_id: str, step_id: str
) -> tuple[Signer, Approval | None, dict[str, Any]]:
    """Given a deciding step, return who decided, the recorded approval, and the decision's plain data ({} if none)."""
    decision = approvals.decision_of(connection, procedure_id, step_id)
    if decision is None:
        return Signer(), None, {}
    method = METHODS[decision.method]
    approval = Approval(decision=decision.decision, at=decision.submitted_at, method=method)
    return signer(connection, decision.nip), approval, decision.to_json()
