"""Formulir Permintaan Restore Data (SOP restore, steps 1 to 3): request, disposition, verification."""

from dataclasses import dataclass, field

from recovery.calendar import format_date, format_date_or_moment
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
    yes_no,
)

TITLE = "Formulir Permintaan Restore Data"
# SOP, restore.5: "data terbaru" is the newest verified backup unless the form asks for another point.
DEFAULT_RECOVERY_POINT = "cadangan terbaru terverifikasi"


@dataclass(frozen=True, kw_only=True)
class Disposition:
    """C: the Kadis. `received_on`, `disposed_on`: ISO dates or moments; `nature`: Sifat (segera, biasa);
    `forwarded_to`: name or position; `instruction`: for a returned request, the reason."""

    agenda_number: str = ""
    received_on: str = ""
    nature: str = ""
    forwarded_to: str = ""
    instruction: str = ""
    disposed_on: str = ""
    approval: Approval | None = None


@dataclass(frozen=True, kw_only=True)
class DataVerification:
    """D: the Kabid. None: not looked at. `decision`: "disetujui" | "ditolak" | ""; a rejection has a `reason`."""

    data_kind_matches: bool | None = None
    requester_authorised: bool | None = None
    backup_available: bool | None = None
    other_units: str = ""
    personal_data_handling: str = ""
    decision: str = ""
    reason: str = ""
    decided_on: str = ""
    approval: Approval | None = None


@dataclass(frozen=True, kw_only=True)
class RestoreRequestForm:
    """The request as the requester made it.

    A: `letter_number`, `letter_date` (ISO date), `unit` (title), `requester`, `contact` (office contact, never a
    private number), `signing_official`: Pejabat penandatangan in one line.
    B: `application` (title), `components` (titles), `whole`: seluruh (True) or sebagian; `damage`: Uraian kerusakan
    dan penyebab; `occurred_at`: ISO UTC moment, ISO date, or ""; `recovery_point`: "" means the newest verified
    backup, else which one, with `recovery_point_reason`; `data_kind`; `personal_data`: tidak | umum | spesifik;
    `authority`: Dasar kewenangan; `accepts_loss`: agrees to lose data after the recovery point; `urgency`;
    `downtime_allowed`; `attachments`; `responsibility`: the statement's text, "" when it was not given.
    `head`: kepala unit, who signs; empty means the requester signs.
    """

    letter_number: str
    letter_date: str
    unit: str
    requester: Official
    contact: str = ""
    signing_official: str = ""
    application: str
    components: tuple[str, ...] = ()
    whole: bool = True
    damage: str
    occurred_at: str = ""
    recovery_point: str = ""
    recovery_point_reason: str = ""
    data_kind: str = ""
    personal_data: str = ""
    authority: str = ""
    accepts_loss: bool | None = None
    urgency: str = ""
    downtime_allowed: str = ""
    attachments: tuple[str, ...] = ()
    responsibility: str = ""
    disposition: Disposition = field(default_factory=Disposition)
    verification: DataVerification = field(default_factory=DataVerification)
    head: Official | None = None
    head_approval: Approval | None = None
    disposer: Official = field(default_factory=Official)
    verifier: Official = field(default_factory=Official)


def build(document: Document, form: RestoreRequestForm) -> FormFacts:
    """Given a request and what was decided on it so far, return the form.

    Raises FormError for a rejection without a reason: the SOP ends the procedure "with the reason".
    """
    if form.verification.decision == "ditolak" and not form.verification.reason.strip():
        raise FormError("a rejection without a reason cannot stand on the form", hint="Ask the Kabid for the reason.")
    approvals = (form.head_approval, form.disposition.approval, form.verification.approval)
    return FormFacts(
        kind="restore_request",
        title=TITLE,
        document=document,
        sections=(
            Section("A", "Pemohon", (Block("", _requester(form)),)),
            Section("B", "Data", (Block("", _data(form)),)),
            Section("C", "Disposisi Kadis", (Block("", _disposition(form.disposition)),)),
            Section("D", "Verifikasi Kabid", (Block("", _verification(form.verification)),)),
        ),
        signatures=(
            signature_box(
                "Pemohon/kepala unit",
                "TTE_Pemohon",
                form.head or form.requester,
                document,
                form.head_approval,
                # The requester's act is his letter.
                day=form.letter_date,
            ),
            signature_box("Kadis Kominfo", "TTE_Kadis", form.disposer, document, form.disposition.approval),
            signature_box("Kabid Aptika", "TTE_Kabid", form.verifier, document, form.verification.approval),
        ),
        notes=notes_for(document, approvals=any(approvals)),
    )


def _requester(form: RestoreRequestForm) -> tuple[Row, ...]:
    return (
        Row(
            "Nomor dan tanggal surat",
            f"{form.letter_number}, tanggal {format_date(form.letter_date)}" if form.letter_number else "",
        ),
        Row("Unit kerja", form.unit),
        Row("Nama, NIP, jabatan", form.requester.line()),
        Row("Kontak dinas", form.contact),
        Row("Pejabat penandatangan", form.signing_official or (form.head.line() if form.head else "")),
    )


def _data(form: RestoreRequestForm) -> tuple[Row, ...]:
    point = form.recovery_point or DEFAULT_RECOVERY_POINT
    reason = f"Alasan: {form.recovery_point_reason}" if form.recovery_point_reason else ""
    return (
        Row("Nama aplikasi", form.application),
        Row("Komponen", lines(*form.components)),
        Row("Seluruh/sebagian", "seluruh" if form.whole else "sebagian", options=("seluruh", "sebagian")),
        Row("Uraian kerusakan dan penyebab", form.damage),
        Row("Waktu kejadian", format_date_or_moment(form.occurred_at)),
        Row("Titik pulih yang diminta (bawaan: cadangan terbaru terverifikasi)", lines(point, reason)),
        Row("Jenis data", form.data_kind),
        Row("Data pribadi", form.personal_data, options=("tidak", "umum", "spesifik")),
        Row("Dasar kewenangan", form.authority),
        Row(
            "Persetujuan kehilangan data sesudah titik pulih",
            {None: "", True: "setuju", False: "tidak setuju"}[form.accepts_loss],
            options=("setuju", "tidak setuju"),
        ),
        Row("Urgensi", form.urgency),
        Row("Waktu henti yang diizinkan", form.downtime_allowed),
        Row("Lampiran", lines(*form.attachments)),
        Row("Pernyataan tanggung jawab", form.responsibility),
    )


def _disposition(disposition: Disposition) -> tuple[Row, ...]:
    return (
        Row("Nomor agenda", disposition.agenda_number),
        Row("Diterima tanggal", format_date_or_moment(disposition.received_on)),
        Row("Sifat", disposition.nature),
        Row("Diteruskan kepada", disposition.forwarded_to),
        Row("Instruksi", disposition.instruction),
        Row("Tanggal", format_date_or_moment(disposition.disposed_on)),
    )


def _verification(verification: DataVerification) -> tuple[Row, ...]:
    choices = ("ya", "tidak")
    return (
        Row("Jenis data sesuai", yes_no(verification.data_kind_matches), options=choices),
        Row("Pemohon berwenang", yes_no(verification.requester_authorised), options=choices),
        Row("Cadangan tersedia dan utuh", yes_no(verification.backup_available), options=choices),
        Row("Dampak ke unit lain", verification.other_units),
        Row("Penanganan data pribadi", verification.personal_data_handling),
        Row("Keputusan", verification.decision, options=("disetujui", "ditolak")),
        Row("Alasan", verification.reason),
        Row("Tanggal", format_date_or_moment(verification.decided_on)),
    )
