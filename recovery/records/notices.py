"""Notices: what was sent to whom, and the code by which a requester without a device acknowledges what he received."""

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, false, insert, select, update

from recovery.errors import ConflictError
from recovery.records import ledger, schema

# Crockford's base 32: no letter that is read as a digit.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 8


@dataclass(frozen=True)
class Notice:
    """A notice as recorded. `recipient` and `detail` hold no address with a password in it."""

    id: str
    procedure_id: str
    step_id: str
    recipient: str
    channel: str
    subject: str
    sent_at: str
    delivered: bool
    detail: str


def record_notice(
    connection: Connection,
    procedure_id: str,
    *,
    recipient: str,
    channel: str,
    subject: str,
    delivered: bool,
    step_id: str = "",
    detail: str = "",
    sent_at: datetime | None = None,
) -> Notice:
    """Given what was sent, or could not be, record it with a ledger entry and return it."""
    row: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "procedure_id": procedure_id,
        "step_id": step_id,
        "recipient": recipient,
        "channel": channel,
        "subject": subject,
        "sent_at": schema.timestamp(sent_at),
        "delivered": delivered,
        "detail": detail,
    }
    connection.execute(insert(schema.notices).values(row))
    told = ("id", "recipient", "channel", "subject", "sent_at", "delivered", "detail")
    facts = {name: row[name] for name in told}
    ledger.append(connection, "notice.sent", facts, procedure_id=procedure_id, step_id=step_id)
    return Notice(**row)


def list_notices(connection: Connection, procedure_id: str) -> list[Notice]:
    """Given a procedure, return its notices in the order in which they were sent."""
    table = schema.notices
    query = select(table).where(table.c.procedure_id == procedure_id).order_by(table.c.sent_at, table.c.id)
    return [Notice(**row._mapping) for row in connection.execute(query)]


def restores_with_undelivered(connection: Connection, since: str) -> list[str]:
    """Given a time (ISO UTC), return the ids of the restores of which something could not be delivered since then."""
    table, procedures = schema.notices, schema.procedures
    query = (
        select(table.c.procedure_id)
        .join(procedures, procedures.c.id == table.c.procedure_id)
        .where((table.c.delivered == false()) & (table.c.sent_at > since) & (procedures.c.kind == "restore"))
    )
    return [row.procedure_id for row in connection.execute(query.distinct().order_by(table.c.procedure_id))]


def issue_receipt_code(connection: Connection, procedure_id: str) -> str:
    """Given a procedure, make the code that goes out with its notice, and return it; only its hash is kept.

    A code that was not used is replaced, so that a notice that got lost can be sent again. Raises ConflictError when
    the procedure's code was used.
    """
    table = schema.receipt_codes
    recorded = connection.execute(select(table).where(table.c.procedure_id == procedure_id)).one_or_none()
    if recorded is not None and recorded.used_at is not None:
        raise ConflictError(
            f"the receipt of procedure {procedure_id} was acknowledged at {recorded.used_at}",
            state="no new code was made",
            hint="nothing is left to do: `pulih show` has the acknowledgement",
        )
    code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
    salt = secrets.token_hex(16)
    connection.execute(delete(table).where(table.c.procedure_id == procedure_id))
    row = {"procedure_id": procedure_id, "salt": salt, "code_hash": _hash(salt, code)}
    connection.execute(insert(table).values(**row, issued_at=schema.timestamp(), used_at=None))
    ledger.append(connection, "receipt_code.issued", {}, procedure_id=procedure_id)
    return code


def use_receipt_code(connection: Connection, procedure_id: str, code: str) -> bool:
    """Given a procedure and what its requester typed, return whether it is the code, once.

    Call it in the transaction that records the decision, so that a code is used up only by a decision that counts.
    """
    table = schema.receipt_codes
    recorded = connection.execute(select(table).where(table.c.procedure_id == procedure_id)).one_or_none()
    if recorded is None or recorded.used_at is not None:
        return False
    if not hmac.compare_digest(recorded.code_hash, _hash(recorded.salt, _as_meant(code))):
        return False
    connection.execute(update(table).where(table.c.procedure_id == procedure_id).values(used_at=schema.timestamp()))
    return True


def _as_meant(code: str) -> str:
    # People type lower case, dashes and blanks, and read O for 0 and I or L for 1.
    return code.upper().translate(str.maketrans("OIL", "011", "- \t"))


def _hash(salt: str, code: str) -> str:
    # Slow on purpose: forty bits behind a fast hash are found in minutes by whoever copies the catalog.
    key = code.encode("utf-8", "backslashreplace")
    return hashlib.scrypt(key, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32).hex()
