"""The journal of swaps: what a restore is about to make live, in which order, and how far it came.

Written before anything moves, so that a killed restore is finished or undone by whoever reads the journal next.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recovery.canonical import canonical_json
from recovery.errors import NotFoundError, ProcedureError
from recovery.records import ledger, schema

# From which states a state is reached; the same state again is no change, because a killed swap is called again.
_REACHED_FROM = {
    "prepared": ("prepared", "undone"),
    "swapping": ("prepared", "swapping"),
    "swapped": ("swapping", "swapped"),
    "undoing": ("prepared", "swapping", "swapped", "undoing"),
    "undone": ("prepared", "undoing", "undone"),
    "kept": ("swapped", "kept"),
}

UNFINISHED = ("swapping", "swapped", "undoing")


@dataclass(frozen=True)
class Swap:
    """One component's swap: its receipt says what is exchanged with what, its state how far it came."""

    procedure_id: str
    component: str
    position: int
    state: str
    receipt: dict[str, Any]
    updated_at: str


def prepare(connection: Connection, procedure_id: str, position: int, component: str, receipt: dict[str, Any]) -> None:
    """Given a receipt, record that this component is to be swapped, before anything moves.

    A new rehearsal replaces an earlier receipt. Raises ProcedureError when the earlier one has begun to be swapped.
    """
    values = {"position": position, "receipt": canonical_json(receipt).decode()}
    current = _find(connection, procedure_id, component)
    if current is None:
        row = {"procedure_id": procedure_id, "component": component, "state": "prepared"}
        connection.execute(insert(schema.swaps).values(row | values | {"updated_at": schema.timestamp()}))
    else:
        _refuse_unreachable(current, "prepared")
        _write(connection, current, "prepared", values)
    _append(connection, procedure_id, component, "prepared", {"position": position, "receipt": receipt})


def mark(connection: Connection, procedure_id: str, component: str, state: str, reason: str = "") -> None:
    """Given a prepared swap, record how far it came; the same state again changes nothing.

    `reason` says in the ledger why a swap is undone: whoever dies after this cannot say it any more.
    Raises NotFoundError for a swap that was not prepared, ProcedureError for a state that does not follow.
    """
    current = _find(connection, procedure_id, component)
    if current is None:
        raise NotFoundError(
            f"no swap of {component} was prepared by {procedure_id}",
            state="nothing was recorded",
            hint="retry the run: the rehearsal comes first",
        )
    if current.state == state:
        return
    _refuse_unreachable(current, state)
    _write(connection, current, state, {})
    facts = {"from": current.state} | ({"reason": reason} if reason else {})
    _append(connection, procedure_id, component, state, facts)


def entries(connection: Connection, procedure_id: str) -> list[Swap]:
    """Given a procedure, return its swaps in the order in which they are made."""
    table = schema.swaps
    query = select(table).where(table.c.procedure_id == procedure_id).order_by(table.c.position, table.c.component)
    return [_swap(row) for row in connection.execute(query)]


def reason_of_undoing(connection: Connection, procedure_id: str) -> str:
    """Given a procedure, return the reason with which its swaps were undone; "" when none was given."""
    undoing = ledger.entries(connection, procedure_id=procedure_id, kind="swap.undoing")
    return next((str(entry.facts["reason"]) for entry in undoing if "reason" in entry.facts), "")


def unfinished(connection: Connection) -> list[Swap]:
    """Return the swaps that were begun and neither kept nor undone, of all procedures; the guard settles these."""
    table = schema.swaps
    query = select(table).where(table.c.state.in_(UNFINISHED))
    ordered = query.order_by(table.c.procedure_id, table.c.position, table.c.component)
    return [_swap(row) for row in connection.execute(ordered)]


def _refuse_unreachable(current: Swap, state: str) -> None:
    if current.state not in _REACHED_FROM[state]:
        raise ProcedureError(
            f"the swap of {current.component} is {current.state} and cannot become {state}",
            state="the journal is untouched",
            hint="run `pulih guard`, which finishes or undoes what was begun",
        )


def _write(connection: Connection, current: Swap, state: str, values: dict[str, Any]) -> None:
    table = schema.swaps
    this = (table.c.procedure_id == current.procedure_id) & (table.c.component == current.component)
    connection.execute(update(table).where(this).values(state=state, updated_at=schema.timestamp(), **values))


def _append(connection: Connection, procedure_id: str, component: str, state: str, facts: dict[str, Any]) -> None:
    ledger.append(connection, f"swap.{state}", facts, procedure_id=procedure_id, component=component)


def _find(connection: Connection, procedure_id: str, component: str) -> Swap | None:
    table = schema.swaps
    this = (table.c.procedure_id == procedure_id) & (table.c.component == component)
    row = connection.execute(select(table).where(this)).one_or_none()
    return _swap(row) if row else None


def _swap(row: Row[Any]) -> Swap:
    fields = dict(row._mapping)
    return Swap(**{**fields, "receipt": json.loads(fields["receipt"])})
