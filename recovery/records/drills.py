"""Drills: what came of each backup that was taken out of a store and proven again. The ledger is their record."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, select

from recovery.records import ledger, schema

KIND = "drill"
JUDGED = "drill.judged"


@dataclass(frozen=True)
class Drilled:
    """One component's drill. `verdict`: "pass", "fail" (the copy is bad) or "error" (it could not be looked at).

    `store` is the one whose copy was taken; `error` says why it is not "pass"; `counts` are those of the checks.
    """

    backup_id: str
    name: str
    store: str
    manifest_sha256: str
    verdict: str
    error: str
    counts: dict[str, int]
    objects: int
    rows: int
    begun_at: str
    ended_at: str
    component: str = ""
    procedure_id: str = ""

    @property
    def passed(self) -> bool:
        """Whether the copy was restored and is good."""
        return self.verdict == "pass"

    @property
    def judged(self) -> bool:
        """Whether the copy could be looked at: else the drill says nothing of it."""
        return self.verdict != "error"


def record(connection: Connection, drilled: Drilled) -> None:
    """Given what came of a component's drill, put it into the ledger."""
    facts = asdict(drilled)
    keys = {name: facts.pop(name) for name in ("component", "procedure_id")}
    ledger.append(connection, JUDGED, facts, **keys)


def of_procedure(connection: Connection, procedure_id: str) -> dict[str, Drilled]:
    """Given a drill's procedure, return what came of it, by component."""
    return {each.component: each for each in _list(connection, schema.ledger.c.procedure_id == procedure_id)}


def of_component(connection: Connection, component: str) -> list[Drilled]:
    """Given "application/component", return all its drills, oldest first."""
    return _list(connection, schema.ledger.c.component == component)


def newest(connection: Connection, component: str) -> Drilled | None:
    """Given "application/component", return its newest drill; None when there was none."""
    found = of_component(connection, component)
    return found[-1] if found else None


def newest_passed(connection: Connection, component: str) -> Drilled | None:
    """Given "application/component", return its newest drill that passed; None when none did."""
    found = [each for each in of_component(connection, component) if each.passed]
    return found[-1] if found else None


def _list(connection: Connection, condition: Any) -> list[Drilled]:
    table = schema.ledger
    query = select(table).where((table.c.kind == JUDGED) & condition).order_by(table.c.sequence)
    return [
        Drilled(**json.loads(row.facts), component=row.component, procedure_id=row.procedure_id)
        for row in connection.execute(query)
    ]
