"""What is asked of an official and what he answers: the document, its hash, and the code that he reads and types.

The hash covers everything that the answer is about - the facts shown, the rules, the binding, a nonce - so that
whoever typed the document's code has seen this document, of this run, in this attempt.
"""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from recovery.canonical import canonical_json
from recovery.errors import ApprovalError, NotFoundError, ProcedureError, RecordsError
from recovery.records import schema
from recovery.records.codes import document_code
from recovery.records.schema import timestamp


class RefusedError(ApprovalError):
    """An answer or an approval that does not count; `complaint` tells the official why, in Indonesian."""

    def __init__(self, message: str, *, complaint: str, state: str = "", hint: str = "") -> None:
        super().__init__(message, state=state, hint=hint)
        self.complaint = complaint


@dataclass(frozen=True)
class Question:
    """What a step asks. The same facts must give the same question again: a changed one is asked anew.

    `refusals` are the choices that need a note; `excluded` maps a NIP to the reason (Indonesian) why separation of
    duties keeps it out; `only` names the NIPs that may answer, empty meaning anyone with one of `roles`; `binding`
    is what the decision allows (request hash, manifest hashes, target); `receipt_code` lets the receipt code of the
    notice stand for the one-time code (step 8); `checks` maps the answers that must be "ya" before any choice but a
    refusal counts to their titles on the form.
    """

    procedure_id: str
    step_id: str
    roles: tuple[str, ...]
    document: dict[str, Any]
    choices: tuple[str, ...]
    refusals: tuple[str, ...] = ()
    excluded: dict[str, str] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    binding: dict[str, Any] = field(default_factory=dict)
    receipt_code: bool = False
    checks: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.choices or not set(self.refusals) <= set(self.choices):
            raise ProcedureError(f"the question of {self.step_id} has no choices, or refusals that are none of them")
        if not self.roles and not self.only:
            raise ProcedureError(f"the question of {self.step_id} names nobody who may answer it")

    def terms(self) -> dict[str, Any]:
        """Return what the hash covers, as plain data."""
        return {
            "document": self.document,
            # Sorted where order means nothing: a question built from a set is still the same question.
            "roles": sorted(self.roles),
            "choices": list(self.choices),
            "refusals": list(self.refusals),
            "excluded": self.excluded,
            "only": sorted(self.only),
            "binding": self.binding,
            "receipt_code": self.receipt_code,
            "checks": self.checks,
        }


@dataclass(frozen=True)
class Answer:
    """What the official typed into the form. Everything in it is untrusted text."""

    decision: str
    nip: str
    document_code: str
    code: str = field(repr=False)
    note: str = ""
    answers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Submission:
    """What Prefect's server recorded of the answer's arrival: the only clock by which a one-time code is judged."""

    submitted_at: datetime
    input_created_at: datetime
    resumes: int

    def __post_init__(self) -> None:
        if self.submitted_at.tzinfo is None or self.input_created_at.tzinfo is None:
            raise ProcedureError("a submission's time has no time zone", hint="pass the server's times as they are")


@dataclass(frozen=True)
class ApprovalRequest:
    """One attempt at getting an answer. `sealed` is the canonical JSON whose SHA-256 is `hash`."""

    id: str
    procedure_id: str
    step_id: str
    attempt: int
    question: Question
    sealed: str = field(repr=False)
    hash: str
    code: str
    complaint: str
    opened_at: str
    expires_at: str
    state: str

    @property
    def key(self) -> str:
        """The name of this attempt in Prefect: an input left under an earlier key is never taken for this one's."""
        return request_key(self.step_id, self.attempt)

    @property
    def document(self) -> dict[str, Any]:
        """The facts that the official is shown."""
        return self.question.document

    @property
    def lifetime_seconds(self) -> int:
        """How long a decision may be relied on, and an unanswered request waits."""
        return int(json.loads(self.sealed)["lifetime_seconds"])

    def is_intact(self) -> bool:
        """Whether the stored text still has the hash under which it was asked, and is this very attempt's."""
        return (
            _hash(self.sealed) == self.hash
            and self.question.procedure_id == self.procedure_id
            and self.question.step_id == self.step_id
            and json.loads(self.sealed)["attempt"] == self.attempt
        )


def request_key(step_id: str, attempt: int) -> str:
    """Given a step and the number of the attempt, return the attempt's name in Prefect.

    Prefect keeps a form only under a name of lower case letters, digits and dashes.
    """
    return f"{step_id.replace('.', '-')}-percobaan-{attempt}"


def seal(question: Question, attempt: int, nonce: str, lifetime_seconds: int) -> str:
    """Given a question and what makes this attempt unique, return the canonical JSON that is hashed."""
    return canonical_json(
        {
            "procedure_id": question.procedure_id,
            "step_id": question.step_id,
            "attempt": attempt,
            "nonce": nonce,
            "lifetime_seconds": lifetime_seconds,
            **question.terms(),
        }
    ).decode()


