"""Steps: each is done once for a procedure (and component), and what decides that is its evidence in the catalog.

A flow is entered again from its first line after every approval, retry or crash; perform() makes that harmless.
"""

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from recovery import sop
from recovery.canonical import canonical_json
from recovery.errors import ProcedureError, PulihError
from recovery.records import forms, ledger, procedures, schema
from recovery.records.catalog import Catalog

logger = logging.getLogger(__name__)

Change = Callable[[Connection], Any]
Clock = Callable[[], datetime]
Deadline = Callable[[datetime], datetime]

ERROR_LENGTH = 500


@dataclass(frozen=True)
class StepResult:
    """What a step's body hands back: its evidence, and the changes to record in the same transaction."""

    evidence: dict[str, Any]
    changes: Sequence[Change] = ()


@dataclass(frozen=True)
class StepRow:
    """A step of a procedure as recorded. `tries` counts how often its body was begun."""

    procedure_id: str
    step_id: str
    component: str
    state: str
    opened_at: str
    deadline: str | None
    ended_at: str | None
    evidence: dict[str, Any] | None = field(default=None)
    error: str = ""
    tries: int = 0


def _clock() -> datetime:
    return datetime.now(UTC)


def perform(
    catalog: Catalog,
    step_id: str,
    procedure_id: str,
    body: Callable[[], StepResult],
    *,
    component: str = "",
    now: Clock = _clock,
    deadline: Deadline | None = None,
) -> dict[str, Any]:
    """Given a step of the register and its body, return the step's evidence; run the body only when there is none.

    The body runs outside any transaction; its evidence, its changes and the ledger entry are one transaction after
    it. A process that dies in between has recorded nothing, and the body runs again: it must not mind. A body that
    raises leaves the step failed, with the error's first line.

    Raises whatever the body raises; ProcedureError when the evidence lacks what the register requires, and, without
    running the body, when the step whose closing makes this one final (register: `final_after`) is done, or the
    procedure's form, which tells of it, is issued.
    """
    with catalog.read() as connection:
        evidence = evidence_of(connection, procedure_id, step_id, component)
    if evidence is not None:
        return evidence
    with catalog.begin() as connection:
        recorded = _open(connection, step_id, procedure_id, component, now, deadline, begin_try=True)
    if recorded.state == "done":  # pragma: no cover - another process between two looks at the catalog
        return recorded.evidence or {}
    try:
        result = body()
        evidence = _as_recorded(step_id, result.evidence)
        with catalog.begin() as connection:
            return _close(connection, recorded, evidence, result.changes, now)
    # Whatever went wrong belongs into the records, and it is raised again. Signals and Prefect's own control flow are
    # no Exception: they leave the step open, as a crash does.
    except Exception as error:
        _record_failure(catalog, recorded, error, now)
        raise


def open_step(
    catalog: Catalog,
    step_id: str,
    procedure_id: str,
    component: str = "",
    deadline: Deadline | None = None,
    *,
    now: Clock = _clock,
) -> StepRow:
    """Given a step that waits for somebody, record that it is open and until when; return it as it is recorded.

    Does nothing when it is open or done. Raises NotFoundError for an unknown procedure, ProcedureError as perform().
    """
    with catalog.begin() as connection:
        return _open(connection, step_id, procedure_id, component, now, deadline, begin_try=False)


def evidence_of(connection: Connection, procedure_id: str, step_id: str, component: str = "") -> dict[str, Any] | None:
    """Given a step of a procedure, return its evidence; None when it is not done."""
    recorded = find(connection, procedure_id, step_id, component)
    return recorded.evidence if recorded else None


def find(connection: Connection, procedure_id: str, step_id: str, component: str = "") -> StepRow | None:
    """Given a step of a procedure, return it as recorded; None when it was never opened."""
    row = connection.execute(select(schema.steps).where(_is(procedure_id, step_id, component))).one_or_none()
    return _step(row) if row else None


def list_steps(connection: Connection, procedure_id: str) -> list[StepRow]:
    """Given a procedure, return its recorded steps in the order in which they were opened."""
    table = schema.steps
    query = select(table).where(table.c.procedure_id == procedure_id)
    ordered = query.order_by(table.c.opened_at, table.c.step_id, table.c.component)
    return [_step(row) for row in connection.execute(ordered)]


def newest_failure(connection: Connection, component: str, until: str | None = None) -> StepRow | None:
    """Given "application/component", return the failed step of the newest backup that took it up; None when none of
    its steps stands as failed, or a synchronisation of the stores secured the backup since. With `until`, steps that
    were opened after that moment are left out."""
    table = schema.steps
    mine = (table.c.component == component) & table.c.step_id.like("backup.%")
    if until is not None:
        mine &= table.c.opened_at <= until
    query = select(table).where(mine).order_by(table.c.opened_at.desc(), table.c.step_id.desc())
    newest = connection.execute(query.limit(1)).one_or_none()
    if newest is None or _is_secured(connection, newest.procedure_id, component):
        return None
    failed = query.where((table.c.procedure_id == newest.procedure_id) & (table.c.state == "failed")).limit(1)
    row = connection.execute(failed).one_or_none()
    return _step(row) if row else None


def _is_secured(connection: Connection, procedure_id: str, component: str) -> bool:
    table, (application, _, name) = schema.backups, component.partition("/")
    made = (table.c.procedure_id == procedure_id) & (table.c.application == application) & (table.c.component == name)
    return bool(connection.execute(select(table.c.id).where(made & (table.c.state == "secured"))).first())


