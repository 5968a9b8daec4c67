"""Gladi restore: backups are taken out of the stores, as in a disaster, and proven again. Nothing live is touched."""

from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import wait

from flows.naming import drill_name
from flows.opening import open_drill
from flows.outcome import drill_outcome
from tasks.drill import prove, report


@flow(name="Gladi Restore", flow_run_name=drill_name, persist_result=False)
def drill(
    jadwal: str,
    komponen: str = "",
    penyimpanan: str = "",
    pilihan: Literal["", "newest", "longest-unproven"] = "",
) -> State[Any]:
    """Prove a backup of each component of a schedule from the copy in a store; the stores take turns.

    Args:
        jadwal: Nama jadwal back up.
        komponen: Hanya komponen (aplikasi/komponen) atau aplikasi ini; kosong berarti semua komponen jadwal.
        penyimpanan: Hanya salinan di penyimpanan ini; kosong berarti bergantian.
        pilihan: Cadangan terbaru (newest) atau yang paling lama tidak diuji (longest-unproven); kosong menurut jadwal.
    """
    procedure = open_drill(jadwal, komponen, penyimpanan, pilihan)
    # Fetched from the store, checked, opened with the operations identity, loaded in scratch, judged.
    proven = prove.map(procedure.id, procedure.components)
    wait(proven)  # also for those that did not pass: the form names them
    report(procedure.id)  # Berita Acara Gladi Restore
    return drill_outcome(procedure.id)
