"""A small real installation in one directory: catalog, store, keys, officials, and an application with two components
and a web service. The procedures run on it without Prefect: steps by perform(), answers by the approval rules."""

import base64
import json
import os
import socket
import sqlite3
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
from sqlalchemy import func, select

from recovery.crypto import generate_identity, generate_signing_key
from recovery.installation import Installation
from recovery.procedures import bodies
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import Conclusion, conclude_backup, conclude_restore, conclude_schedule
from recovery.procedures.questions import question_of
from recovery.procedures.restore.begin import begin_restore
from recovery.procedures.restore.request_form import RestoreRequest
from recovery.procedures.schedule_begin import begin_schedule, draw_up, put_decision
from recovery.records import officials, schema
from recovery.records.approvals import Answer, Decision, Submission, answer, ask
from recovery.records.steps import perform
from recovery.settings import (
    ApplicationSettings,
    ComponentSettings,
    HostSettings,
    KeySettings,
    OfficeSettings,
    OfficialSettings,
    ScheduleSettings,
    ServiceSettings,
    StoreSettings,
)
from tests.testbed.web_service import kill_service

KABID = "198002022005012002"
KADIS = "197003031995031003"
EXECUTOR = "199001012015011001"
REQUESTER = "198505052010012005"
LETTER = "a" * 64

# Where an office describes itself, for a process that opens it later.
DESCRIPTION = "office.json"
SETTINGS: dict[str, Any] = {
    "office": OfficeSettings,
    "keys": KeySettings,
    "hosts": HostSettings,
    "stores": StoreSettings,
    "applications": ApplicationSettings,
    "schedules": ScheduleSettings,
}

REVIEW = {"sesuai_jadwal": "ya", "berhasil_diverifikasi": "ya", "nama_sesuai": "ya", "tersimpan_aman": "ya"}
DISPOSITION = {"nomor_agenda": "1", "sifat": "segera", "instruksi": "Tindak lanjuti."}
VERIFICATION = {
    "jenis_data_sesuai": "ya",
    "pemohon_berwenang": "ya",
    "cadangan_utuh": "ya",
    "dampak_unit_lain": "-",
    "penanganan_data_pribadi": "-",
}


