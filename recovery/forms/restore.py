"""Formulir Pelaksanaan Restore Data (SOP restore, steps 4 to 8): what was done and how it ended."""

from dataclasses import dataclass, field

from recovery.calendar import EMPTY, format_duration, format_moment, format_period
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

TITLE = "Formulir Pelaksanaan Restore Data"
SUCCEEDED, PARTIAL, FAILED = "Berhasil", "Sebagian", "Gagal–dikembalikan ke salinan pengaman"
STATUSES = (SUCCEEDED, PARTIAL, FAILED)


@dataclass(frozen=True, kw_only=True)
class SafetyCopy:
    """The data that was live before: `component` (title), `name` of the copy, `digest` that tells it apart."""

    component: str
    name: str
    digest: str = ""


@dataclass(frozen=True, kw_only=True)
class RestoredComponent:
    """One component. `backup_name`: of the set; `sha256`: of the set's data part; `matched`: whether the bytes had
    it (None: not compared); `recovery_point`: ISO UTC, the backup's moment; `target`: server and database or
    directory; `started_at`, `ended_at`: ISO UTC of the swap; `verification`: what the checks said."""

    component: str
    backup_name: str
    sha256: str = ""
    matched: bool | None = None
    recovery_point: str = ""
    target: str = ""
    started_at: str = ""
    ended_at: str = ""
    verification: str = ""


@dataclass(frozen=True, kw_only=True)
class Notification:
    """F: the notice and the requester's answer. `sent_at`, `received_at`: ISO UTC; `channel`: "surel dinas";
    `received`: "sesuai" | "tidak sesuai" | ""."""

    recipient: str = ""
    sent_at: str = ""
    channel: str = ""
    received_at: str = ""
    received: str = ""
    note: str = ""
    approval: Approval | None = None


@dataclass(frozen=True, kw_only=True)
class RestoreForm:
    """A restore that was carried out.

    A: `request_number`: number of the Formulir Permintaan; `execution_id`: of the run; `executor`.
    B: `stopped_at`: ISO UTC; `quiet`: the proof that no transaction was possible, in words; `safety_copies`.
    C: `components`. D: `started_at`: ISO UTC, "" when the service is not up; `service_test`: what the health check
    said; `downtime`: seconds, None when unknown; `unrecovered`: what was lost. E: `status`: one of STATUSES;
    `problems`. F: `notification`. `approver`: the Kabid, who signs "mengetahui"; `requester`.
    """

    request_number: str
    execution_id: str
    executor: Official
    stopped_at: str = ""
    quiet: str = ""
    safety_copies: tuple[SafetyCopy, ...] = ()
    components: tuple[RestoredComponent, ...]
    started_at: str = ""
    service_test: str = ""
    downtime: float | None = None
    unrecovered: str = ""
    status: str
    problems: str = ""
    notification: Notification = field(default_factory=Notification)
    approver: Official
    requester: Official
    executor_approval: Approval | None = None
    approver_approval: Approval | None = None


def build(document: Document, form: RestoreForm) -> FormFacts:
    """Given what was done, return the form. Raises FormError without components or with an unknown status."""
    if not form.components:
        raise FormError("a restore form needs at least one component")
    if form.status not in STATUSES:
        raise FormError(f"{form.status!r} is not a status of a restore", hint=f"Use one of {'; '.join(STATUSES)}.")
    approvals = (form.executor_approval, form.approver_approval, form.notification.approval)
    return FormFacts(
        kind="restore",
        title=TITLE,
        document=document,
        sections=(
            Section("A", "Dasar", (Block("", _basis(document, form)),)),
            Section("B", "Sebelum", (Block("", _before(form)),)),
            Section(
                "C",
                "Pelaksanaan",
                tuple(
                    Block(f"Komponen {number}: {part.component}", _work(part))
                    for number, part in enumerate(form.components, 1)
                ),
            ),
            Section("D", "Sesudah", (Block("", _after(form)),)),
            Section("E", "Status", (Block("", _status(form)),)),
            Section("F", "Pemberitahuan", (Block("", _notification(form.notification)),)),
        ),
        signatures=(
            signature_box(
                "Pelaksana",
                "TTE_Pelaksana",
                form.executor,
                document,
                form.executor_approval,
                day=form.notification.sent_at or document.created_at,
            ),
            signature_box("Kabid Aptika (mengetahui)", "TTE_Kabid", form.approver, document, form.approver_approval),
            signature_box("Pemohon", "TTE_Pemohon", form.requester, document, form.notification.approval),
        ),
        notes=notes_for(document, approvals=any(approvals)),
    )


def _basis(document: Document, form: RestoreForm) -> tuple[Row, ...]:
    return (
        Row("Nomor formulir", document.number),
        Row("Nomor permintaan", form.request_number),
        Row("ID eksekusi", form.execution_id, style="code"),
        Row("Pelaksana", form.executor.line()),
    )


def _before(form: RestoreForm) -> tuple[Row, ...]:
    stopped = format_moment(form.stopped_at) if form.stopped_at else ""
    copies = [lines(f"{copy.component}: {copy.name}", copy.digest) for copy in form.safety_copies]
    return (
        Row("Layanan dihentikan (waktu, bukti tanpa transaksi)", lines(stopped, form.quiet)),
        Row("Salinan pengaman (nama, sidik)", lines(*copies), style="code"),
    )


def _work(part: RestoredComponent) -> tuple[Row, ...]:
    matched = {None: "belum dicocokkan", True: "cocok", False: "TIDAK COCOK"}[part.matched]
    return (
        Row("Nama berkas cadangan", part.backup_name, style="code"),
        Row("SHA-256 dicocokkan", lines(part.sha256, matched), style="code"),
        Row("Titik pulih", format_moment(part.recovery_point)),
        Row("Server/basis data tujuan", part.target),
        Row("Mulai–selesai", format_period(part.started_at, part.ended_at)),
        Row("Hasil verifikasi", part.verification),
    )


def _after(form: RestoreForm) -> tuple[Row, ...]:
    return (
        Row("Layanan diaktifkan (waktu)", format_moment(form.started_at)),
        Row("Hasil uji layanan", form.service_test),
        Row("Lama henti", EMPTY if form.downtime is None else format_duration(form.downtime)),
        Row("Data yang tidak terpulihkan", form.unrecovered),
    )


def _status(form: RestoreForm) -> tuple[Row, ...]:
    return (
        Row(
            "Status (Berhasil / Sebagian / Gagal–dikembalikan ke salinan pengaman)",
            form.status,
            style="strong",
            options=STATUSES,
        ),
        Row("Kendala", form.problems),
    )


def _notification(notice: Notification) -> tuple[Row, ...]:
    sent = ", ".join(
        part
        for part in (notice.recipient, format_moment(notice.sent_at) if notice.sent_at else "", notice.channel)
        if part
    )
    answer = "; ".join(
        part
        for part in (
            format_moment(notice.received_at) if notice.received_at else "",
            notice.received,
            f"catatan: {notice.note}" if notice.note else "",
        )
        if part
    )
    return (
        Row("Kepada, tanggal, cara", sent),
        Row("Diterima pemohon (tanggal; sesuai/tidak sesuai; catatan)", answer),
    )
