"""Ending the runs that wait for an answer nobody needs any more."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelled

from recovery.installation import Installation
from recovery.records import procedures
from tasks.dashboard import shown

_REASON = "Diganti: permintaan persetujuan yang lebih baru sudah dibuat; yang ini tidak perlu dijawab."


def cancel_replaced(installation: Installation, kind: str, schedule: str = "") -> None:
    """Given the kind of what was opened just now (and its schedule), cancel the suspended runs that it replaced.

    Else they would stand among what waits for an official for ever. A run that an answer has woken is left alone: it
    records the answer, and ends by saying that it is not used.
    """
    with installation.catalog.read() as connection:
        replaced = [UUID(each.id) for each in procedures.list_replaced(connection, kind, schedule)]
    if not replaced:
        return
    waiting = FlowRunFilter(
        id=FlowRunFilterId(any_=replaced),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])),
    )
    with shown("pembatalan proses yang diganti"), get_client(sync_client=True) as client:
        for run in client.read_flow_runs(flow_run_filter=waiting):
            client.set_flow_run_state(run.id, Cancelled(message=_REASON))
