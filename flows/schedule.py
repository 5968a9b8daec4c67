"""The approval of a Jadwal Back Up: "jadwal yang telah ditetapkan" is what step 1 of the backup relies on."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.opening import open_schedule
from flows.outcome import nothing_to_approve, schedule_outcome
from tasks.approvals import await_decision
from tasks.schedule import draw_up, put_decision


@flow(name="Jadwal Back Up", flow_run_name="Pengesahan jadwal {jadwal}", persist_result=False)
def schedule(jadwal: str) -> State[Any]:
    """Draw a schedule up from the inventory as a numbered document, and have it approved.

    Args:
        jadwal: Nama jadwal back up.
    """
    procedure = open_schedule(jadwal)
    if procedure.settled:
        return nothing_to_approve(procedure.settled)
    draw_up(procedure.id)  # the document, as the version that is asked about
    await_decision(procedure.id, "schedule.approve")  # Disahkan oleh: waits for the official whom the schedule names
    put_decision(procedure.id)  # the next version, with the decision in the signature box
    return schedule_outcome(procedure.id)
