"""What the ledger has of a restore's end beside its steps: what the guard did when it had died, and what that means for
its times; and when its services could not be opened."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from recovery.installation import Installation
from recovery.records import ledger, steps

# The kind of the ledger entry that is made before an application's services are stopped for a restore.
STOPPING = "service.stopping"
# The kind of the one that says that the guard started an application's services for a restore.
SERVICE_STARTED = "guard.service_started"
# The kind of the one that says that services were healthy and people did not get to them.
NOT_OPENED = "service.not_opened"


@dataclass(frozen=True)
class Intervention:
    """The guard started the services at that time. `trouble`: why the new data had to go, "" when it had not."""

    at: str
    new_data: bool
    trouble: str
    health: list[dict[str, Any]]


@dataclass(frozen=True)
class Unopened:
    """At that time the services were healthy on the data that stays, and people did not get in for this reason."""

    at: str
    reason: str


def is_untouched(connection: Connection, procedure_id: str) -> bool:
    """Given a restore, say whether it has changed nothing: step 4 was not begun, or failed before it was about to stop
    the first service. Asked in the transaction that closes the restore, it stays so: a closed one stops nothing."""
    stopping = steps.find(connection, procedure_id, "restore.4")
    if stopping is None:
        return True
    return stopping.state == "failed" and not ledger.entries(
        connection, procedure_id=procedure_id, kind=STOPPING, last=1
    )


def record_not_opened(installation: Installation, procedure_id: str, reason: str, *, new_data: bool) -> None:
    """Record that people do not get to services that are well; the same reason again is recorded once."""
    with installation.catalog.begin() as connection:
        # A guard that tries every minute must not fill the ledger.
        if all(each.reason != reason for each in unopened(connection, procedure_id)):
            facts = {"reason": reason, "new_data": new_data}
            ledger.append(connection, NOT_OPENED, facts, procedure_id=procedure_id, step_id="restore.6")


def unopened(connection: Connection, procedure_id: str) -> list[Unopened]:
    """Given a restore, return when and why people did not get to services that were well, oldest first."""
    found = ledger.entries(connection, procedure_id=procedure_id, kind=NOT_OPENED, last=100)
    return [Unopened(entry.at, str(entry.facts["reason"])) for entry in found]


def interventions(connection: Connection, procedure_id: str) -> list[Intervention]:
    """Given a restore, return what the guard did to it, oldest first."""
    found = ledger.entries(connection, procedure_id=procedure_id, kind=SERVICE_STARTED, last=100)
    return [
        Intervention(entry.at, entry.facts["new_data"], entry.facts["trouble"], entry.facts["health"])
        for entry in found
    ]


def running_since(installation: Installation, procedure_id: str, application: str) -> Intervention | None:
    """Return the intervention since which the application's services run; None when they do not, or without one."""
    with installation.catalog.read() as connection:
        done = interventions(connection, procedure_id)
    if done and all(service.healthy() for service in installation.services(application)):
        return done[-1]
    return None


def downtime(installation: Installation, procedure_id: str, started_at: str) -> int | None:
    """Given when the services were healthy at last, return the milliseconds for which they were down.

    Counted from the beginning of step 4; the time between a start by the guard and the next stop is none. None when
    the service was never proven down.
    """
    with installation.catalog.read() as connection:
        stopped = steps.evidence_of(connection, procedure_id, "restore.4")
        swapped = steps.evidence_of(connection, procedure_id, "restore.5")
        starts = [done.at for done in interventions(connection, procedure_id)]
        tries = [entry.at for entry in ledger.entries(connection, procedure_id=procedure_id, kind=STOPPING, last=100)]
    if stopped is None:
        return None
    stops = [stopped["stopped_at"], *([swapped["begun_at"]] if swapped else [])]
    # A first try of step 4 had stopped them before it died and the guard started them: down for that long, too.
    stops += [max(at for at in tries if at < start) for start in starts if any(at < start for at in tries)]
    return _sum(stops, [*starts, started_at])


def _sum(stops: list[str], starts: list[str]) -> int:
    total, down_since, up_since = 0, "", ""
    # Times are kept in one way, so they sort as text; at the same instant a stop comes first.
    for moment, is_start in sorted({(moment, False) for moment in stops} | {(moment, True) for moment in starts}):
        if not is_start:
            down_since = down_since or moment
        elif down_since or up_since:  # pragma: no cover - always so: the first is a stop, or step 4 has no evidence
            # Started though nobody recorded a stop: down at some time since the last start, so all of it counts.
            total += _milliseconds(down_since or up_since, moment)
            down_since, up_since = "", moment
    return total


def _milliseconds(begin: str, end: str) -> int:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() * 1000)
