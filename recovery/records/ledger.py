"""The ledger (buku besar): a chain of entries in which a later change of any earlier one shows.

Each entry's hash covers the entry and the hash before it. The chain alone does not show that its end was cut off or
that all of it was written anew; the heads that are signed into the stores do (ledger_heads.py).
"""

import contextlib
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from recovery.canonical import canonical_json
from recovery.crypto import Signer
from recovery.records import ledger_loss
from recovery.records.catalog import WRITER_LOCK
from recovery.records.schema import ledger, timestamp

NOTHING_BEFORE = "0" * 64
HEAD_REFUSED = "ledger.head_refused"

_HASHED = ("sequence", "at", "kind", "procedure_id", "step_id", "component", "facts", "previous")


@dataclass(frozen=True)
class Head:
    """The last entry at some time: its number and its hash."""

    sequence: int
    hash: str


@dataclass(frozen=True)
class Entry:
    """One entry as recorded, its facts as plain data."""

    sequence: int
    at: str
    kind: str
    procedure_id: str
    step_id: str
    component: str
    facts: Any
    previous: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        return dict(vars(self))


def append(
    connection: Connection,
    kind: str,
    facts: dict[str, Any],
    *,
    procedure_id: str = "",
    step_id: str = "",
    component: str = "",
) -> str:
    """Given a connection inside Catalog.begin(), add an entry in that same transaction and return its hash.

    Facts are plain data (see recovery/canonical.py) and never hold a secret. Raises TypeError for other facts.
    """
    if connection.dialect.name == "postgresql":
        # Held already inside Catalog.begin(); taken again because a fork of the chain could not be mended.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
    return _append_after(head(connection), connection, kind, facts, procedure_id, step_id, component)


def resume(connection: Connection, after: Head, taken: int, facts: dict[str, Any], signer: Signer) -> None:
    """Given a connection inside Catalog.begin(), the newest head that a store holds and the last number that is taken
    there, go on behind both.

    Entries from the last one that is left up to that number are lost: the entry that is added says so, and the
    signature in it is what makes verify() take that for a loss and not for a cut.
    """
    left = head(connection)
    last = max((left, after), key=lambda each: each.sequence)
    number = max(last.sequence, taken)
    lost = ledger_loss.declare(left.sequence + 1, number, last.hash, signer)
    entry = {**facts, "lost": lost}
    _append_after(Head(number, last.hash), connection, ledger_loss.REBUILT, entry, "", "", "")


def _append_after(
    last: Head,
    connection: Connection,
    kind: str,
    facts: dict[str, Any],
    procedure_id: str,
    step_id: str,
    component: str,
) -> str:
    entry: dict[str, Any] = {
        "sequence": last.sequence + 1,
        "at": timestamp(),
        "kind": kind,
        "procedure_id": procedure_id,
        "step_id": step_id,
        "component": component,
        "facts": facts,
        "previous": last.hash,
    }
    entry_hash = hashlib.sha256(canonical_json(entry)).hexdigest()
    row = {**entry, "facts": canonical_json(facts).decode(), "hash": entry_hash}
    connection.execute(insert(ledger).values(row))
    return entry_hash


def head(connection: Connection) -> Head:
    """Return the last entry's number and hash; (0, 64 zeros) when there is none."""
    query = select(ledger.c.sequence, ledger.c.hash).order_by(ledger.c.sequence.desc()).limit(1)
    last = connection.execute(query).one_or_none()
    return Head(last.sequence, last.hash) if last else Head(0, NOTHING_BEFORE)


def holds(connection: Connection, known: Head) -> bool:
    """Given a head, return whether the ledger has that very entry, and it is what was hashed."""
    entry = connection.execute(select(ledger).where(ledger.c.sequence == known.sequence)).one_or_none()
    return entry is not None and entry.hash == known.hash and _is_what_was_hashed(entry)


def first_entry_at(connection: Connection) -> str | None:
    """Return when the ledger begins, which is when this installation does; None when it has no entry."""
    at: str | None = connection.execute(select(ledger.c.at).order_by(ledger.c.sequence).limit(1)).scalar()
    return at


def entries(connection: Connection, *, procedure_id: str = "", kind: str = "", last: int | None = 50) -> list[Entry]:
    """Return the newest entries (None: all), oldest first; only a procedure's, or of a kind, when one is given.

    They are shown as they stand: whether they are what was written, only verify() says. Facts that are no JSON any
    more are returned as the text that they are.
    """
    query = select(ledger).order_by(ledger.c.sequence.desc()).limit(last)
    if procedure_id:
        query = query.where(ledger.c.procedure_id == procedure_id)
    if kind:
        query = query.where(ledger.c.kind == kind)
    return [_entry(row) for row in reversed(connection.execute(query).all())]


