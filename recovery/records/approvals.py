"""Asking officials and judging their answers. Silence is never consent, and a wrong answer is no evidence.

An answer either becomes a decision (one row and one ledger entry, in one transaction) or is refused: the ledger gets
the true reason, the official gets a complaint, and the request is open again under a new key, hash and code.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from recovery.canonical import digest
from recovery.errors import ConflictError, ProcedureError
from recovery.records import procedures, schema
from recovery.records.approval_refusing import refuse, set_failures
from recovery.records.approval_requests import (
    Answer,
    ApprovalRequest,
    Question,
    RefusedError,
    Submission,
    asked_facts,
    close_attempt,
    latest_request,
    open_attempt,
    request_by_id,
    stored_request,
)
from recovery.records.approval_rules import (
    CHANGED_COMPLAINT,
    expiry_complaint,
    first_refusal,
    receipt_code_refusal,
)
from recovery.records.approval_situation import AWAITED, Refusal, Situation
from recovery.records.catalog import Catalog
from recovery.records.codes import burn, matching_time_step
from recovery.records.decisions import Decision, decision_of, record_decision, sealed_decision_of, still_valid
from recovery.records.ledger import append
from recovery.records.notices import use_receipt_code
from recovery.records.officials import find, secret_of
from recovery.records.schema import timestamp

__all__ = [
    "Answer",
    "ApprovalRequest",
    "Decision",
    "Question",
    "RefusedError",
    "Submission",
    "answer",
    "ask",
    "awaited",
    "decision_of",
    "expire",
    "sealed_decision_of",
    "still_valid",
]

METHOD_DEVICE = "totp"
METHOD_RECEIPT = "receipt-code"


def ask(
    catalog: Catalog, question: Question, *, lifetime: timedelta, now: datetime | None = None
) -> ApprovalRequest | Decision:
    """Given a question, return its decision, or the attempt that waits for one. Idempotent.

    An attempt that expired, was refused, or asked something else than the question does now, is followed by a new
    one that says so. Raises ConflictError when the recorded decision binds something else than the question, and
    ProcedureError when nobody has decided and the procedure was closed.
    """
    moment = now or datetime.now(UTC)
    with catalog.begin() as connection:
        decision = decision_of(connection, question.procedure_id, question.step_id)
        if decision is not None:
            _check_binding(decision, question)
            return decision
        if _takes_no_answer(connection, question.procedure_id):
            raise ProcedureError(
                f"{question.step_id} of {question.procedure_id} is decided by nobody any more: the procedure is closed",
                state="what was recorded stands",
                hint="start a new run",
            )
        latest = latest_request(connection, question.procedure_id, question.step_id)
        if latest is not None and latest.state == "open":
            if timestamp(moment) > latest.expires_at:
                latest = _expire(connection, latest)
            elif latest.is_intact() and digest(latest.question.terms()) == digest(question.terms()):
                return latest
            else:
                latest = _supersede(connection, latest)
        request = open_attempt(
            connection,
            question,
            1 if latest is None else latest.attempt + 1,
            opened_at=moment,
            expires_at=moment + lifetime,
            lifetime=lifetime,
            complaint="" if latest is None else latest.complaint,
        )
        _append(connection, "approval.asked", request, asked_facts(request))
        return request


def awaited(catalog: Catalog, procedure_id: str, step_id: str) -> ApprovalRequest | None:
    """Given a procedure and a step, return the attempt whose answer is to be judged if there is one, else None.

    Look here before `ask`, which closes an attempt that expired or asks something else by now: the code of an answer to
    it would stay good. Judged is it once, whatever becomes of the run: no attempt is awaited after `answer`.
    """
    with catalog.read() as connection:
        latest = latest_request(connection, procedure_id, step_id)
    return latest if latest is not None and latest.state in AWAITED else None


def answer(
    catalog: Catalog,
    request: ApprovalRequest,
    answer: Answer,
    submission: Submission,
    *,
    question: Question | None,
    key: bytes,
    now: datetime | None = None,
) -> Decision:
    """Given what was asked, what was typed, when the server got it, what the step asks now, and the enrolment key,
    return the decision. `question` is None when it cannot be made any more: then no answer counts.

    Raises RefusedError (an ApprovalError with an Indonesian `complaint`) when a rule of approval_rules is broken;
    by then the refusal is recorded, a right code is burnt, and the next attempt is open, unless the step is decided or
    asks something else by now, which `ask` does.
    Raises KeyMissingError when the key does not open the official's secret; nothing is recorded then.
    """
    moment = now or datetime.now(UTC)
    with catalog.begin() as connection:
        situation = _gather(connection, request, answer, submission, question, key)
        refusal = first_refusal(situation) or _receipt_code_refusal(connection, situation)
        if refusal is None:
            return _decide(connection, situation, moment, key)
        successor = refuse(connection, situation, refusal, moment)
    waiting = "nothing else changed" if successor is None else f"attempt {successor.attempt} waits"
    raise RefusedError(
        f"the answer to {request.step_id} (attempt {request.attempt}) does not count",
        complaint=refusal.complaint,
        state=f"the refusal is recorded, {waiting}",
        hint="answer the newest request, with its own document code and a fresh one-time code",
    )


def expire(catalog: Catalog, now: datetime) -> list[ApprovalRequest]:
    """Given the time, record which open attempts are past theirs, and return them. Asking again is the flow's."""
    table = schema.approval_requests
    query = (
        select(table).where(table.c.state == "open", table.c.expires_at < timestamp(now)).order_by(table.c.expires_at)
    )
    with catalog.begin() as connection:
        rows = connection.execute(query).mappings().all()
        return [_expire(connection, stored_request(row)) for row in rows]


