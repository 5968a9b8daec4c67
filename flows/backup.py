"""PROSEDUR BACK UP DATA, as the SOP has it. One run is one schedule and one form."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import wait

from flows.naming import backup_name
from flows.opening import drill_by_policy, open_backup
from flows.outcome import backup_outcome
from tasks.backup.b1_back_up import back_up
from tasks.backup.b2_verify import verify
from tasks.backup.b3_name import name
from tasks.backup.b4_secure import secure
from tasks.backup.b5_fill_in_form import fill_in_form
from tasks.backup.b6_review import review


# How many components at once is the office's setting, which the deployment hands to Prefect's thread pool.
@flow(name="Back Up Data", flow_run_name=backup_name, persist_result=False)
def backup(jadwal: str, alasan_di_luar_jadwal: str = "", mengulang: str = "") -> State[Any]:
    """Back up every component of a schedule; prove, name and secure each; fill in the form; have it reviewed.

    A component that fails does not stop the others; it is on the form, and the run ends failed after the review.

    Args:
        jadwal: Nama jadwal back up.
        alasan_di_luar_jadwal: Alasan, wajib diisi bila back up dijalankan di luar jadwal.
        mengulang: Nomor formulir back up yang gagal; hanya komponen yang gagal diulang.
    """
    procedure = open_backup(jadwal, alasan_di_luar_jadwal, mengulang)
    dumped = back_up.map(procedure.id, procedure.components)  # 1. Melakukan back up sesuai dengan jadwal
    proven = verify.map(procedure.id, dumped)  # 2. Memastikan proses back up berhasil dilakukan
    named = name.map(procedure.id, proven)  # 3. Memberi nama back up sesuai dengan ketentuan
    secured = secure.map(procedure.id, named)  # 4. Mengamankan hasil backup
    wait(secured)  # also for those that failed: the form names them
    drill_by_policy(procedure.id)  # gladi restore of what was secured, in a run of its own
    fill_in_form(procedure.id)  # 5. Mengisi formulir pelaksanaan back up
    review(procedure.id)  # 6. Menerima dan memeriksa formulir back up: waits for the Kabid
    return backup_outcome(procedure.id)
