"""Decisions of officials: one row and one ledger entry each, and the question whether one still allows something.

Each carries a seal made with the enrolment key, which lies on the worker: neither row nor ledger entry holds a secret
otherwise, and whoever may write into the catalog could decide in an official's name.
"""

import hmac
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select

from recovery.canonical import canonical_json, digest
from recovery.errors import RecordsError
from recovery.records import schema
from recovery.records.approval_requests import RefusedError, json_text, request_by_id
from recovery.records.ledger import append
from recovery.records.schema import timestamp


@dataclass(frozen=True)
class Decision:
    """An answer that counts."""

    request_id: str
    procedure_id: str
    step_id: str
    nip: str
    decision: str
    note: str
    answers: dict[str, Any]
    method: str
    submitted_at: str
    recorded_at: str
    time_step: int | None
    request_hash: str
    binding: dict[str, Any]
    seal: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the decision as plain data, fit for a step's evidence."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def decision_of(connection: Connection, procedure_id: str, step_id: str) -> Decision | None:
    """Given a procedure and a step, return the decision, or None when there is none yet.

    It is what the catalog says, for showing; what acts on a decision asks `sealed_decision_of`.
    Raises RecordsError when there is more than one: no code of ours writes a second.
    """
    table = schema.decisions
    query = select(table).where(table.c.procedure_id == procedure_id, table.c.step_id == step_id)
    rows = connection.execute(query).mappings().all()
    if len(rows) > 1:
        raise RecordsError(
            f"the step {step_id} of {procedure_id} has {len(rows)} decisions",
            state="none of them is relied on",
            hint="verify the ledger; somebody changed the catalog by hand",
        )
    if not rows:
        return None
    row = dict(rows[0])
    row["answers"], row["binding"] = json.loads(row["answers"]), json.loads(row["binding"])
    return Decision(**row)


def sealed_decision_of(connection: Connection, procedure_id: str, step_id: str, key: bytes) -> Decision | None:
    """Given a procedure, a step and the enrolment key, return the decision, or None when there is none yet.

    Raises RefusedError when the decision was not recorded by the worker, RecordsError when there is more than one.
    """
    decision = decision_of(connection, procedure_id, step_id)
    if decision is not None and not hmac.compare_digest(decision.seal, _seal(decision, key)):
        raise _not_what_was_given(step_id)
    return decision


def record_decision(connection: Connection, decision: Decision, attempt: int, key: bytes) -> Decision:
    """Given a decision, the number of its attempt and the enrolment key, write its row and its ledger entry.

    Returns the decision with its seal.
    """
    decision = replace(decision, seal=_seal(decision, key))
    row = decision.to_json()
    row["answers"], row["binding"] = json_text(decision.answers), json_text(decision.binding)
    connection.execute(insert(schema.decisions).values(**row))
    append(
        connection,
        "approval.decided",
        {**_ledger_facts(decision), "attempt": attempt},
        procedure_id=decision.procedure_id,
        step_id=decision.step_id,
    )
    return decision


def still_valid(
    connection: Connection,
    procedure_id: str,
    step_id: str,
    binding: dict[str, Any],
    key: bytes,
    *,
    now: datetime | None = None,
) -> None:
    """Given what is about to be done, return if the step's decision allows exactly that. Asked again before a swap.

    Raises RefusedError when there is no decision, it refuses, is not what seal, ledger and hashed document say, binds
    something else, or is older than its request's lifetime.
    """
    decision = sealed_decision_of(connection, procedure_id, step_id, key)
    if decision is None:
        raise _not_valid(step_id, "nobody has decided", "Langkah ini belum diputuskan.")
    request = request_by_id(connection, decision.request_id)
    if not request.is_intact() or request.hash != decision.request_hash or not _is_in_ledger(connection, decision):
        raise _not_what_was_given(step_id)
    if decision.decision not in request.question.choices or decision.decision in request.question.refusals:
        raise _not_valid(step_id, "the decision refuses", "Keputusan pejabat tidak mengizinkan langkah berikutnya.")
    if not digest(binding) == digest(decision.binding) == digest(request.question.binding):
        raise _not_valid(
            step_id,
            "the decision is about another request, backup or target",
            "Keputusan diberikan untuk permintaan, cadangan, atau tujuan yang lain.",
        )
    end = datetime.fromisoformat(decision.submitted_at) + timedelta(seconds=request.lifetime_seconds)
    if (now or datetime.now(UTC)) > end:
        raise _not_valid(step_id, f"it was valid until {timestamp(end)}", "Keputusan sudah lewat masa berlakunya.")


def _seal(decision: Decision, key: bytes) -> str:
    # The key seals one-time secrets too: the first line keeps what it makes here apart from every other use of it.
    facts = {name: value for name, value in decision.to_json().items() if name != "seal"}
    return hmac.new(key, b"pulih decision 1\n" + canonical_json(facts), "sha256").hexdigest()


def _ledger_facts(decision: Decision) -> dict[str, Any]:
    # Free text may hold personal data, and nothing can ever be erased from the ledger: digests bind it.
    facts = decision.to_json()
    for name in ("procedure_id", "step_id", "note", "answers"):
        del facts[name]
    return {**facts, "note_sha256": digest(decision.note), "answers_sha256": digest(decision.answers)}


def _is_in_ledger(connection: Connection, decision: Decision) -> bool:
    table = schema.ledger
    query = select(table.c.facts).where(
        table.c.procedure_id == decision.procedure_id,
        table.c.step_id == decision.step_id,
        table.c.kind == "approval.decided",
    )
    recorded = [json.loads(text) for text in connection.execute(query).scalars()]
    expected = _ledger_facts(decision)
    return any({name: facts.get(name) for name in expected} == expected for facts in recorded)


def _not_what_was_given(step_id: str) -> RefusedError:
    return _not_valid(
        step_id,
        "the recorded decision is not the one that was given",
        "Catatan keputusan tidak sesuai dengan buku besar. Hubungi pengelola.",
    )


def _not_valid(step_id: str, reason: str, complaint: str) -> RefusedError:
    return RefusedError(
        f"the approval of {step_id} does not hold: {reason}",
        complaint=complaint,
        state="nothing was changed on the strength of it",
        hint="start a new request; an approval is good for what it was given for, and for nothing else",
    )
