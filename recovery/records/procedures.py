"""Procedures: one row for each backup, restore, approval of a schedule or destruction of sets, opened once and closed
once."""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recovery.canonical import canonical_json
from recovery.errors import ConflictError, NotFoundError, ProcedureError
from recovery.records import ledger, schema
from recovery.records.catalog import Catalog

# The outcome of a schedule's approval, or of a plan for destroying sets, whose place another one took.
SUPERSEDED = "diganti"
# The outcomes of what an administrator closed: before anything was touched, or without the requester's receipt.
GIVEN_UP = "ditutup"
UNACKNOWLEDGED = "tanpa tanda terima"
# The outcome of what died and nobody can take up again.
INTERRUPTED = "terputus"


@dataclass(frozen=True)
class Procedure:
    """One run of a procedure. `cites` is the form number of an earlier run that this one continues."""

    id: str
    kind: str
    application: str
    schedule: str
    state: str
    outcome: str
    release: str
    parameters: dict[str, Any]
    reason: str
    cites: str
    opened_at: str
    closed_at: str | None


def open_procedure(
    catalog: Catalog,
    id: str,
    kind: str,
    *,
    parameters: dict[str, Any],
    release: str,
    application: str = "",
    schedule: str = "",
    reason: str = "",
    cites: str = "",
) -> Procedure:
    """Given a run's id, open its procedure and return it; a run that comes again gets what was recorded first.

    An approval of a schedule closes those of the same schedule that are open, and so does a plan for destroying sets:
    one that waits in vain, or whose run is gone, must keep nobody from asking anew.

    Raises ConflictError when the id belongs to another kind or application, or when another restore of the same
    application is open: the message names it.
    """
    with catalog.begin() as connection:
        recorded = find(connection, id)
        if recorded is not None:
            return _same(recorded, kind, application, schedule)
        if kind == "restore":
            refuse_second_restore(connection, application)
        if kind in ("schedule", "retention"):
            _supersede(connection, kind, schedule)
        row = {
            "id": id,
            "kind": kind,
            "application": application,
            "schedule": schedule,
            "state": "open",
            "outcome": "",
            "release": release,
            "parameters": canonical_json(parameters).decode(),
            "reason": reason,
            "cites": cites,
            "opened_at": schema.timestamp(),
            "closed_at": None,
        }
        connection.execute(insert(schema.procedures).values(row))
        named = ("kind", "application", "schedule", "release", "reason", "cites")
        facts = {**{name: row[name] for name in named}, "parameters": parameters}
        ledger.append(connection, "procedure.opened", facts, procedure_id=id)
        return get(connection, id)


def close_procedure(catalog: Catalog, id: str, outcome: str) -> Procedure:
    """Given an open procedure and its outcome, close it; closing again with the same outcome changes nothing.

    Raises NotFoundError, and ConflictError when it was closed with another outcome.
    """
    with catalog.begin() as connection:
        recorded = get(connection, id)
        if recorded.state == "closed":
            if recorded.outcome != outcome:
                raise ConflictError(
                    f"procedure {id} was closed as {recorded.outcome!r} and cannot become {outcome!r}",
                    state="the recorded outcome stands",
                    hint="see with `pulih show` how it ended; for another outcome begin a new procedure",
                )
            return recorded
        record_closing(connection, id, outcome)
        return get(connection, id)


def record_closing(connection: Connection, id: str, outcome: str) -> None:
    """Given an open procedure and its outcome, close it in the transaction in which the caller saw that it may be."""
    table = schema.procedures
    closed = {"state": "closed", "outcome": outcome, "closed_at": schema.timestamp()}
    connection.execute(update(table).where(table.c.id == id).values(closed))
    ledger.append(connection, "procedure.closed", {"outcome": outcome}, procedure_id=id)


def record_giving_up(connection: Connection, id: str, outcome: str, reason: str) -> None:
    """As record_closing(), of what an administrator closes, with his reason."""
    ledger.append(connection, "procedure.given_up", {"reason": reason}, procedure_id=id)
    record_closing(connection, id, outcome)