@dataclass
class SmallOffice:
    """The installation, its people's phones, and its application's places."""

    root: Path
    installation: Installation
    phones: dict[str, str]
    database: Path
    uploads: Path
    service_state: Path
    clock: datetime = field(default_factory=lambda: datetime.now(UTC))
    application: str = "simpel"

    # --- the application ---------------------------------------------------------------------------------------

    def rows(self) -> list[tuple[Any, ...]]:
        """The content of the application's table."""
        with sqlite3.connect(self.database) as connection:
            found = connection.execute("SELECT * FROM pegawai ORDER BY id").fetchall()
        connection.close()
        return found

    def files(self) -> dict[str, bytes]:
        """The content of the application's uploads by relative path."""
        return content_of(self.uploads)

    def damage(self) -> None:
        """Destroy rows and files."""
        with sqlite3.connect(self.database) as connection:
            connection.execute("DELETE FROM pegawai WHERE id % 2")
            connection.execute("UPDATE pegawai SET nama = 'rusak'")
        connection.close()
        self.damage_files()

    def damage_files(self) -> None:
        """Destroy files."""
        (self.uploads / "sk" / "satu.txt").unlink()
        (self.uploads / "dua.txt").write_bytes(b"rusak")

    def rows_of_copy(self, copy: str) -> list[tuple[Any, ...]]:
        """The content of the table in a copy of the database, which must not be changed by looking."""
        connection = sqlite3.connect(f"file:{copy}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT * FROM pegawai ORDER BY id").fetchall()
        finally:
            connection.close()

    def files_of_copy(self, copy: str) -> dict[str, bytes]:
        """The content of a copy of the uploads."""
        return content_of(Path(copy))

    def strays(self, copies: set[str]) -> set[str]:
        """What lies beside the application's data, and is neither its own nor one of these copies."""
        own = {"simpel.db", "simpel.db-wal", "simpel.db-shm", "unggahan", *(Path(copy).name for copy in copies)}
        return {path.name for path in (self.root / "app").iterdir()} - own

    def service_running(self) -> bool:
        """Whether the application's service is healthy."""
        return all(service.healthy() for service in self.installation.services(self.application))

    def stop_service_for_good(self) -> None:
        """Kill the service's process, whatever it was told."""
        kill_service(self.service_state)

    # --- the procedures ----------------------------------------------------------------------------------------

    def step(self, step_id: str, procedure_id: str, component: str = "") -> dict[str, Any]:
        """Perform one step of the SOP as its task does."""
        body: Callable[..., Any] = bodies.body_of(step_id)
        arguments = (self.installation, procedure_id, component) if component else (self.installation, procedure_id)
        return perform(self.installation.catalog, step_id, procedure_id, lambda: body(*arguments), component=component)

    def decide(self, step_id: str, procedure_id: str, nip: str, decision: str, **fields: Any) -> Decision:
        """Answer a question as an official does, with the right code; each answer is half a minute after the last."""
        question = question_of(self.installation, procedure_id, step_id)
        asked = ask(self.installation.catalog, question, lifetime=timedelta(days=14))
        if isinstance(asked, Decision):
            return asked
        # Not before it was asked, however long the work before took, nor with a code that this official has used.
        self.clock = max(self.clock + timedelta(seconds=30), datetime.now(UTC), self._after_last_code(nip))
        given = Answer(
            decision=decision,
            nip=nip,
            document_code=asked.code,
            code=fields.pop("code", pyotp.TOTP(self.phones[nip]).at(self.clock)),
            note=fields.pop("note", ""),
            answers=fields,
        )
        submission = Submission(submitted_at=self.clock, input_created_at=self.clock, resumes=1)
        key = self.installation.enrolment_key()
        return answer(self.installation.catalog, asked, given, submission, question=question, key=key)

    def _after_last_code(self, nip: str) -> datetime:
        burnt = schema.burnt_codes.c
        with self.installation.catalog.read() as connection:
            last = connection.execute(select(func.max(burnt.time_step)).where(burnt.nip == nip)).scalar()
        return datetime.fromtimestamp(((last or 0) + 1) * 30, UTC)

    def back_up(self, procedure_id: str = "", schedule_name: str = "bulanan") -> str:
        """Run the whole backup procedure and return its id."""
        procedure_id = procedure_id or str(uuid.uuid4())
        opened = begin_backup(self.installation, procedure_id, schedule_name=schedule_name, routine=True)
        for component in opened["components"]:
            for number in (1, 2, 3, 4):
                self.step(f"backup.{number}", procedure_id, component)
        self.step("backup.5", procedure_id)
        self.decide("backup.6", procedure_id, KABID, "sesuai", **REVIEW)
        self.step("backup.6", procedure_id)
        conclude_backup(self.installation, procedure_id)
        return procedure_id

    def approve_schedule(self, decision: str = "disahkan", *, schedule_name: str = "bulanan", note: str = "") -> str:
        """Draw the schedule up, let the Kadis decide on it, and return the procedure's id."""
        procedure_id = str(uuid.uuid4())
        assert "" == begin_schedule(self.installation, procedure_id, schedule_name)
        draw_up(self.installation, procedure_id)
        self.decide("schedule.approve", procedure_id, KADIS, decision, note=note)
        put_decision(self.installation, procedure_id)
        conclude_schedule(self.installation, procedure_id)
        return procedure_id

    def request(self, **fields: Any) -> str:
        """Open a restore procedure, do step 1, and return its id."""
        procedure_id = str(uuid.uuid4())
        begin_restore(self.installation, procedure_id, restore_request(**{"aplikasi": self.application, **fields}))
        self.step("restore.1", procedure_id)
        return procedure_id

    def approve(self, procedure_id: str) -> None:
        """Dispose, verify (with rehearsal) and start: everything before the service is stopped."""
        self.decide("restore.2", procedure_id, KADIS, "diteruskan", **DISPOSITION)
        self.step("restore.2", procedure_id)
        self.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
        self.step("restore.3", procedure_id)
        self.decide("restore.start", procedure_id, EXECUTOR, "mulai")

    def finish(self, procedure_id: str) -> Conclusion:
        """Inform, acknowledge and conclude."""
        self.step("restore.7", procedure_id)
        self.decide("restore.8", procedure_id, REQUESTER, "sesuai")
        self.step("restore.8", procedure_id)
        return conclude_restore(self.installation, procedure_id)

    def restore(self) -> str:
        """Run the whole restore procedure and return its id."""
        procedure_id = self.request()
        self.approve(procedure_id)
        for number in (4, 5, 6):
            self.step(f"restore.{number}", procedure_id)
        self.finish(procedure_id)
        return procedure_id


