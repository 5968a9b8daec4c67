"""What follows from an answer that does not count: its entry in the ledger, the count of guesses, the next attempt."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, update

from recovery.records import schema
from recovery.records.approval_requests import ApprovalRequest, asked_facts, close_attempt, open_attempt
from recovery.records.approval_rules import FAILURES_UNTIL_LOCK, LOCK, question_is_unchanged
from recovery.records.approval_situation import Refusal, Situation
from recovery.records.ledger import append
from recovery.records.officials import Official
from recovery.records.schema import timestamp


def refuse(connection: Connection, situation: Situation, refusal: Refusal, moment: datetime) -> ApprovalRequest | None:
    """Given an answer and why it does not count, record that and return the attempt that follows, None when none does.

    Whatever is refused is awaited no more, so that a run that comes again never judges one answer twice.
    """
    request = situation.request
    locked_until = _count_guess(connection, situation) if refusal.guess else None
    successor = _open_successor(connection, situation, refusal, moment)
    known = situation.official is not None or situation.nip in request.question.only
    facts = {
        "request_id": request.id,
        "attempt": request.attempt,
        "request_hash": request.hash,
        "rule": refusal.rule,
        "reason": refusal.reason,
        # Only a NIP that we know: people type their codes into the wrong field.
        "nip": situation.nip if known else "",
        "burnt_time_step": situation.time_step if situation.time_step_is_new else None,
        "locked_until": locked_until,
        "submitted_at": situation.submitted_at,
        "next": None if successor is None else asked_facts(successor),
    }
    append(connection, "approval.refused", facts, procedure_id=request.procedure_id, step_id=request.step_id)
    return successor


def _open_successor(
    connection: Connection, situation: Situation, refusal: Refusal, moment: datetime
) -> ApprovalRequest | None:
    request = situation.request
    if not situation.is_awaited or situation.already_decided:
        return None
    changed = not request.is_intact() or question_is_unchanged(situation) is not None
    expired = refusal.rule == "request_is_in_time"
    close_attempt(connection, request, "expired" if expired else "refused", refusal.complaint)
    if changed or situation.procedure_is_closed:
        # From what is asked no more no new request is made: the flow asks its question, or says that it is closed.
        return None
    lifetime = timedelta(seconds=request.lifetime_seconds)
    return open_attempt(
        connection,
        request.question,
        request.attempt + 1,
        opened_at=moment,
        # A wrong answer buys no time; one that is judged after the expiry does not open what has expired already.
        expires_at=moment + lifetime if expired or timestamp(moment) > request.expires_at else request.expires_at,
        lifetime=lifetime,
        complaint=refusal.complaint,
    )


def _count_guess(connection: Connection, situation: Situation) -> str | None:
    if situation.official is None:  # pragma: no cover - for the type checker: an unknown NIP is refused before
        return None
    # Counted on until a right answer, so that the list of officials shows an attack; every fifth guess locks.
    failures = situation.official.failures + 1
    locked_until = None
    if failures % FAILURES_UNTIL_LOCK == 0:
        locked_until = timestamp(situation.submission.submitted_at + LOCK)
    set_failures(connection, situation.official, failures, locked_until)
    return locked_until


def set_failures(connection: Connection, official: Official | None, failures: int, locked_until: str | None) -> None:
    """Given an official, None for nobody known, record his wrong answers in a row, and until when he is locked."""
    if official is not None:
        table = schema.officials
        values = {"failures": failures, "locked_until": locked_until}
        connection.execute(update(table).where(table.c.nip == official.nip).values(**values))
