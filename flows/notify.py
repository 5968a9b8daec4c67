"""Pemberitahuan: the flow that automations run when something happened to a run of a procedure."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from recovery.procedures.run_notices import Occasion
from tasks.notices import tell


# It never has the tag by which automations know the runs that they look after: it would tell of itself without end.
@flow(name="Pemberitahuan", flow_run_name="Pemberitahuan: {perihal}", persist_result=False)
def notify(perihal: Occasion, run: str, peristiwa: str) -> State[Any]:
    """Tell whom it concerns what happened to a run. Ends failed when somebody could not be told.

    Args:
        perihal: Apa yang terjadi.
        run: Proses yang diberitahukan, sebagaimana Prefect menyebutnya (prefect.flow-run.…).
        peristiwa: Peristiwa di Prefect yang menjadi sebabnya; tiap peristiwa diberitahukan satu kali.
    """
    return tell(perihal, run)
