"""A restore whose application, or a component of it, has left the inventory since: what the records still say of it.

Where its data and its services are reached stands in the inventory alone, and an entry may have been taken out because
something else lies there by now. So nothing is touched by what the records remember; they say what is live, what may
stand still, and what ends the restore.
"""

import shlex
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from recovery.errors import NotFoundError
from recovery.installation import Installation
from recovery.procedures.restore.interventions import STOPPING, interventions, is_untouched
from recovery.procedures.restore.plan import Plan
from recovery.records import journal, ledger, steps
from recovery.records.journal import Swap
from recovery.records.procedures import Procedure
from recovery.settings import ServiceSettings

SETTLED = ("undone", "kept")


def missing_of(installation: Installation, application: str, components: Sequence[str] = ()) -> tuple[str, ...]:
    """Given an application and keys "application/component", return what of it the inventory does not name: the
    application alone when it is gone with all that belongs to it."""
    settings = installation.applications.get(application)
    if settings is None:
        return (application,)
    known = {f"{application}/{component.name}" for component in settings.components}
    return tuple(key for key in components if key not in known)


def missing_of_restore(connection: Connection, installation: Installation, procedure: Procedure) -> tuple[str, ...]:
    """Given a restore, return what of it the inventory does not name: of its components those of the approved plan."""
    verified = steps.evidence_of(connection, procedure.id, "restore.3") or {}
    return missing_of(installation, procedure.application, list(verified.get("plan", {})))


def require_in_inventory(
    installation: Installation, procedure_id: str, application: str, components: Sequence[str] = ()
) -> None:
    """Given a restore and what its next action needs, return when the inventory names all of it.

    Raises NotFoundError, which says what is live, what may stand still, and what to do. Nothing was touched then.
    """
    missing = missing_of(installation, application, components)
    if not missing:
        return
    what = f"the application {missing[0]}" if missing == (application,) else f"the component {', '.join(missing)}"
    with installation.catalog.read() as connection:
        state, hint = _situation(connection, procedure_id)
    raise NotFoundError(
        f"{what} of the restore {procedure_id} is not in the inventory any more",
        state=state,
        hint=f"put the entry back into inventory.yaml as it was and run `pulih apply`; {hint}",
    )


def require_to_end(installation: Installation, procedure_id: str, plan: Plan) -> None:
    """Given a restore between its steps 4 and 6, return when the inventory names all that bringing its services back
    needs: the data of its components only as long as it is not settled which of it stays. Raises NotFoundError."""
    with installation.catalog.read() as connection:
        settled = all(entry.state in SETTLED for entry in journal.entries(connection, procedure_id))
    require_in_inventory(installation, procedure_id, plan.application, () if settled else plan.components)


def application_title(installation: Installation, name: str) -> str:
    """Given an application, return its title. One that left the inventory is called by its name: what was done, or is
    to be refused, still goes onto its form."""
    settings = installation.applications.get(name)
    return settings.title if settings else name


def component_title(installation: Installation, key: str) -> str:
    """Given "application/component", return the title that forms print; the key of one that left the inventory."""
    if missing_of(installation, key.partition("/")[0], [key]):
        return key
    _application, settings = installation.component(key)
    return settings.printed_name


def component_title_and_key(installation: Installation, key: str) -> str:
    """Given "application/component", return its title, and the key by which names of backups and logs call it."""
    title = component_title(installation, key)
    return key if title == key else f"{title} ({key})"


def services_in_words(installation: Installation, application: str) -> dict[str, Any]:
    """Given an application whose services are about to be stopped, return what somebody needs who would have to start
    them by hand: the host, and of each service by what it is controlled, in the order of stopping."""
    settings = installation.application(application)
    return {
        "host": installation.host_of(settings).title(),
        "services": [f"{service.name} ({_control(service)})" for service in settings.services],
    }


def _control(service: ServiceSettings) -> str:
    match service.kind:
        case "systemd":
            return f"systemd: {', '.join(service.units)}"
        case "supervisor":
            return f"supervisor: {service.program}"
        case _:
            return f"command: {shlex.join(service.start)}"


def ended_by(procedure_id: str) -> str:
    """Return what ends a restore that is not to go on."""
    return f"or end the restore: pulih close {procedure_id} --reason …"


def _situation(connection: Connection, procedure_id: str) -> tuple[str, str]:
    """By the records: in which state data and services are, and what ends the restore when the entry is back."""
    swaps = journal.entries(connection, procedure_id)
    data, whole = _live(swaps)
    if is_untouched(connection, procedure_id):
        return (
            "nothing was changed: no service was stopped for it and no data exchanged",
            f"then Retry the run; {ended_by(procedure_id)}",
        )
    stopped = ledger.entries(connection, procedure_id=procedure_id, kind=STOPPING, last=1)
    ends = "the guard then ends what was begun and starts the services; then Retry the run"
    if not stopped:
        return f"{data}, and no service was stopped for it", f"then Retry the run; {ended_by(procedure_id)}"
    helped = interventions(connection, procedure_id)
    if helped and helped[-1].at > stopped[0].at:
        return f"{data}, and the guard has started its services", "then Retry the run"
    facts = stopped[0].facts
    # What an earlier release recorded does not name them.
    named = f": {'; '.join(facts['services'])} on {facts['host']}" if facts.get("services") else ""
    by_hand = (
        "whoever cannot wait for it may start them by hand"
        if whole
        else "start nothing by hand before: people would work on data that goes back"
    )
    return f"{data}, and its services may be stopped{named}", f"{ends}; {by_hand}"


def _live(swaps: list[Swap]) -> tuple[str, bool]:
    """Which data is live, and whether that stays so whatever comes."""
    states = {swap.state for swap in swaps}
    if states <= {"undone", "prepared"}:
        return "the whole old data is live", True
    if states == {"kept"}:
        return "the whole new data is live", True
    if states == {"swapped"}:
        return "the whole new data is live, not yet for good", False
    return "part of the data may be new and part of it old", False
