"""Where everything stands now: open procedures, who must act until when, and the newest proof of every component."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from recovery import sop
from recovery.guard.proofs import proof_alarms
from recovery.installation import Installation
from recovery.newest import newest_by_order
from recovery.procedures.restore.inventoried import missing_of_restore
from recovery.records import drills, procedures, schema, steps
from recovery.records.procedures import Procedure
from recovery.records.steps import StepRow
from recovery.records.waiting import OpenRequest, open_requests


@dataclass(frozen=True)
class Standing:
    """One thing that an open procedure waits for.

    `state`: "waiting" for an official, "failed" (until somebody retries the run), "open" (being done, or its process
    died), or "next" (not begun). `role` is that of the SOP, or empty where a question goes to named officials alone.
    `officials` who may answer now, as NIP and name.
    `deadline` is None where the SOP's time standard is not counted.
    """

    step_id: str
    title: str
    component: str
    state: str
    role: str
    officials: tuple[dict[str, str], ...]
    since: str
    deadline: str | None
    late: bool
    error: str


@dataclass(frozen=True)
class OpenProcedure:
    """An open procedure and all that it waits for. `missing`: what of a restore the inventory names no more, without
    which it cannot go on."""

    id: str
    kind: str
    subject: str
    opened_at: str
    waits_for: tuple[Standing, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class ComponentProof:
    """The newest verified backup of a component (empty when there is none), and the guard's alarms about it.

    `drilled_at` is when a drill of it passed last; `drill` is the verdict of its newest drill, from the store
    `drill_store`. All three are empty when there was none.
    """

    component: str
    name: str
    moment: str
    alarms: tuple[str, ...]
    drilled_at: str
    drill: str
    drill_store: str


@dataclass(frozen=True)
class Overview:
    """All of it."""

    procedures: tuple[OpenProcedure, ...]
    components: tuple[ComponentProof, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def overview(installation: Installation, now: datetime) -> Overview:
    """Given the time by which deadlines are judged, say where everything stands."""
    alarms = proof_alarms(installation, now)
    with installation.catalog.read() as connection:
        asked = open_requests(connection, now=now)
        opened = tuple(
            _procedure(connection, installation, each, asked, now) for each in procedures.list_open(connection)
        )
        components = []
        for application in installation.applications.values():
            for component in application.components:
                key = f"{application.name}/{component.name}"
                newest = newest_by_order(connection, application.name, component.name, now).backup
                told = tuple(alarm.kind for alarm in alarms if alarm.subject == key)
                passed, drilled = drills.newest_passed(connection, key), drills.newest(connection, key)
                components.append(
                    ComponentProof(
                        key,
                        str(newest.name) if newest else "",
                        newest.moment if newest else "",
                        told,
                        passed.ended_at if passed else "",
                        drilled.verdict if drilled else "",
                        drilled.store if drilled else "",
                    )
                )
    return Overview(opened, tuple(components))


def _procedure(
    connection: Connection, installation: Installation, procedure: Procedure, asked: list[OpenRequest], now: datetime
) -> OpenProcedure:
    rows = steps.list_steps(connection, procedure.id)
    waiting = [each for each in asked if each.request.procedure_id == procedure.id]
    waits_for = [_waiting(each, now) for each in waiting]
    named = {each.step_id for each in waits_for}
    # From step 6 on a restore needs the records alone.
    ended = procedure.kind != "restore" or any(row.step_id == "restore.6" and row.state == "done" for row in rows)
    waits_for += [_unfinished(row, now) for row in rows if row.state != "done" and row.step_id not in named]
    return OpenProcedure(
        procedure.id,
        procedure.kind,
        procedure.application or procedure.schedule,
        procedure.opened_at,
        tuple(waits_for) or tuple(_next(procedure, rows)),
        () if ended else missing_of_restore(connection, installation, procedure),
    )


def _waiting(waiting: OpenRequest, now: datetime) -> Standing:
    request = waiting.request
    return Standing(
        request.step_id,
        sop.title_of(request.step_id),
        "",
        "waiting",
        " atau ".join(sop.ROLE_TITLES[role] for role in request.question.roles),
        tuple({"nip": each.nip, "name": each.name} for each in waiting.officials),
        request.opened_at,
        waiting.deadline,
        _is_late(waiting.deadline, now),
        "",
    )


def _unfinished(row: StepRow, now: datetime) -> Standing:
    return Standing(
        row.step_id,
        sop.title_of(row.step_id),
        row.component,
        row.state,
        _role(row.step_id),
        (),
        row.ended_at or row.opened_at if row.state == "failed" else row.opened_at,
        row.deadline,
        _is_late(row.deadline, now),
        row.error,
    )


def _next(procedure: Procedure, rows: list[StepRow]) -> list[Standing]:
    """Between two steps, or before the first: what the register has after the last that is done."""
    done = {row.step_id for row in rows}
    since = max((row.ended_at or row.opened_at for row in rows), default=procedure.opened_at)
    for entry in sop.steps_of(procedure.kind):
        if entry.id not in done:
            return [Standing(entry.id, entry.title, "", "next", _role(entry.id), (), since, None, False, "")]
    return []  # pragma: no cover - the instant between the last step and the conclusion


def _role(step_id: str) -> str:
    return "" if step_id in sop.GATES else sop.ROLE_TITLES[sop.step(step_id).role]


def _is_late(deadline: str | None, now: datetime) -> bool:
    return deadline is not None and deadline < schema.timestamp(now)