def _gather(
    connection: Connection,
    request: ApprovalRequest,
    answer: Answer,
    submission: Submission,
    question: Question | None,
    key: bytes,
) -> Situation:
    latest = latest_request(connection, request.procedure_id, request.step_id)
    situation = Situation(
        request=request_by_id(connection, request.id),
        asked_hash=request.hash,
        question=question,
        is_newest=latest is not None and latest.id == request.id,
        already_decided=decision_of(connection, request.procedure_id, request.step_id) is not None,
        answer=answer,
        submission=submission,
        official=None,
        time_step=None,
        time_step_is_new=False,
        procedure_is_closed=_takes_no_answer(connection, request.procedure_id),
    )
    # Whatever else was typed into the field stays away from the database.
    official = find(connection, situation.nip) if re.fullmatch(r"[0-9]{18}", situation.nip) else None
    secret = None if official is None else secret_of(connection, official.nip, key)
    if official is None or secret is None:
        return replace(situation, official=official)
    time_step = matching_time_step(secret, answer.code, submission.submitted_at)
    # Burnt whenever it is right, even if the answer is then refused: the code now stands readable in Prefect's input,
    # and whoever reads it there must not get it accepted with the next attempt's document code.
    is_new = time_step is not None and burn(connection, official.nip, time_step)
    return replace(situation, official=official, time_step=time_step, time_step_is_new=is_new)


def _takes_no_answer(connection: Connection, procedure_id: str) -> bool:
    # A late answer to a plan or a schedule whose place another one took is recorded: its run ends by saying so.
    procedure = procedures.get(connection, procedure_id)
    return procedure.state == "closed" and procedure.outcome != procedures.SUPERSEDED


def _receipt_code_refusal(connection: Connection, situation: Situation) -> Refusal | None:
    # Looked at after every other rule: a mistyped document code must not cost the requester his only receipt code.
    if not situation.by_receipt_code:
        return None
    if use_receipt_code(connection, situation.request.procedure_id, situation.answer.code):
        return None
    return receipt_code_refusal()


def _decide(connection: Connection, situation: Situation, moment: datetime, key: bytes) -> Decision:
    request, answer = situation.request, situation.answer
    decision = Decision(
        request_id=request.id,
        procedure_id=request.procedure_id,
        step_id=request.step_id,
        nip=situation.nip,
        decision=answer.decision,
        note=answer.note.strip(),
        answers=answer.answers,
        method=METHOD_RECEIPT if situation.by_receipt_code else METHOD_DEVICE,
        submitted_at=situation.submitted_at,
        recorded_at=timestamp(moment),
        time_step=situation.time_step,
        request_hash=request.hash,
        binding=request.question.binding,
    )
    close_attempt(connection, request, "decided")
    set_failures(connection, situation.official, 0, None)
    return record_decision(connection, decision, request.attempt, key)


def _expire(connection: Connection, request: ApprovalRequest) -> ApprovalRequest:
    expired = close_attempt(connection, request, "expired", expiry_complaint(request.expires_at))
    _append(connection, "approval.expired", request, asked_facts(request))
    return expired


def _supersede(connection: Connection, request: ApprovalRequest) -> ApprovalRequest:
    superseded = close_attempt(connection, request, "refused", CHANGED_COMPLAINT)
    _append(connection, "approval.superseded", request, asked_facts(request))
    return superseded


def _append(connection: Connection, kind: str, request: ApprovalRequest, facts: dict[str, object]) -> None:
    append(connection, kind, facts, procedure_id=request.procedure_id, step_id=request.step_id)


def _check_binding(decision: Decision, question: Question) -> None:
    if digest(decision.binding) != digest(question.binding):
        raise ConflictError(
            f"the decision on {question.step_id} of {question.procedure_id} was given for something else",
            state="nothing was changed on the strength of it",
            hint="start a new request; an approval is good for what it was given for, and for nothing else",
        )
