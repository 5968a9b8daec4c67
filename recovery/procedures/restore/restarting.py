"""Ending a restore's critical section: services running on whole new data, or on whole old data. Never a mixture.

Step 6 does it, and the guard when the restore died; both hold the leases of all components. First every service is
started and judged, behind its maintenance page where it has one; then it is final which data stays; only then are
people let in. So nobody's work is lost because a second service does not start.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from recovery.errors import CommandError, HostError, ServiceError
from recovery.installation import Installation
from recovery.points import reached
from recovery.procedures.restore.interventions import record_not_opened
from recovery.procedures.restore.plan import Plan
from recovery.procedures.restore.quiet import make_quiet
from recovery.procedures.restore.swapping import is_final, keep_all, replaced, to_be_undone, undo_all, why_undone
from recovery.procedures.working import prove_held
from recovery.records import steps
from recovery.records.leases import Lease

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restarted:
    """What is live now. `trouble`: why the new data, which was live before, had to go; "" when it had not."""

    new_data: bool
    health: list[dict[str, Any]]
    trouble: str = ""


def restart(
    installation: Installation, procedure_id: str, plan: Plan, held: Sequence[Lease], *, trusted: bool = True
) -> Restarted:
    """Given the leases, settle which data is live, start the services on it and open them to people; unwell on the new,
    they get the old.

    `trusted=False`: nothing proves that the swap was finished, so the old data comes back even when the journal says
    that all is new. Raises ServiceError, or the CommandError of a look that took too long, when the services are not
    well on the data that stays, or cannot be opened: an administrator is needed at once. Raises SourceBusyError or
    SwapError when the old data cannot be put back now, LeaseLostError when somebody else ends this restore by now.
    """
    new_data = replaced(installation, procedure_id) and (trusted or is_final(installation, procedure_id))
    if not new_data:
        # Step 5 failed or was killed half way: whole old data, before anybody can use a mixture.
        put_back(installation, procedure_id, plan, held)
    trouble = ""
    try:
        health = _start_all(installation, plan, held)
    except (ServiceError, CommandError) as error:  # a look that took too long says as little good
        # Data on which the service once was well stays: users may have worked on it.
        if not new_data:
            raise _unwell_on_old(installation, procedure_id, error) from error
        if is_final(installation, procedure_id):
            raise
        logger.warning("the service is not well on the new data, putting the old data back: %s", error.message)
        health = _go_back(installation, procedure_id, plan, held, error.message)
        new_data, trouble = False, error.message
    reached("services: all started")
    if new_data:
        # Before people get in: what they do must never go back with the data.
        keep_all(installation, procedure_id, held)
    health = _open_all(installation, procedure_id, plan, held, health, new_data=new_data)
    if not new_data:
        # A try that died after it had put the old data back could say why only in the journal.
        trouble = trouble or why_undone(installation, procedure_id)
    return Restarted(new_data, health, trouble)


def put_back(
    installation: Installation, procedure_id: str, plan: Plan, held: Sequence[Lease], trouble: str = ""
) -> None:
    """Make the old data of every component live again, if anything may have moved; services are stopped for it."""
    if to_be_undone(installation, procedure_id):
        # Proven anew: somebody may have started a service on the mixture meanwhile.
        make_quiet(installation, plan.application, plan.components, held)
        undo_all(installation, procedure_id, held, trouble)


def _start_all(installation: Installation, plan: Plan, held: Sequence[Lease]) -> list[dict[str, Any]]:
    """Start the services and return the evidence that each is healthy; pages stay."""
    permit = partial(prove_held, installation, held)
    # In the opposite order of stopping: what others need was stopped last.
    services = installation.services(plan.application)[::-1]
    health = []
    for service in services:
        reached(f"service: before starting {service.name}")
        health.append(service.start(permit))
        reached(f"service: after starting {service.name}")
    # All well together, not only each at the moment it was started; the last was judged just now.
    for service in services[:-1]:
        service.prove_well()
    return health


def _open_all(
    installation: Installation,
    procedure_id: str,
    plan: Plan,
    held: Sequence[Lease],
    health: list[dict[str, Any]],
    *,
    new_data: bool,
) -> list[dict[str, Any]]:
    """Let people in, and return the evidence of each service with the time that its start took."""
    permit = partial(prove_held, installation, held)
    opened, complaints = [], []
    for service, started in zip(installation.services(plan.application)[::-1], health, strict=True):
        try:
            opened.append({**service.open(permit), "seconds": started["seconds"]})
        except (ServiceError, CommandError, HostError) as error:
            # The others are as well, and people wait for them.
            complaints.append(error.message)
        reached(f"service: after opening {service.name}")
    if complaints:
        reason = "; ".join(complaints)
        record_not_opened(installation, procedure_id, reason, new_data=new_data)
        data = "new" if new_data else "old"
        raise ServiceError(
            f"the service runs well on the {data} data, but people do not get in ({reason})",
            state=f"the whole {data} data is live and stays",
            hint="mend the web server or the flag's directory, or remove the flag, then retry this run: it opens what "
            "is closed and exchanges no data any more",
        )
    return opened


def _go_back(
    installation: Installation, procedure_id: str, plan: Plan, held: Sequence[Lease], trouble: str
) -> list[dict[str, Any]]:
    put_back(installation, procedure_id, plan, held, trouble)
    try:
        return _start_all(installation, plan, held)
    except (ServiceError, CommandError) as error:
        raise ServiceError(
            f"the service is well neither on the new nor on the old data ({error.message})",
            state="the old data is live and unchanged; the service is not healthy",
            hint="look at the service's own log, start it by hand, then retry this run so that the form gets written; "
            f"when the old data is what it does not bear, pulih close {procedure_id} --reason …, and request a new "
            "restore",
        ) from error


def _unwell_on_old(installation: Installation, procedure_id: str, error: ServiceError | CommandError) -> ServiceError:
    """Return what to say of services that are not well on data that was not restored: above all, why it was not.

    Whose data is damaged is often not well before, either; then mending the earlier step is what helps.
    """
    with installation.catalog.read() as connection:
        recorded = [steps.find(connection, procedure_id, step_id) for step_id in ("restore.4", "restore.5")]
    told = (f", because step {row.step_id[-1]} failed: {row.error}" for row in recorded if row and row.error)
    failed = next(told, "")
    first = "mend what failed; if the service was well on the old data before, " if failed else ""
    return ServiceError(
        f"the data was not restored{failed}; on the old data {error.message}",
        state="the old data is live; the service is not healthy",
        hint=f"{first}look at the service's own log; then retry this run: what never moved is restored, what was put "
        f"back stays and the form says so; when that is what the service does not bear, pulih close {procedure_id} "
        "--reason …, and request a new restore",
    )
