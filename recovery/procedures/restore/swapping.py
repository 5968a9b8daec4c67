"""Making all rehearsed copies live under one journal: all new, or all back."""

import logging
from collections.abc import Sequence
from typing import Any

from recovery.errors import LeaseLostError, PulihError, SwapError
from recovery.installation import Installation
from recovery.procedures.restore.go_ahead import require_approved_target
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
        undo_all(installation, procedure_id, held)
        raise _undone_before()
    try:
        if not entries:
            _prepare(installation, procedure_id, plan, rehearsal)
        return _swap_each(installation, procedure_id, held)
    except LeaseLostError:
        # Somebody else decides about this data now; putting anything back would be working against him.
        raise
    except PulihError as error:
        logger.warning("swapping failed, putting the old data back: %s", error.message)
        undo_all(installation, procedure_id, held)
        raise _not_swapped(installation, procedure_id, error) from error


def require_not_undone(installation: Installation, procedure_id: str) -> None:
    """Raises SwapError when this restore's old data was put back: what was undone is not done again."""
    with installation.catalog.read() as connection:
        entries = journal.entries(connection, procedure_id)
    if entries and all(entry.state == "undone" for entry in entries):
        raise _undone_before()


def undo_all(
    installation: Installation, procedure_id: str, held: Sequence[leases.Lease] = (), reason: str = ""
) -> None:
    """Put the old data of every component of this procedure back, last swapped first. Repeatable.

    Raises LeaseLostError when somebody took one of the leases over: he decides what is live.
    """
    catalog = installation.catalog
    with catalog.read() as connection:
        entries = journal.entries(connection, procedure_id)
    for entry in reversed(entries):
        if entry.state == "undone":
            continue
        with catalog.begin() as connection:
            leases.all_held(connection, held)
            journal.mark(connection, procedure_id, entry.component, "undoing", reason)
        installation.source(entry.component).swap_back(entry.receipt)
        with catalog.begin() as connection:
            journal.mark(connection, procedure_id, entry.component, "undone")


def keep_all(installation: Installation, procedure_id: str, held: Sequence[leases.Lease] = ()) -> None:
    """Mark the swaps as final: the service runs well on the new data, and the guard has nothing left to undo."""
    with installation.catalog.begin() as connection:
        leases.all_held(connection, held)
        for entry in journal.entries(connection, procedure_id):
            journal.mark(connection, procedure_id, entry.component, "kept")


def replaced(installation: Installation, procedure_id: str) -> bool:
    """Say whether the new data of every component is live, by the journal."""
    with installation.catalog.read() as connection:
        entries = journal.entries(connection, procedure_id)
    return bool(entries) and all(entry.state in ("swapped", "kept") for entry in entries)


def is_final(installation: Installation, procedure_id: str) -> bool:
    """Say whether the swaps were marked as final: nothing puts the old data back any more."""
    with installation.catalog.read() as connection:
        return any(entry.state == "kept" for entry in journal.entries(connection, procedure_id))


def to_be_undone(installation: Installation, procedure_id: str) -> bool:
    """Say whether undo_all() would have anything to do."""
    with installation.catalog.read() as connection:
        return any(entry.state != "undone" for entry in journal.entries(connection, procedure_id))


def why_undone(installation: Installation, procedure_id: str) -> str:
    """Return why the old data was put back after it had been replaced, by the journal's words in the ledger; or ""."""
    with installation.catalog.read() as connection:
        return journal.reason_of_undoing(connection, procedure_id)


def _prepare(installation: Installation, procedure_id: str, plan: Plan, rehearsal: dict[str, Any]) -> None:
    receipts = {}
    for component in plan.components:
        require_approved_target(installation, plan, component)
        receipts[component] = installation.source(component).prepare_swap(rehearsal[component]["copy"])
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
            leases.all_held(connection, held)
            if entry.state != "swapped":  # pragma: no cover - false after a death, played by the sweep's processes
                journal.mark(connection, procedure_id, entry.component, "swapping")
        source.swap(entry.receipt)
        with catalog.begin() as connection:
            journal.mark(connection, procedure_id, entry.component, "swapped")
        swapped[entry.component] = {"safety_copy": source.safety_copy(entry.receipt)}
    return swapped


def _not_swapped(installation: Installation, procedure_id: str, error: PulihError) -> SwapError:
    with installation.catalog.read() as connection:
        undone = bool(journal.entries(connection, procedure_id))
    message = f"the new data could not be made live ({error.message})"
    if undone:
        return SwapError(
            message,
            state="the old data of every component is live again",
            hint="the service is started on it; mend the cause and start a new restore",
        )
    # Such as a connection that was lost before the first swap: no journal says that this restore was undone.
    return SwapError(
        message,
        state="nothing was exchanged: the old data of every component is live",
        hint="mend the cause; when step 6 has started the service on it, start a new restore; otherwise retry this "
        "run: it exchanges the data",
    )


def _undone_before() -> SwapError:
    return SwapError(
        "this restore was undone before",
        state="the old data is live",
        hint="start a new restore, whose rehearsal takes the data as it is now, when this one has ended: with the "
        "service well on the old data it does so itself, else by `pulih close`",
    )