def _open(
    connection: Connection,
    step_id: str,
    procedure_id: str,
    component: str,
    now: Clock,
    deadline: Deadline | None,
    *,
    begin_try: bool,
) -> StepRow:
    entry = sop.step(step_id)
    procedure = procedures.get(connection, procedure_id)
    recorded = find(connection, procedure_id, step_id, component)
    if recorded is not None and recorded.state == "done":  # pragma: no cover - a process between two looks
        return recorded
    _refuse_what_is_final(connection, entry, procedure, component, recorded)
    if recorded is None:
        moment = now()
        until = schema.timestamp(deadline(moment)) if deadline else None
        keys = {"procedure_id": procedure_id, "step_id": step_id, "component": component}
        row = {**keys, "state": "open", "opened_at": schema.timestamp(moment), "deadline": until, "tries": 0}
        connection.execute(insert(schema.steps).values(row))
        ledger.append(connection, "step.opened", {"deadline": until}, **keys)
    if begin_try:
        statement = update(schema.steps).where(_is(procedure_id, step_id, component))
        again = statement.values(state="open", ended_at=None, error="", tries=schema.steps.c.tries + 1)
        connection.execute(again)
    return _recorded(connection, procedure_id, step_id, component)


def _refuse_what_is_final(
    connection: Connection,
    entry: sop.Step,
    procedure: procedures.Procedure,
    component: str,
    recorded: StepRow | None,
) -> None:
    what = f"{entry.title} ({component})" if component else entry.title
    if procedure.state == "closed":
        raise ProcedureError(
            f"the step {what!r} cannot be done: procedure {procedure.id} is closed",
            state="what was recorded stands",
            hint="start a new run",
        )
    if entry.final_after is None:
        return
    closing = find(connection, procedure.id, entry.final_after)
    if closing is not None and closing.state == "done":
        because = f"{sop.step(entry.final_after).title!r} is done"
    elif forms.latest(connection, procedure.kind, procedure.id) is not None:
        # The step that issued the form died before it was done, but what the form says stands.
        because = "the procedure's form is issued"
    else:
        return
    # Also a step that never ran: once the form tells of it, doing this one would make the form untrue.
    reason = recorded.error if recorded and recorded.error else f"the step {what!r} was not done"
    raise ProcedureError(
        reason,
        state=f"this is final, because {because}",
        hint="start a new run that cites this one",
    )


def _as_recorded(step_id: str, evidence: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in sop.step(step_id).evidence if evidence.get(name) is None]
    if missing:
        raise ProcedureError(
            f"the evidence of {sop.step(step_id).title!r} lacks {', '.join(missing)}",
            state="the step is not done",
            hint="this is a defect of the step; report it",
        )
    # The way through JSON makes the first answer equal to every later one.
    recorded: dict[str, Any] = json.loads(canonical_json(evidence))
    return recorded


def _close(
    connection: Connection, opened: StepRow, evidence: dict[str, Any], changes: Sequence[Change], now: Clock
) -> dict[str, Any]:
    keys = {"procedure_id": opened.procedure_id, "step_id": opened.step_id, "component": opened.component}
    current = _recorded(connection, **keys)
    if current.state == "done":
        # Another process took us for dead and was faster. Its evidence stands, and none of our changes is made.
        logger.warning("step %s of %s was done by another process meanwhile", opened.step_id, opened.procedure_id)
        return current.evidence or {}
    for change in changes:
        change(connection)
    connection.execute(
        update(schema.steps)
        .where(_is(**keys))
        .values(state="done", ended_at=schema.timestamp(now()), evidence=canonical_json(evidence).decode(), error="")
    )
    ledger.append(connection, "step.done", {"evidence": evidence, "tries": current.tries}, **keys)
    return evidence


def _record_failure(catalog: Catalog, opened: StepRow, error: Exception, now: Clock) -> None:
    keys = {"procedure_id": opened.procedure_id, "step_id": opened.step_id, "component": opened.component}
    reason = describe(error)
    try:
        with catalog.begin() as connection:
            current = _recorded(connection, **keys)
            if current.state == "done":
                return
            failed = update(schema.steps).where(_is(**keys))
            connection.execute(failed.values(state="failed", ended_at=schema.timestamp(now()), error=reason))
            ledger.append(connection, "step.failed", {"error": reason, "tries": current.tries}, **keys)
    except PulihError as second:
        # The first error is the one to act on; that it is not on record is said with it.
        error.add_note(f"this failure could not be recorded: {second}")


def describe(error: BaseException) -> str:
    """Given an error, return its first line for the records, without credentials and of bounded length."""
    lines = str(error).strip().splitlines()
    text = lines[0] if lines else ""
    if not isinstance(error, PulihError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    text = re.sub(r"://[^/\s@]*@", "://…@", text)
    text = re.sub(r"AGE-SECRET-KEY-[0-9A-Z]+", "AGE-SECRET-KEY-…", text, flags=re.IGNORECASE)
    # PostgreSQL holds no zero bytes, and half a character cannot be written at all.
    text = text.replace("\x00", "").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= ERROR_LENGTH else text[: ERROR_LENGTH - 1] + "…"


def _recorded(connection: Connection, procedure_id: str, step_id: str, component: str) -> StepRow:
    return _step(connection.execute(select(schema.steps).where(_is(procedure_id, step_id, component))).one())


def _is(procedure_id: str, step_id: str, component: str) -> Any:
    table = schema.steps
    return (table.c.procedure_id == procedure_id) & (table.c.step_id == step_id) & (table.c.component == component)


def _step(row: Row[Any]) -> StepRow:
    fields = dict(row._mapping)
    evidence = fields["evidence"]
    return StepRow(**{**fields, "evidence": json.loads(evidence) if evidence is not None else None})
