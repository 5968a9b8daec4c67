"""Requests that wait for an official: who can answer each now, and by when."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from recovery.records import schema
from recovery.records.approval_person_rules import may_answer
from recovery.records.approval_requests import ApprovalRequest, stored_request
from recovery.records.officials import Official, list_all


@dataclass(frozen=True)
class OpenRequest:
    """A request that waits, who can answer it now, and by when the SOP wants its step done (None: not counted).

    Past `request.expires_at` the request itself is void and is asked anew.
    """

    request: ApprovalRequest
    officials: tuple[Official, ...]
    deadline: str | None


def open_requests(connection: Connection, *, now: datetime | None = None) -> list[OpenRequest]:
    """Return every request that waits, soonest to expire first, with the officials who can answer it now.

    What a closed procedure had asked waits for nobody.
    """
    moment = now or datetime.now(UTC)
    table, steps, procedures = schema.approval_requests, schema.steps, schema.procedures
    same_step = (steps.c.procedure_id == table.c.procedure_id) & (steps.c.step_id == table.c.step_id)
    query = (
        select(table, steps.c.deadline)
        .select_from(table.join(procedures).outerjoin(steps, same_step & (steps.c.component == "")))
        .where(table.c.state == "open", procedures.c.state == "open")
        .order_by(table.c.expires_at, table.c.id)
    )
    everyone = list_all(connection)
    waiting = []
    for row in connection.execute(query).mappings():
        request = stored_request(row)
        able = tuple(official for official in everyone if may_answer(request, official, moment))
        waiting.append(OpenRequest(request, able, row["deadline"]))
    return waiting
