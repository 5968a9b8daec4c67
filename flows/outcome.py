"""How a procedure ends: its record is closed, and the flow run's final state says the same in one word."""

from collections.abc import Callable
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from blocks.installation import load_installation
from recovery.installation import Installation
from recovery.procedures.conclude import (
    Conclusion,
    conclude_backup,
    conclude_cancelled,
    conclude_rejected,
    conclude_restore,
    conclude_returned,
    conclude_schedule,
)
from recovery.procedures.drill_conclude import conclude_drill
from recovery.procedures.retention import NotOpened, conclude_retention
from tasks.dashboard import show_applications


def backup_outcome(procedure_id: str) -> State[Any]:
    """Close a reviewed backup. Failed when a component failed or the Kabid found the form not in order."""
    conclusion = _conclude(procedure_id, conclude_backup)
    if conclusion.good:
        return Completed(message=conclusion.sentence)
    return Failed(name="Gagal", message=conclusion.sentence)


def restore_outcome(procedure_id: str) -> State[Any]:
    """Close an acknowledged restore. Failed when the old data had to be put back, or its requester denies success."""
    conclusion = _conclude(procedure_id, conclude_restore)
    if conclusion.good:
        return Completed(message=conclusion.sentence)
    return Failed(name="Gagal", message=conclusion.sentence)


def schedule_outcome(procedure_id: str) -> State[Any]:
    """Close a decided approval of a schedule, and say which version of it is approved, or why none is."""
    conclusion = _conclude(procedure_id, conclude_schedule)
    return Completed(name="Disahkan" if conclusion.good else "Tidak disahkan", message=conclusion.sentence)


def drill_outcome(procedure_id: str) -> State[Any]:
    """Close a drill. Failed when a copy was bad or could not be looked at."""
    conclusion = _conclude(procedure_id, conclude_drill)
    if conclusion.good:
        return Completed(name="Lulus", message=conclusion.sentence)
    return Failed(name="Tidak lulus", message=conclusion.sentence)


def nothing_to_approve(sentence: str) -> State[Any]:
    """End a run that found its schedule approved as it is."""
    return Completed(name="Tetap berlaku", message=sentence)


def retention_outcome(procedure_id: str) -> State[Any]:
    """Close a decided destruction. Failed when the removal of a set was begun and could not be ended."""
    conclusion = _conclude(procedure_id, conclude_retention)
    if conclusion.good:
        return Completed(message=conclusion.sentence)
    return Failed(name="Gagal", message=conclusion.sentence)


def nothing_to_decide(found: NotOpened) -> State[Any]:
    """End a run of retention that asks nobody. Failed when what was begun earlier could not be ended."""
    if found.why == "unfinished":
        return Failed(name="Gagal", message=found.sentence)
    return Completed(name="Dilewati" if found.why == "busy" else "Tidak ada", message=found.sentence)


def returned(procedure_id: str) -> State[Any]:
    """Close a request that the Kadis returned; it is resubmitted as a new run."""
    return Completed(name="Dikembalikan", message=_conclude(procedure_id, conclude_returned).sentence)


def rejected(procedure_id: str) -> State[Any]:
    """Close a request that the Kabid rejected: "permintaan ditolak". The requester is told why."""
    return Completed(name="Ditolak", message=_conclude(procedure_id, conclude_rejected).sentence)


def cancelled(procedure_id: str) -> State[Any]:
    """Close a restore that the executor called off before the service was stopped."""
    return Completed(name="Dibatalkan", message=_conclude(procedure_id, conclude_cancelled).sentence)


def _conclude(procedure_id: str, conclude: Callable[[Installation, str], Conclusion]) -> Conclusion:
    """Close the procedure, and write anew the pages of the applications that it was about."""
    installation = load_installation()
    conclusion = conclude(installation, procedure_id)
    show_applications(installation, procedure_id)
    return conclusion
