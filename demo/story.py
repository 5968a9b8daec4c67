"""The main job, told in one go: approve the schedule, back up, lose the data, restore it — through the same server,
worker and deployments that production uses, with approvals given as the UI gives them."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

from demo.bucket import rob
from demo.engines import engine_of
from demo.officials import Browser, Phone
from demo.report import Proof, ledger_findings, proof_of, tell_damage, tell_end, tell_procedure
from demo.running import Say, people_at_work
from demo.simpel.damage import damage
from demo.site import (
    APPLICATION,
    EXECUTOR,
    KABID,
    KADIS,
    LETTER_FILE,
    LETTER_NUMBER,
    REQUESTER,
    SCHEDULE,
    Site,
    read_phones,
)
from deployments.server import LocalServer, log_of
from recovery.errors import HostError
from recovery.inventory import load_inventory

PATIENCE_SECONDS = 180


def tell(site: Site, server: LocalServer, say: Say) -> Proof:
    """Run the whole story on a site that is up and return its proof; raises HostError when a run ends badly."""
    installation = load_inventory(site.inventory).installation()
    actors = Actors(site, server, say)

    actors.approve_schedule()

    say("Pegawai bekerja: SIMPEL terus menerima absensi dan unggahan selama back up berjalan")
    people_at_work(site, True)

    backup_run = actors.back_up()
    before = proof_of(installation, backup_run)
    people_at_work(site, False)

    say("Sekarang data SIMPEL benar-benar dirusak")
    tell_damage(damage(engine_of(site).address, site.uploads), say)
    damaged = proof_of(installation)
    if site.store_kind == "ceph":
        say("Seorang penyusup memakai akun cadangan untuk merusak gudang cadangan")
        rob(installation.stores["gudang"], say)

    restore_run = actors.restore()
    after = proof_of(installation)

    # Whoever reads this asks for the times of the steps, and not for the seconds until now.
    page: Say = partial(print, flush=True)
    tell_procedure(installation, backup_run, page)
    tell_procedure(installation, restore_run, page)
    proof = Proof(before, damaged, after, ledger_findings(installation))
    tell_end(installation, proof, page)
    return proof


class Actors:
    """The officials of the story, each with a browser and a phone."""

    def __init__(self, site: Site, server: LocalServer, say: Say, *, codes_used: bool = False) -> None:
        self.browser = Browser(server)
        self.phones = {nip: Phone(secret, used=codes_used) for nip, secret in read_phones(site.phones).items()}
        self.site = site
        self.server = server
        self.say = say
        self.told: dict[str, set[str]] = {}

    def approve_schedule(self) -> str:
        """Have the schedule drawn up, approve it as the Kadis, and return the run's id."""
        self.say("Jadwal Back Up disusun dari inventaris dan diajukan untuk disahkan")
        run = self.browser.start("Jadwal Back Up/pengesahan-jadwal", {"jadwal": SCHEDULE})
        self._answer(run, KADIS, "Kadis mengesahkan Jadwal Back Up", keputusan="disahkan")
        self._finish(run)
        return run

    def back_up(self) -> str:
        """Start a backup out of schedule, review its form as the Kabid, and return the run's id."""
        self.say("PROSEDUR BACK UP DATA dimulai")
        run = self.browser.start(
            "Back Up Data/di-luar-jadwal",
            {"jadwal": SCHEDULE, "alasan_di_luar_jadwal": "Cadangan pertama setelah pemasangan", "mengulang": ""},
        )
        self._answer(
            run,
            KABID,
            "Kabid memeriksa formulir back up",
            keputusan="sesuai",
            sesuai_jadwal="ya",
            berhasil_diverifikasi="ya",
            nama_sesuai="ya",
            tersimpan_aman="ya",
        )
        self._finish(run)
        return run

    def restore(self) -> str:
        """Request, dispose, verify, start and acknowledge a restore, each as its own official; return the run's id."""
        self.say("PROSEDUR RESTORE DATA dimulai: unit kerja mengirim surat dan formulir")
        run = self.browser.start("Restore Data/restore", {"formulir": _request()})
        self._answer(
            run,
            KADIS,
            "Kadis mendisposisi permintaan",
            keputusan="diteruskan",
            nomor_agenda="045/XI/2026",
            sifat="segera",
            instruksi="Verifikasi dan tindak lanjuti.",
        )
        self._answer(
            run,
            KABID,
            "Kabid memverifikasi jenis dan kewenangan data",
            keputusan="disetujui",
            jenis_data_sesuai="ya",
            pemohon_berwenang="ya",
            cadangan_utuh="ya",
            dampak_unit_lain="-",
            penanganan_data_pribadi="Hanya pelaksana yang mengakses data.",
        )
        self.say("Gladi: cadangan dipulihkan di samping data yang dipakai, lalu diperiksa; SIMPEL tetap melayani")
        self._answer(run, EXECUTOR, "Pelaksana membaca hasil gladi dan memulai", keputusan="mulai")
        self._wait_for_suspension(run, "restore.8")
        self._answer(
            run,
            REQUESTER,
            "Pemohon membaca pemberitahuan dan menyatakan terima",
            keputusan="sesuai",
            kode=_receipt_code(self.site),
        )
        self._finish(run)
        return run

    def _answer(self, run: str, nip: str, words: str, **fields: Any) -> None:
        step_id = _STEP_OF[words]
        self._wait_for_suspension(run, step_id)
        answer = {"nip": nip, "catatan": "-", "kode_dokumen": self.browser.document_code(run), **fields}
        answer.setdefault("kode", self.phones[nip].code())
        self.browser.resume(run, answer)
        self.say(f"{words} (kode dokumen {answer['kode_dokumen']}, kode sekali pakai dari ponselnya)")

    def _wait_for_suspension(self, run: str, step_id: str) -> None:
        """Wait until the run asks for this step's answer, and tell meanwhile which steps are done."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            self._tell_steps(run)
            state = self.browser.state(run)
            key = str(state["state_details"]["pause_key"])
            asks = state["name"] == "Suspended" and key.startswith(f"{step_id.replace('.', '-')}-")
            if asks and self.browser.form(run):
                return
            if state["type"] in ("FAILED", "CRASHED", "CANCELLED", "COMPLETED"):
                raise HostError(
                    f"the run ended as {state['name']}: {state.get('message')}",
                    hint=f"read {log_of(self.server.home, 'worker-pekerja')}",
                )
            time.sleep(0.5)
        raise HostError(
            f"the run did not ask for {step_id} within {PATIENCE_SECONDS} seconds",
            hint=f"read {log_of(self.server.home, 'worker-pekerja')}",
        )

    def _finish(self, run: str) -> None:
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < give_up_at:
            self._tell_steps(run)
            state = self.browser.state(run)
            if state["type"] == "COMPLETED":
                self.say(f"Selesai: {state['message']}")
                return
            if state["type"] in ("FAILED", "CRASHED", "CANCELLED"):
                raise HostError(f"the run ended as {state['name']}: {state.get('message')}")
            time.sleep(0.5)
        raise HostError(f"the run did not end within {PATIENCE_SECONDS} seconds")

    def _tell_steps(self, run: str) -> None:
        told = self.told.setdefault(run, set())
        for task in self.browser.task_runs(run):
            if task["state_type"] == "COMPLETED" and task["name"] not in told:
                told.add(task["name"])
                self.say(f"  ✓ {task['name']}")


# What each official does, and at which step.
_STEP_OF = {
    "Kadis mengesahkan Jadwal Back Up": "schedule.approve",
    "Kabid memeriksa formulir back up": "backup.6",
    "Kadis mendisposisi permintaan": "restore.2",
    "Kabid memverifikasi jenis dan kewenangan data": "restore.3",
    "Pelaksana membaca hasil gladi dan memulai": "restore.start",
    "Pemohon membaca pemberitahuan dan menyatakan terima": "restore.8",
}


def _request() -> dict[str, Any]:
    return {
        "nomor_surat": LETTER_NUMBER,
        "tanggal_surat": datetime.now(UTC).date().isoformat(),
        "berkas_surat": LETTER_FILE,
        "nip_pemohon": REQUESTER,
        "kontak_dinas": "(0355) 000000",
        "penandatangan": "Kepala Badan Kepegawaian Daerah",
        "aplikasi": APPLICATION,
        "uraian_kerusakan": "Tabel riwayat pangkat terhapus, data pegawai tertimpa, dan folder unggahan hilang.",
        "waktu_kejadian": datetime.now(UTC).isoformat(timespec="seconds"),
        "jenis_data": "Data kepegawaian",
        "data_pribadi": "umum",
        "dasar_kewenangan": "SK Kepala BKD tentang pengelola SIMPEL",
        "setuju_kehilangan_data": "setuju",
        "urgensi": "segera",
        "waktu_henti": "Hari ini, paling lama 30 menit",
        "tanggung_jawab": "bertanggung jawab",
    }


def _receipt_code(site: Site) -> str:
    """Read the newest receipt code out of the requester's mail box."""
    marker = "Kode tanda terima (sekali pakai): "
    lines = [line for line in site.notices.read_text(encoding="utf-8").splitlines() if line.startswith(marker)]
    return lines[-1].removeprefix(marker)