def get(connection: Connection, id: str) -> Procedure:
    """Given a run's id, return its procedure. Raises NotFoundError."""
    recorded = find(connection, id)
    if recorded is None:
        raise NotFoundError(
            f"no procedure has the id {id!r}",
            state="nothing was recorded",
            hint="a procedure has the id of its flow run; `pulih show` also finds it by a form number",
        )
    return recorded


def require_open(connection: Connection, id: str) -> None:
    """Given a run's id, return when its procedure is open. Raises NotFoundError, ProcedureError when it is closed."""
    if get(connection, id).state == "closed":
        raise ProcedureError(
            f"procedure {id} is closed", state="nothing was stopped or changed", hint="start a new run"
        )


def by_form(connection: Connection, number: str) -> Procedure | None:
    """Given a form's number, return the procedure that issued it; None when no form has that number.

    Versions of a schedule are issued by several: then it is that of the newest.
    """
    query = select(schema.procedures).join_from(
        schema.procedures, schema.forms, schema.forms.c.procedure_id == schema.procedures.c.id
    )
    numbered = query.where(schema.forms.c.number == number).order_by(schema.forms.c.version.desc())
    row = connection.execute(numbered.limit(1)).one_or_none()
    return _procedure(row) if row else None


def list_open(connection: Connection, kind: str | None = None) -> list[Procedure]:
    """Return the procedures that are not closed, oldest first; only those of a kind when one is given."""
    return [procedure for procedure in list_all(connection, kind) if procedure.state == "open"]


def list_all(connection: Connection, kind: str | None = None) -> list[Procedure]:
    """Return all procedures, oldest first; only those of a kind when one is given."""
    query = select(schema.procedures).order_by(schema.procedures.c.opened_at, schema.procedures.c.id)
    if kind is not None:
        query = query.where(schema.procedures.c.kind == kind)
    return [_procedure(row) for row in connection.execute(query)]


def list_replaced(connection: Connection, kind: str, schedule: str = "") -> list[Procedure]:
    """Return the approvals of a schedule, or the plans for destroying sets, whose place another one took."""
    return [each for each in list_all(connection, kind) if each.schedule == schedule and each.outcome == SUPERSEDED]


def refuse_second_restore(connection: Connection, application: str) -> None:
    """Raises ConflictError, which names it, when a restore of this application is open."""
    for other in list_open(connection, "restore"):
        if other.application == application:
            raise ConflictError(
                f"a restore of {application} is open already: procedure {other.id}, since {other.opened_at}",
                state="nothing was opened",
                hint="finish that restore first: Resume it, or Retry it when it failed; or end it by `pulih close` "
                "when its service was not stopped yet, when the guard has settled what died, or when it waits for the "
                "requester's receipt alone",
            )


def _supersede(connection: Connection, kind: str, schedule: str) -> None:
    for other in list_open(connection, kind):
        if other.schedule == schedule:
            record_closing(connection, other.id, SUPERSEDED)


def _same(recorded: Procedure, kind: str, application: str, schedule: str) -> Procedure:
    if (recorded.kind, recorded.application, recorded.schedule) != (kind, application, schedule):
        subject = f"{recorded.application} {recorded.schedule}".strip()
        raise ConflictError(
            f"procedure {recorded.id} is a {recorded.kind} of {subject}",
            state="the recorded procedure is untouched",
            hint="start a new run instead of changing the parameters of this one",
        )
    return recorded


def find(connection: Connection, id: str) -> Procedure | None:
    """Given a run's id, return its procedure; None when there is none."""
    row = connection.execute(select(schema.procedures).where(schema.procedures.c.id == id)).one_or_none()
    return _procedure(row) if row else None


def _procedure(row: Row[Any]) -> Procedure:
    fields = dict(row._mapping)
    return Procedure(**{**fields, "parameters": json.loads(fields["parameters"])})
