"""Ending a restore's critical section: services running on whole new data, or on whole old data. Never a mixture.

Step 6 does it, and the guard when the restore died; both hold the leases of all components.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from recovery.errors import CommandError, ServiceError
from recovery.installation import Installation
from recovery.points import reached
from recovery.procedures.restore.plan import Plan
from recovery.procedures.restore.quiet import make_quiet
from recovery.procedures.restore.swapping import is_final, keep_all, replaced, to_be_undone, undo_all, why_undone
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
    """Given the leases, settle which data is live and start the services on it; unwell on the new, they get the old.

    `trusted=False`: nothing proves that the swap was finished, so the old data comes back even when the journal says
    that all is new. Raises ServiceError, or the CommandError of a look that took too long, when the services are not
    well on the data that stays: an administrator is needed at once. Raises SourceBusyError or SwapError when the old
    data cannot be put back now.
    """
    new_data = replaced(installation, procedure_id) and (trusted or is_final(installation, procedure_id))
    if not new_data:
        # Step 5 failed or was killed half way: whole old data, before anybody can use a mixture.
        put_back(installation, procedure_id, plan, held)
    try:
        health = _start_all(installation, plan)
    except (ServiceError, CommandError) as error:  # a look that took too long says as little good
        # Data on which the service once was well stays: users may have worked on it.
        if not new_data or is_final(installation, procedure_id):
            raise
        logger.warning("the service is not well on the new data, putting the old data back: %s", error.message)
        return Restarted(False, _go_back(installation, procedure_id, plan, held, error.message), error.message)
    if new_data:
        keep_all(installation, procedure_id, held)
    # A try that died after it had put the old data back could say why only in the journal.
    return Restarted(new_data, health, "" if new_data else why_undone(installation, procedure_id))


def put_back(
    installation: Installation, procedure_id: str, plan: Plan, held: Sequence[Lease], trouble: str = ""
) -> None:
    """Make the old data of every component live again, if anything may have moved; services are stopped for it."""
    if to_be_undone(installation, procedure_id):
        # Proven anew: somebody may have started a service on the mixture meanwhile.
        make_quiet(installation, plan.application, plan.components)
        undo_all(installation, procedure_id, held, trouble)


def _start_all(installation: Installation, plan: Plan) -> list[dict[str, Any]]:
    # In the opposite order of stopping: what others need was stopped last.
    health = []
    for service in reversed(installation.services(plan.application)):
        reached(f"service: before starting {service.name}")
        health.append(service.start())
        reached(f"service: after starting {service.name}")
    return health


def _go_back(
    installation: Installation, procedure_id: str, plan: Plan, held: Sequence[Lease], trouble: str
) -> list[dict[str, Any]]:
    put_back(installation, procedure_id, plan, held, trouble)
    try:
        return _start_all(installation, plan)
    except (ServiceError, CommandError) as error:
        raise ServiceError(
            f"the service is well neither on the new nor on the old data ({error.message})",
            state="the old data is live and unchanged; the service is not healthy",
            hint="look at the service's own log, start it by hand, then retry this run so that the form gets written",
        ) from error
