"""Jadwal Back Up: the approved document that every backup run cites."""

from dataclasses import dataclass

from recovery.calendar import format_date
from recovery.errors import FormError
from recovery.forms.model import (
    Approval,
    Block,
    Document,
    FormFacts,
    Official,
    Row,
    Section,
    lines,
    notes_for,
    signature_box,
)

TITLE = "Jadwal Back Up"
# "Status dokumen": nobody may take a draft for the schedule in force.
UNSUBMITTED = "RANCANGAN – BELUM DIAJUKAN DAN BELUM DISAHKAN"
DRAFT = "RANCANGAN – BELUM DISAHKAN"
APPROVED = "DISAHKAN"
REJECTED = "DITOLAK"
# In the place of the number that only a drawn-up document gets.
UNNUMBERED = "belum bernomor"


@dataclass(frozen=True, kw_only=True)
class ScheduledApplication:
    """One application on the schedule: `name` and `owner_unit` as titles; `category`: strategis | tinggi | rendah;
    `components`: titles; `backup_kind`: "penuh (full)"."""

    name: str
    owner_unit: str
    category: str
    components: tuple[str, ...]
    backup_kind: str = "penuh (full)"


@dataclass(frozen=True, kw_only=True)
class ScheduleForm:
    """A schedule.

    `status`: one of the words above, and why when it was rejected; `period`: Tahun/periode; `frequency`: in words, in
    WIB; `cron`: the same for the machine, which is what runs; `main_location`, `offsite_location`: titles;
    `retention`: in words; `recovery_point_objective` (RPO), `recovery_time_objective` (RTO): in words; `valid_from`:
    ISO date; `approved_by` signs (Disahkan oleh).
    """

    status: str
    period: str
    applications: tuple[ScheduledApplication, ...]
    frequency: str
    cron: str
    main_location: str
    offsite_location: str = ""
    retention: str
    recovery_point_objective: str = ""
    recovery_time_objective: str = ""
    executor: Official
    reviewer: Official
    valid_from: str = ""
    approved_by: Official
    approval: Approval | None = None


def build(document: Document, form: ScheduleForm) -> FormFacts:
    """Given a schedule, return the form. Raises FormError for a schedule without applications."""
    if not form.applications:
        raise FormError("a schedule needs at least one application")
    return FormFacts(
        kind="schedule",
        title=TITLE,
        document=document,
        sections=(
            Section("A", "Jadwal", (Block("", _identity(document, form)),)),
            Section(
                "B", "Objek", tuple(_application(number, entry) for number, entry in enumerate(form.applications, 1))
            ),
            Section("C", "Pelaksanaan", (Block("", _work(form)),)),
            Section("D", "Penanggung jawab dan pengesahan", (Block("", _people(form)),)),
        ),
        signatures=(signature_box("Disahkan oleh", "TTE_Pengesah", form.approved_by, document, form.approval),),
        notes=notes_for(document, approvals=form.approval is not None),
    )


def _identity(document: Document, form: ScheduleForm) -> tuple[Row, ...]:
    version = f" versi {document.version}" if document.version else ""
    return (
        Row("Nomor jadwal", f"{document.number}{version}"),
        Row("Tahun/periode", form.period),
        Row("Status dokumen", form.status, style="strong"),
    )


def _application(number: int, entry: ScheduledApplication) -> Block:
    return Block(
        f"Aplikasi {number}: {entry.name}",
        (
            Row("Nama aplikasi", entry.name),
            Row("Unit kerja pemilik data", entry.owner_unit),
            Row(
                "Kategori sistem elektronik (strategis/tinggi/rendah)",
                entry.category,
                options=("strategis", "tinggi", "rendah"),
            ),
            Row("Komponen", lines(*entry.components)),
            Row("Jenis back up", entry.backup_kind),
        ),
    )


def _work(form: ScheduleForm) -> tuple[Row, ...]:
    objectives = [
        f"RPO: {form.recovery_point_objective}" if form.recovery_point_objective else "",
        f"RTO: {form.recovery_time_objective}" if form.recovery_time_objective else "",
    ]
    return (
        Row("Frekuensi dan waktu (WIB)", lines(form.frequency, f"Pengaturan penjadwal (cron): {form.cron}")),
        Row(
            "Lokasi penyimpanan utama/terpisah",
            lines(f"Utama: {form.main_location}", f"Terpisah: {form.offsite_location or '–'}"),
        ),
        Row("Retensi", form.retention),
        Row("RPO/RTO", lines(*objectives)),
    )


def _people(form: ScheduleForm) -> tuple[Row, ...]:
    return (
        Row("Pelaksana", form.executor.line()),
        Row("Pemeriksa", form.reviewer.line()),
        Row("Berlaku mulai", format_date(form.valid_from)),
        Row("Disahkan oleh", form.approved_by.line()),
    )
