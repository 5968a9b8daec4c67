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

    `number`: Nomor jadwal, normally the document's number; `period`: Tahun/periode; `frequency`: in words, in WIB;
    `main_location`, `offsite_location`: titles; `retention`: in words; `recovery_point_objective` (RPO),
    `recovery_time_objective` (RTO): in words; `valid_from`: ISO date; `approved_by` signs (Disahkan oleh).
    """

    number: str
    period: str
    applications: tuple[ScheduledApplication, ...]
    frequency: str
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
            Section("A", "Jadwal", (Block("", (Row("Nomor jadwal", form.number), Row("Tahun/periode", form.period))),)),
            Section(
                "B", "Objek", tuple(_application(number, entry) for number, entry in enumerate(form.applications, 1))
            ),
            Section("C", "Pelaksanaan", (Block("", _work(form)),)),
            Section("D", "Penanggung jawab dan pengesahan", (Block("", _people(form)),)),
        ),
        signatures=(signature_box("Disahkan oleh", "TTE_Pengesah", form.approved_by, document, form.approval),),
        notes=notes_for(document, approvals=form.approval is not None),
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
        Row("Frekuensi dan waktu (WIB)", form.frequency),
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
