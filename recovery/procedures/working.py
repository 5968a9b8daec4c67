"""Keeping others out while a procedure works on components: leases in the catalog, kept alive by a heartbeat."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from recovery.errors import LeaseHeldError
from recovery.installation import Installation
from recovery.records import leases, procedures

logger = logging.getLogger(__name__)

LEASE_SECONDS = 120.0
# For how long a step waits for another procedure's work on the same component: dumps and swaps take minutes, and a
# form that says "failed" because two of them met would help nobody.
PATIENCE_SECONDS = 900.0


@contextmanager
def work_on(
    installation: Installation,
    components: Sequence[str],
    procedure_id: str,
    purpose: str,
    *,
    patience: float = 0.0,
    release: bool = True,
) -> Iterator[list[leases.Lease]]:
    """Given components, hold the lease of each while the block runs, and renew them meanwhile.

    A backup and a restore of one component exclude each other by it. `patience` is for how many seconds to wait for
    another holder; `release=False` leaves the leases to the next step of the same procedure (or to their expiry).
    Raises LeaseHeldError naming the holder. Components are taken in sorted order: two cannot wait for each other.
    """
    catalog = installation.catalog
    held: list[leases.Lease] = []
    try:
        with ExitStack() as stack:
            for component in sorted(components):
                lease = _acquire(installation, f"component:{component}", procedure_id, purpose, patience)
                held.append(lease)
                stack.enter_context(leases.keep(catalog, lease))
            yield held
    finally:
        if release:
            release_all(installation, held)


def release_all(installation: Installation, held: Sequence[leases.Lease]) -> None:
    """Given leases, give them back; one that was taken over meanwhile is left to its new holder."""
    for lease in held:
        leases.release(installation.catalog, lease)


def prove_held(installation: Installation, held: Sequence[leases.Lease]) -> None:
    """Given leases, return when all of them are held still. Raises LeaseLostError.

    Asked before each thing that cannot be recorded in the same transaction, such as starting a service: a process that
    was only asleep must not go on with what the guard has taken over and ended.
    """
    with installation.catalog.read() as connection:
        leases.all_held(connection, held)


def require_still_open(installation: Installation, procedure_id: str) -> None:
    """Asked under the leases: return when the procedure is open. Raises ProcedureError when an administrator closed it,
    who saw that nobody held them; it was closed before they were taken then."""
    with installation.catalog.read() as connection:
        procedures.require_open(connection, procedure_id)


@contextmanager
def hold_set(
    installation: Installation, backup_id: str, holder: str, purpose: str, *, patience: float = PATIENCE_SECONDS
) -> Iterator[leases.KeptLease]:
    """Given a secured backup, hold the lease of its set while the block runs.

    Whoever reads a whole set, copies it or removes it holds this lease, so that none is removed under a reader. The
    component itself stays free: a drill or a synchronisation goes on beside backups and restores.
    Raises LeaseHeldError.
    """
    lease = _acquire(installation, f"set:{backup_id}", holder, purpose, patience)
    try:
        with leases.keep(installation.catalog, lease) as kept:
            yield kept
    finally:
        leases.release(installation.catalog, lease)


def _acquire(
    installation: Installation, resource: str, procedure_id: str, purpose: str, patience: float
) -> leases.Lease:
    give_up_at = time.monotonic() + patience
    waiting = False
    while True:
        try:
            return leases.acquire(installation.catalog, resource, procedure_id, LEASE_SECONDS, purpose)
        except LeaseHeldError as error:
            if time.monotonic() >= give_up_at:
                raise
            if not waiting:  # pragma: no cover - said once, however often it is looked at again
                logger.info("waiting: %s", error.message)
                waiting = True
            time.sleep(0.5)