def verify(connection: Connection, heads: Iterable[Head] = (), public_pem: bytes = b"") -> list[str]:
    """Given the heads that stores hold, read the whole ledger and return what is wrong with it; [] means intact.

    Each finding names the entry: changed, missing, or not the one that followed (inserted or moved). A head that
    contradicts names the entry from which on the ledger is not the one that was anchored. Entries that were lost
    before a rebuild are no finding when one of the keys given (PEM, trusted) signed that they are.
    """
    anchored = defaultdict(set)
    for known in heads:
        anchored[known.sequence].add(known.hash)
    findings: list[str] = []
    sequence, previous = 0, NOTHING_BEFORE
    recorded = connection.execution_options(yield_per=1000).execute(select(ledger).order_by(ledger.c.sequence))
    for entry in recorded:
        if entry.sequence != sequence + 1 and ledger_loss.is_declared(entry, sequence, public_pem):
            for lost in [each for each in anchored if sequence < each < entry.sequence]:
                del anchored[lost]
            sequence, previous = entry.sequence - 1, entry.previous
        findings += _breaks(entry, sequence, previous)
        if anchored.pop(entry.sequence, {entry.hash}) != {entry.hash}:
            findings.append(_not_the_signed_one(entry.sequence))
        sequence, previous = entry.sequence, entry.hash
    if anchored.pop(0, {NOTHING_BEFORE}) != {NOTHING_BEFORE}:
        findings.append("a store holds a head for entry 0, which never exists")
    findings.extend(
        f"entry {missing} was signed into a store but is missing: the ledger ends at entry {sequence}"
        if missing > sequence
        else f"entry {missing} was signed into a store but is missing"
        for missing in sorted(anchored)
    )
    return findings


def verify_since(connection: Connection, known: Head) -> list[str]:
    """Given a head that a store holds, read the ledger from its entry on and return what is wrong with that.

    As verify(), but quick: what stands before the head's entry is not looked at.
    """
    query = select(ledger).where(ledger.c.sequence >= known.sequence).order_by(ledger.c.sequence)
    recorded = connection.execution_options(yield_per=1000).execute(query)
    first = next(recorded, None)
    if first is None or first.sequence != known.sequence:
        return [f"entry {known.sequence} was signed into a store but is missing"]
    findings = [] if first.hash == known.hash else [_not_the_signed_one(first.sequence)]
    findings += _breaks(first, first.sequence - 1, first.previous)
    sequence, previous = first.sequence, first.hash
    for entry in recorded:
        findings += _breaks(entry, sequence, previous)
        sequence, previous = entry.sequence, entry.hash
    return findings


def _entry(row: Row[Any]) -> Entry:
    fields = dict(row._mapping)
    with contextlib.suppress(ValueError):  # somebody changed it; it is shown nevertheless
        fields["facts"] = json.loads(row.facts)
    return Entry(**fields)


def _breaks(entry: Row[Any], sequence: int, previous: str) -> list[str]:
    """Given an entry, and number and hash of the one before it, return what is wrong with it."""
    findings = []
    if entry.sequence != sequence + 1:
        findings.append(_gap(sequence, entry.sequence))
    elif entry.previous != previous:
        findings.append(
            f"entry {entry.sequence} does not continue entry {sequence}: one of them was changed, inserted or moved"
        )
    if not _is_what_was_hashed(entry):
        findings.append(f"entry {entry.sequence} was changed: its content does not give its hash")
    return findings


def _not_the_signed_one(sequence: int) -> str:
    return f"entry {sequence} is not the one whose hash was signed into a store"


def _gap(sequence: int, following: int) -> str:
    if following <= sequence + 1:
        return f"entry {following} was inserted before the first"
    if following == sequence + 2:
        return f"entry {sequence + 1} is missing"
    return f"entries {sequence + 1} to {following - 1} are missing"


def _is_what_was_hashed(entry: Row[Any]) -> bool:
    fields = {name: getattr(entry, name) for name in _HASHED}
    try:
        fields["facts"] = json.loads(entry.facts)
        # The text must be the canonical one: otherwise spaces or a repeated key could be slipped in.
        unchanged = canonical_json(fields["facts"]).decode() == entry.facts
        return unchanged and hashlib.sha256(canonical_json(fields)).hexdigest() == str(entry.hash)
    except (ValueError, TypeError):
        # No JSON, or no plain data: whatever it is now, it is not what append() wrote.
        return False