def restore_request(**fields: Any) -> RestoreRequest:
    """A complete request form; fields override."""
    return RestoreRequest(
        **{
            "nomor_surat": "800/045/BKD/2026",
            "tanggal_surat": "2026-11-20",
            "berkas_surat": LETTER,
            "nip_pemohon": REQUESTER,
            "kontak_dinas": "(0355) 000000",
            "penandatangan": "Kepala Badan",
            "aplikasi": "simpel",
            "uraian_kerusakan": "Baris terhapus.",
            "waktu_kejadian": "2026-11-20T09:00:00",
            "jenis_data": "Data kepegawaian",
            "data_pribadi": "umum",
            "dasar_kewenangan": "SK pengelola",
            "setuju_kehilangan_data": "setuju",
            "urgensi": "segera",
            "waktu_henti": "30 menit",
            "tanggung_jawab": "bertanggung jawab",
            **fields,
        }
    )


def open_office(root: Path, *, catalog_url: str = "", running: bool = True) -> SmallOffice:
    """Build the installation below a directory, with its service running; starting that costs more than the rest."""
    root.mkdir(parents=True, exist_ok=True)
    database, uploads, state = root / "app" / "simpel.db", root / "app" / "unggahan", root / "service"
    write_application(database, uploads)
    state.mkdir()
    installation = _installation(root, database, uploads, state, catalog_url)
    installation.catalog.upgrade()
    phones = {}
    for nip, name, role in (
        (KABID, "Siti Contoh", "kabid"),
        (KADIS, "Bambang Peraga", "kadis"),
        (EXECUTOR, "Agus Teladan", "pelaksana"),
        (REQUESTER, "Rina Misal", "pemohon"),
    ):
        with installation.catalog.begin() as connection:
            # The requester's mail box is the office's own: one file with everything that was sent.
            contact = installation.office.notice_targets[0] if nip == REQUESTER else ""
            officials.put(
                connection,
                OfficialSettings(nip=nip, name=name, position="Jabatan", unit="bkd", roles=[role], contact=contact),
            )
        phones[nip] = officials.enrol(installation.catalog, nip, installation.enrolment_key()).secret
    for service in installation.services("simpel") if running else ():
        service.start()
    office = SmallOffice(root, installation, phones, database, uploads, state)
    describe(office)
    return office


def content_of(tree: Path) -> dict[str, bytes]:
    """Given a directory tree, return the content of its files by relative path."""
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def describe(office: SmallOffice) -> None:
    """Write down what attach() reads."""
    settings = _described(office.installation)
    (office.root / DESCRIPTION).write_text(json.dumps({"settings": settings, "phones": office.phones}))


def attach(root: Path) -> SmallOffice:
    """Open the office that open_office built in a directory, in another process; its service is left as it is."""
    described = json.loads((root / DESCRIPTION).read_text())
    settings: dict[str, Any] = {
        name: kind(**described["settings"][name])
        if name in ("office", "keys")
        else {key: kind(**values) for key, values in described["settings"][name].items()}
        for name, kind in SETTINGS.items()
    }
    paths = root / "app" / "simpel.db", root / "app" / "unggahan", root / "service"
    return SmallOffice(root, Installation(**settings), described["phones"], *paths)