def normal_nip(typed: str) -> str:
    """Given a NIP as somebody typed it ("19800202 200501 2 002"), return its digits."""
    return re.sub(r"[\s.\-]", "", typed)


def stored_request(row: RowMapping) -> ApprovalRequest:
    """Given a row of approval_requests, return it. The rules come from the hashed text, not from the columns.

    Raises RecordsError when the text is not what we write.
    """
    try:
        terms = json.loads(row["document"])
        question = Question(
            procedure_id=terms["procedure_id"],
            step_id=terms["step_id"],
            roles=tuple(terms["roles"]),
            document=terms["document"],
            choices=tuple(terms["choices"]),
            refusals=tuple(terms["refusals"]),
            excluded=terms["excluded"],
            only=tuple(terms["only"]),
            binding=terms["binding"],
            receipt_code=terms["receipt_code"],
            # Asked by a release whose questions had none.
            checks=terms.get("checks", {}),
        )
    except (ValueError, KeyError, TypeError, ProcedureError) as error:
        raise RecordsError(
            f"the approval request {row['id']} cannot be read",
            state="nothing was decided",
            hint="verify the ledger; somebody changed the catalog by hand",
        ) from error
    return ApprovalRequest(
        id=row["id"],
        procedure_id=row["procedure_id"],
        step_id=row["step_id"],
        attempt=row["attempt"],
        question=question,
        sealed=row["document"],
        hash=row["hash"],
        # From the hash, not from the column: the code is worth nothing if it can differ from the document.
        code=document_code(row["hash"]),
        complaint=row["complaint"],
        opened_at=row["opened_at"],
        expires_at=row["expires_at"],
        state=row["state"],
    )


def request_by_id(connection: Connection, request_id: str) -> ApprovalRequest:
    """Given a request's id, return it. Raises NotFoundError and RecordsError."""
    table = schema.approval_requests
    row = connection.execute(select(table).where(table.c.id == request_id)).mappings().first()
    if row is None:
        raise NotFoundError(
            f"there is no approval request {request_id}",
            state="nothing was decided",
            hint="answer the run's newest question",
        )
    return stored_request(row)


def latest_request(connection: Connection, procedure_id: str, step_id: str) -> ApprovalRequest | None:
    """Given a procedure and a step, return the newest attempt or None. Raises RecordsError."""
    table = schema.approval_requests
    query = select(table).where(table.c.procedure_id == procedure_id, table.c.step_id == step_id)
    row = connection.execute(query.order_by(table.c.attempt.desc()).limit(1)).mappings().first()
    return None if row is None else stored_request(row)


def open_attempt(
    connection: Connection,
    question: Question,
    attempt: int,
    *,
    opened_at: datetime,
    expires_at: datetime | str,
    lifetime: timedelta,
    complaint: str,
) -> ApprovalRequest:
    """Given a question and the number of the attempt, store it with a nonce of its own and return it."""
    request_id, nonce = secrets.token_hex(16), secrets.token_hex(16)
    sealed = seal(question, attempt, nonce, int(lifetime.total_seconds()))
    sha256 = _hash(sealed)
    row = {
        "id": request_id,
        "procedure_id": question.procedure_id,
        "step_id": question.step_id,
        "attempt": attempt,
        "key": request_key(question.step_id, attempt),
        "nonce": nonce,
        "document": sealed,
        "hash": sha256,
        "code": document_code(sha256),
        "roles": json_text(sorted(question.roles)),
        "excluded": json_text(question.excluded),
        "choices": json_text(question.choices),
        "refusals": json_text(question.refusals),
        "opened_at": timestamp(opened_at),
        "expires_at": expires_at if isinstance(expires_at, str) else timestamp(expires_at),
        "state": "open",
        "complaint": complaint,
    }
    connection.execute(insert(schema.approval_requests).values(**row))
    return request_by_id(connection, request_id)


def close_attempt(
    connection: Connection, request: ApprovalRequest, state: str, complaint: str | None = None
) -> ApprovalRequest:
    """Given an attempt and how it ended, record that and return it. The complaint is what the next attempt shows."""
    table = schema.approval_requests
    values = {"state": state} if complaint is None else {"state": state, "complaint": complaint}
    connection.execute(update(table).where(table.c.id == request.id).values(**values))
    return request_by_id(connection, request.id)


def asked_facts(request: ApprovalRequest) -> dict[str, Any]:
    """Given an attempt, return what the ledger says of its opening."""
    return {
        "request_id": request.id,
        "attempt": request.attempt,
        "request_hash": request.hash,
        "roles": sorted(request.question.roles),
        "only": sorted(request.question.only),
        "excluded": sorted(request.question.excluded),
        "expires_at": request.expires_at,
    }


def json_text(value: Any) -> str:
    """Given plain data, return its canonical JSON as text."""
    return canonical_json(value).decode()


def _hash(sealed: str) -> str:
    return hashlib.sha256(sealed.encode()).hexdigest()
