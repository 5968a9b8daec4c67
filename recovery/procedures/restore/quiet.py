"""Proving "tidak ada transaksi": services down, and no process left that has the data open."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from recovery.errors import SourceBusyError
from recovery.installation import Installation
from recovery.points import reached
from recovery.procedures.working import prove_held
from recovery.records.leases import Lease

# Processes of a service that was just stopped may need a moment to close their files.
PATIENCE_SECONDS = 5.0


def make_quiet(
    installation: Installation, application_name: str, components: list[str], held: Sequence[Lease]
) -> dict[str, Any]:
    """Given an application and the leases of its components, stop its services in order and prove that nothing can
    change its data any more.

    Done anew at every entry into steps 4 and 5, whatever the catalog says: a watchful administrator or a timer may
    have started a service meanwhile. Raises ServiceError or SourceBusyError, and LeaseLostError, before the next thing
    is stopped, when somebody took a lease over: he may have started what this would stop.
    """
    permit = partial(prove_held, installation, held)
    services = installation.services(application_name)
    evidence: dict[str, Any] = {"services": []}
    for service in services:
        reached(f"service: before stopping {service.name}")
        evidence["services"].append(service.stop(permit))
        reached(f"service: after stopping {service.name}")
    # All down together, not only each at the moment it was stopped.
    evidence["down"] = [service.prove_down() for service in services]
    reached("quiet: services proven down")
    evidence["sources"] = {component: _wait_until_closed(installation, component) for component in components}
    return evidence


def _wait_until_closed(installation: Installation, component: str) -> dict[str, Any]:
    source = installation.source(component)
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return source.quiet()
        except SourceBusyError:
            if time.monotonic() >= give_up_at:
                raise
            time.sleep(0.1)
