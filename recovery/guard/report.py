"""What one round of the guard did, and what it found to be wrong."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from recovery.errors import PulihError
from recovery.records import ledger
from recovery.records.catalog import Catalog

Kind = Literal[
    "never",
    "failing",
    "stale",
    "unscheduled",
    "silent",
    "drill-failed",
    "drill-error",
    "drill-never",
    "drill-stale",
    "incomplete",
    "clock",
    "escrow",
    "blocks",
    "scheduler",
    "schedule",
    "overdue",
    "failed",
    "ledger",
    "requester",
    "restore",
    "service",
    "sweep",
    "store",
    "destruction",
    "records",
    "inventory",
    "guard",
]


@dataclass(frozen=True)
class Action:
    """Something that the guard did; `kind` is that of its ledger entry."""

    kind: str
    message: str
    procedure_id: str = ""
    component: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Alarm:
    """Something that people must see to. `mend` says what to do; `since` is ISO UTC, "" when that is not known."""

    kind: Kind
    subject: str
    message: str
    mend: str = ""
    since: str = ""


@dataclass
class Report:
    """One round. `busy` says who else makes a round now; then this one did and looked at nothing."""

    busy: str = ""
    actions: list[Action] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)

    def did(self, catalog: Catalog, action: Action) -> None:
        """Given an action that was done, put it into the ledger and the report."""
        with catalog.begin() as connection:
            ledger.append(
                connection, action.kind, action.facts, procedure_id=action.procedure_id, component=action.component
            )
        self.actions.append(action)

    def alarm(self, alarm: Alarm) -> None:
        """Add an alarm."""
        self.alarms.append(alarm)

    def trouble(self, kind: Kind, subject: str, error: PulihError) -> None:
        """Given an error that kept the guard from something, add it as an alarm: the round goes on with the rest."""
        message = f"{error.message}; {error.state}" if error.state else error.message
        self.alarm(Alarm(kind, subject, message, error.hint))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return asdict(self)
