"""Destroying sets whose retention is over: drawn up as a Berita Acara, approved by the Kabid, and only then done."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.naming import retention_name
from flows.opening import open_retention
from flows.outcome import nothing_to_decide, retention_outcome
from tasks.approvals import await_decision
from tasks.retention import destroy, draw_up_record


@flow(name="Pemusnahan Cadangan", flow_run_name=retention_name, persist_result=False)
def retention() -> State[Any]:
    """Draw up which sets nothing keeps any more, have it approved, and destroy exactly those that are so still."""
    procedure = open_retention()
    if procedure.not_opened:
        return nothing_to_decide(procedure.not_opened)
    draw_up_record(procedure.id)  # Berita Acara Pemusnahan, as the proposal that is asked about
    await_decision(procedure.id, "retention.approve")  # waits for the Kabid: disetujui or ditolak
    destroy(procedure.id)  # nothing when it was refused; the final version says what became of each set
    return retention_outcome(procedure.id)
