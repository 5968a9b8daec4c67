"""The register: every step of the SOP "Back Up/Restore Data" (060/017/406.020/2023).

The wording is the SOP's own and is law in everything that officials see. The ids are ours and never change,
because the restore procedure prints the number 6 twice. Entries are only ever added (runs stay suspended for days).
"""

from dataclasses import dataclass
from typing import Literal

Procedure = Literal["backup", "restore"]
Role = Literal["pemohon", "kadis", "kabid", "pelaksana"]

SOP_NUMBER = "060/017/406.020/2023"
SOP_TITLE = "Back Up/Restore Data"

PROCEDURE_TITLES: dict[str, str] = {
    "backup": "PROSEDUR BACK UP DATA",
    "restore": "PROSEDUR RESTORE DATA",
}

ROLE_TITLES: dict[str, str] = {
    "pemohon": "Unit Kerja Pemohon",
    "kadis": "Kadis Kominfo",
    "kabid": "Kabid Aptika",
    "pelaksana": "Pejabat Fungsional/Pelaksana",
}


@dataclass(frozen=True)
class Step:
    """One step of the SOP.

    `number` is the number printed in the SOP; `evidence` names the facts without which the step is not done;
    `final_after` is the step whose closing makes a recorded failure of this one final (it is on the form by then,
    and trying again would make the form untrue).
    """

    id: str
    procedure: Procedure
    number: str
    wording: str
    role: Role
    output: str
    evidence: tuple[str, ...]
    approval: bool = False
    per_component: bool = False
    final_after: str | None = None
    time_standard: str = "1 hari"

    @property
    def title(self) -> str:
        """What officials see wherever the step is named: "4. Mengamankan hasil backup"."""
        return f"{self.number}. {self.wording}"


STEPS: tuple[Step, ...] = (
    Step(
        id="backup.1",
        procedure="backup",
        number="1",
        wording="Melakukan back up sesuai dengan jadwal yang telah ditetapkan",
        role="pelaksana",
        output="Jadwal Back Up",
        evidence=("backup_id", "parts", "snapshot"),
        per_component=True,
        final_after="backup.5",
    ),
    Step(
        id="backup.2",
        procedure="backup",
        number="2",
        wording="Memastikan proses back up berhasil dilakukan",
        role="pelaksana",
        output="",
        evidence=("backup_id", "verdict", "checks"),
        per_component=True,
        final_after="backup.5",
    ),
    Step(
        id="backup.3",
        procedure="backup",
        number="3",
        wording="Memberi nama back up sesuai dengan ketentuan",
        role="pelaksana",
        output="",
        evidence=("backup_id", "name"),
        per_component=True,
        final_after="backup.5",
    ),
    Step(
        id="backup.4",
        procedure="backup",
        number="4",
        wording="Mengamankan hasil backup",
        role="pelaksana",
        output="",
        evidence=("backup_id", "locations", "manifest_sha256"),
        per_component=True,
        final_after="backup.5",
    ),
    Step(
        id="backup.5",
        procedure="backup",
        number="5",
        wording="Mengisi formulir pelaksanaan back up",
        role="pelaksana",
        output="Formulir Pelaksanaan Back Up",
        evidence=("form_number", "form_sha256"),
    ),
    Step(
        id="backup.6",
        procedure="backup",
        number="6",
        wording="Menerima dan memeriksa formulir back up",
        role="kabid",
        output="Formulir Pelaksanaan Back Up",
        evidence=("decision", "official", "form_number"),
        approval=True,
    ),
    Step(
        id="restore.1",
        procedure="restore",
        number="1",
        wording="Membuat surat dan mengisi formulir permintaan restore data",
        role="pemohon",
        output="Formulir Permintaan Restore Data",
        evidence=("form_number", "letter_number", "request_hash"),
    ),
    Step(
        id="restore.2",
        procedure="restore",
        number="2",
        wording="Mendisposisi permintaan restore data kepada Kabid Aptika",
        role="kadis",
        output="",
        evidence=("decision", "official"),
        approval=True,
    ),
    Step(
        id="restore.3",
        procedure="restore",
        number="3",
        wording="Melakukan verifikasi jenis dan kewenangan data",
        role="kabid",
        output="",
        evidence=("decision", "official"),
        approval=True,
    ),
    Step(
        id="restore.4",
        procedure="restore",
        number="4",
        wording="Mematikan web service yang ada di server sehingga tidak ada transaksi",
        role="pelaksana",
        output="",
        evidence=("stopped_at", "quiet"),
        final_after="restore.6",
    ),
    Step(
        id="restore.5",
        procedure="restore",
        number="5",
        wording="Membuat proses restore data pada data terbaru",
        role="pelaksana",
        output="",
        evidence=("status", "components"),
        final_after="restore.6",
    ),
    Step(
        id="restore.6",
        procedure="restore",
        number="6",
        wording="Mengaktifkan kembali web service pada server",
        role="pelaksana",
        output="",
        evidence=("status", "started_at", "health"),
        final_after="restore.7",
    ),
    Step(
        id="restore.7",
        procedure="restore",
        number="6",
        wording="Menginformasikan status kerusakan kepada Pemohon",
        role="pelaksana",
        output="Formulir Pelaksanaan Restore Data",
        evidence=("form_number", "notice"),
    ),
    Step(
        id="restore.8",
        procedure="restore",
        number="7",
        wording="Menerima informasi status aduan kerusakan data",
        role="pemohon",
        output="",
        evidence=("decision", "official"),
        approval=True,
    ),
)

# Decisions that the SOP implies but does not number: the executor's own go-ahead between restore steps 3 and 4, the
# approval of "jadwal yang telah ditetapkan" (backup step 1), and that of what its retention lets go.
EXECUTOR_START = "restore.start"
EXECUTOR_START_TITLE = "Pelaksana memulai restore"
SCHEDULE_APPROVAL = "schedule.approve"
SCHEDULE_APPROVAL_TITLE = "Pengesahan Jadwal Back Up"
RETENTION_APPROVAL = "retention.approve"
RETENTION_APPROVAL_TITLE = "Persetujuan pemusnahan cadangan"
GATES: dict[str, str] = {
    EXECUTOR_START: EXECUTOR_START_TITLE,
    SCHEDULE_APPROVAL: SCHEDULE_APPROVAL_TITLE,
    RETENTION_APPROVAL: RETENTION_APPROVAL_TITLE,
}

_BY_ID = {step.id: step for step in STEPS}


def step(step_id: str) -> Step:
    """Given a step's id, return its register entry. Raises KeyError: an unknown id is a programming error."""
    return _BY_ID[step_id]


def title_of(step_id: str) -> str:
    """Given the id of a step or of a decision that is none, return its title. Raises KeyError."""
    return GATES[step_id] if step_id in GATES else step(step_id).title


def steps_of(procedure: str) -> tuple[Step, ...]:
    """Given a procedure, return its steps in the SOP's order."""
    return tuple(entry for entry in STEPS if entry.procedure == procedure)
