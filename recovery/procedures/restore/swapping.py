"""Making all rehearsed copies live under one journal: all new, or all back."""

import logging
from typing import Any

from recovery.canonical import digest
from recovery.errors import LeaseLostError, PulihError, SwapError
from recovery.installation import Installation
from recovery.procedures.restore.plan import Plan
from recovery.records import journal, leases

logger = logging.getLogger(__name__)


def swap_all(
    installation: Installation,
    procedure_id: str,
    plan: Plan,
    rehearsal: dict[str, Any],
    held: list[leases.Lease],
) -> dict[str, Any]:
    """Given rehearsed copies, make each live; on any failure, put every old one back.

    A killed call is finished by calling again: receipts are in the journal before anything moves, and each swap
    looks at what is live. Returns per component the safety copy's name. Raises SwapError when the old data is back,
    LeaseLostError when another holder decides about the data by now.
    """
    catalog = installation.catalog
    with catalog.read() as connection:
        entries = journal.entries(connection, procedure_id)
    if any(entry.state in ("undoing", "undone") for entry in entries):
        undo_all(installation, procedure_id)
        raise SwapError(
            "this restore was undone before",
            state="the old data is live",
            hint="start a new restore; its rehearsal takes the data as it is now",
        )
    try:
        if not entries:
            _prepare(installation, procedure_id, plan, rehearsal)
        return _swap_each(installation, procedure_id, held)
    except LeaseLostError:
        # Somebody else decides about this data now; putting anything back would be working against him.
        raise
    except PulihError as error:
        logger.warning("swapping failed, putting the old data back: %s", error.message)
        undo_all(installation, procedure_id)
        raise SwapError(
            f"the new data could not be made live ({error.message})",
            state="the old data of every component is live again",
            hint="the service is started on it; mend the cause and start a new restore",
        ) from error


def undo_all(installation: Installation, procedure_id: str) -> None:
    """Put the old data of every component of this procedure back, last swapped first. Repeatable."""
    catalog = installation.catalog
    with catalog.read() as connection:
        entries = journal.entries(connection, procedure_id)
    for entry in reversed(entries):
        if entry.state == "undone":
            continue
        with catalog.begin() as connection:
            journal.mark(connection, procedure_id, entry.component, "undoing")
        installation.source(entry.component).swap_back(entry.receipt)
        with catalog.begin() as connection:
            journal.mark(connection, procedure_id, entry.component, "undone")


def keep_all(installation: Installation, procedure_id: str) -> None:
    """Mark the swaps as final: the service runs well on the new data, and the guard has nothing left to undo."""
    with installation.catalog.begin() as connection:
        for entry in journal.entries(connection, procedure_id):
            journal.mark(connection, procedure_id, entry.component, "kept")


def replaced(installation: Installation, procedure_id: str) -> bool:
    """Say whether the new data of every component is live, by the journal."""
    with installation.catalog.read() as connection:
        entries = journal.entries(connection, procedure_id)
    return bool(entries) and all(entry.state in ("swapped", "kept") for entry in entries)


def _prepare(installation: Installation, procedure_id: str, plan: Plan, rehearsal: dict[str, Any]) -> None:
    receipts = {}
    for component in plan.components:
        source = installation.source(component)
        # A same-named database elsewhere must never be swapped: the target is the one that was approved.
        if digest(source.identify()) != plan.backups[component]["target"]:
            raise SwapError(
                f"{component} is not the target that was approved",
                state="nothing was swapped",
                hint="see what changed on the host (machine, path) and start a new restore",
            )
        receipts[component] = source.prepare_swap(rehearsal[component]["copy"])
    # One transaction: a journal that knows half of the components could bring back half of them.
    with installation.catalog.begin() as connection:
        for position, (component, receipt) in enumerate(receipts.items()):
            journal.prepare(connection, procedure_id, position, component, receipt)


def _swap_each(installation: Installation, procedure_id: str, held: list[leases.Lease]) -> dict[str, Any]:
    catalog = installation.catalog
    with catalog.read() as connection:
        entries = journal.entries(connection, procedure_id)
    swapped = {}
    for entry in entries:
        source = installation.source(entry.component)
        with catalog.begin() as connection:
            # Fencing: whoever took the lease over decides what happens to this data, not we.
            for lease in held:
                leases.holder_is(connection, lease)
            if entry.state != "swapped":
                journal.mark(connection, procedure_id, entry.component, "swapping")
        source.swap(entry.receipt)
        with catalog.begin() as connection:
            journal.mark(connection, procedure_id, entry.component, "swapped")
        swapped[entry.component] = {"safety_copy": source.safety_copy(entry.receipt)}
    return swapped