def _described(installation: Installation) -> dict[str, Any]:
    described = {}
    for name in SETTINGS:
        setting = getattr(installation, name)
        described[name] = (
            {key: value.model_dump(mode="json") for key, value in setting.items()}
            if isinstance(setting, dict)
            else setting.model_dump(mode="json")
        )
    return described


def write_application(database: Path, uploads: Path) -> None:
    """Make the application's data: a database in WAL mode, and a tree with a link, an empty directory and modes."""
    (uploads / "sk").mkdir(parents=True)
    (uploads / "kosong").mkdir()
    (uploads / "sk" / "satu.txt").write_bytes(b"satu" * 1000)
    (uploads / "dua.txt").write_bytes(b"dua")
    (uploads / "tautan").symlink_to("dua.txt")
    # Not what a copy gets by itself.
    (uploads / "sk" / "satu.txt").chmod(0o755)
    (uploads / "sk").chmod(0o775)
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE pegawai (id INTEGER PRIMARY KEY, nama TEXT NOT NULL, gaji INTEGER)")
        connection.executemany(
            "INSERT INTO pegawai (nama, gaji) VALUES (?, ?)",
            [(f"Pegawai {number}", number * 1000) for number in range(200)],
        )
        connection.execute("CREATE INDEX pegawai_nama ON pegawai (nama)")
    connection.close()


def _installation(root: Path, database: Path, uploads: Path, state: Path, catalog_url: str) -> Installation:
    identity, operations = generate_identity()
    escrow_identity, escrow = generate_identity()
    keys = root / "keys"
    keys.mkdir(mode=0o700)
    (keys / "operations").write_text(identity)
    (keys / "escrow").write_text(escrow_identity)
    (keys / "signing").write_bytes(generate_signing_key())
    (keys / "enrolment").write_bytes(base64.b64encode(os.urandom(32)))
    (keys / "notices").write_text(f"file://{root / 'notices.txt'}")
    (keys / "catalog").write_text(catalog_url)
    (root / "store").mkdir()
    (root / "state").mkdir(mode=0o700)
    return Installation(
        office=OfficeSettings(
            state_directory=str(root / "state"),
            catalog=f"file:{keys / 'catalog'}" if catalog_url else None,
            notice_targets=[f"file:{keys / 'notices'}"],
        ),
        keys=KeySettings(
            operations_recipient=operations,
            escrow_recipient=escrow,
            operations_identity=f"file:{keys / 'operations'}",
            signing_key=f"file:{keys / 'signing'}",
            enrolment_key=f"file:{keys / 'enrolment'}",
        ),
        hosts={"server": HostSettings(name="server")},
        stores={"utama": StoreSettings(name="utama", path=str(root / "store"))},
        applications={
            "simpel": ApplicationSettings(
                name="simpel",
                title="SIMPEL",
                owner_unit="bkd",
                owner_unit_title="Badan Kepegawaian Daerah",
                host="server",
                services=[web_service(database, state)],
                components=[
                    ComponentSettings(name="data", kind="sqlite", path=str(database), lock_timeout=3),
                    ComponentSettings(name="berkas", kind="files", path=str(uploads)),
                ],
            )
        },
        schedules={
            "bulanan": ScheduleSettings(
                name="bulanan",
                period="2026",
                applications=["simpel"],
                cron="0 22 20 * *",
                frequency="Bulanan",
                store="utama",
                executor=EXECUTOR,
                reviewer=KABID,
                approved_by=KADIS,
            )
        },
    )


def web_service(database: Path, state: Path) -> ServiceSettings:
    """The settings of a service on a free port that answers from a database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("web_service.py"))]
    place = [str(state), str(port), str(database)]
    return ServiceSettings(
        name="web",
        kind="command",
        start=[*program, "start", *place],
        stop=[*program, "stop", *place],
        health_url=f"http://127.0.0.1:{port}/sehat",
        port=port,
        stop_timeout=60,
        start_timeout=60,
    )
