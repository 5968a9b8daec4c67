"""PROSEDUR RESTORE DATA, as the SOP has it. The deployment's parameter is the request form."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.naming import restore_name
from flows.opening import open_restore
from flows.outcome import cancelled, rejected, restore_outcome, returned
from recovery.procedures.restore.request_form import RestoreRequest
from tasks.approvals import await_decision
from tasks.restore.r1_request import request
from tasks.restore.r2_dispose import dispose
from tasks.restore.r3_verify_authority import verify_authority
from tasks.restore.r4_stop_service import stop_service
from tasks.restore.r5_restore_data import restore_data
from tasks.restore.r6_start_service import start_service
from tasks.restore.r7_inform import inform
from tasks.restore.r8_acknowledge import acknowledge


@flow(name="Restore Data", flow_run_name=restore_name, persist_result=False)
def restore(formulir: RestoreRequest) -> State[Any]:
    """Restore an application's data after disposition, verification and rehearsal, with its web service stopped.

    Args:
        formulir: Formulir Permintaan Restore Data, diisi dari surat unit kerja pemohon.
    """
    procedure = open_restore(formulir)
    request(procedure.id)  # 1. Membuat surat dan mengisi formulir permintaan restore data

    disposition = dispose(procedure.id)  # 2. Mendisposisi permintaan kepada Kabid Aptika: waits for the Kadis
    if disposition["decision"] == "dikembalikan":
        return returned(procedure.id)

    verification = verify_authority(procedure.id)  # 3. Melakukan verifikasi: waits for the Kabid, then rehearses
    if verification["decision"] == "ditolak":
        return rejected(procedure.id)

    start = await_decision(procedure.id, "restore.start")  # the executor begins, or calls it off
    if start.decision == "batalkan":
        return cancelled(procedure.id)

    # Steps 4 to 6 are one critical section. Whatever fails in 4 or 5, step 6 brings the service back.
    stop_service(procedure.id, return_state=True)  # 4. Mematikan web service sehingga tidak ada transaksi
    restore_data(procedure.id, return_state=True)  # 5. Membuat proses restore data pada data terbaru
    start_service(procedure.id)  # 6. Mengaktifkan kembali web service pada server

    inform(procedure.id)  # 6. Menginformasikan status kerusakan kepada Pemohon
    acknowledge(procedure.id)  # 7. Menerima informasi status aduan kerusakan data: waits for the requester
    return restore_outcome(procedure.id)
