"""Formulir Pelaksanaan Back Up Data (SOP backup, steps 5 and 6): one block per asset in sections B, C and D."""

from collections.abc import Callable
from dataclasses import dataclass, field

from recovery.calendar import EMPTY, format_bytes, format_date_or_moment, format_number, format_period
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

TITLE = "Formulir Pelaksanaan Back Up Data"
# The three verdicts are never merged: "tidak dapat diperiksa" says that nothing is known about the copy.
SUCCEEDED, FAILED, UNKNOWN = "berhasil", "gagal", "tidak dapat diperiksa"
# Proven and named, but one of the copies that the schedule wants is missing.
INCOMPLETE = "belum aman"
STATUSES = (SUCCEEDED, FAILED, UNKNOWN, INCOMPLETE)


@dataclass(frozen=True, kw_only=True)
class BackupAsset:
    """One component of one application in this run. Empty text and None print "–".

    B: `application`, `owner_unit`, `server` as titles; `component`: its title; `location`: database or directory;
    `source_version`: "SQLite 3.40.1"; `data_kind`: Jenis data; `classification`: biasa … sangat rahasia;
    `personal_data`: tidak | umum | spesifik; `backup_kind`: "penuh (full)".
    C: `status`: one of STATUSES; `failure`: why it failed, in words, without personal data; `name`: the final name,
    empty before step 3; `size`: bytes of the stored (compressed, encrypted) data part; `objects`: number of tables'
    rows or files that were counted, with `objects_unit` ("baris dalam 12 tabel", "berkas"); `sha256`: of the stored
    data part; `verification`: how it was checked and what came out; `test_restore`: what the test restore gave.
    D: `main_location`, `offsite_location`: titles with path; `encryption`: "age (X25519), 2 penerima";
    `key_holders`; `locked_until`, `retention_until`: ISO dates or moments;
    `locked_only`: which location alone is locked, "" when all are.
    """

    application: str
    owner_unit: str
    server: str
    component: str
    location: str
    source_version: str = ""
    data_kind: str = ""
    classification: str = ""
    personal_data: str = ""
    backup_kind: str = "penuh (full)"
    status: str
    failure: str = ""
    name: str = ""
    size: int | None = None
    objects: int | None = None
    objects_unit: str = ""
    sha256: str = ""
    verification: str = ""
    test_restore: str = ""
    main_location: str = ""
    offsite_location: str = ""
    encryption: str = ""
    key_holders: str = ""
    locked_until: str = ""
    locked_only: str = ""
    retention_until: str = ""


@dataclass(frozen=True, kw_only=True)
class BackupReview:
    """F: what the Kabid found. None: not looked at yet. `conclusion`: "sesuai" | "tidak sesuai" | ""."""

    on_schedule: bool | None = None
    verified: bool | None = None
    named: bool | None = None
    secured: bool | None = None
    conclusion: str = ""
    note: str = ""
    approval: Approval | None = None


@dataclass(frozen=True, kw_only=True)
class BackupForm:
    """A run of one schedule.

    `schedule`: number (and title) of the Jadwal Back Up; `routine`: False needs a `reason`; `started_at`, `ended_at`:
    ISO UTC; `execution_id`: of the run; `problems`, `follow_up`: section E, "" when there is nothing to say —
    failed assets are listed there by the form itself; `executor`, `reviewer`: who signs.
    """

    schedule: str
    routine: bool
    reason: str = ""
    started_at: str
    ended_at: str
    execution_id: str
    assets: tuple[BackupAsset, ...]
    problems: str = ""
    follow_up: str = ""
    executor: Official
    reviewer: Official
    review: BackupReview = field(default_factory=BackupReview)


def build(document: Document, form: BackupForm) -> FormFacts:
    """Given a run's facts, return the form. Raises FormError for a run without assets or an unknown status."""
    if not form.assets:
        raise FormError("a backup form needs at least one asset", hint="A run without components leaves no form.")
    for asset in form.assets:
        if asset.status not in STATUSES:
            raise FormError(f"{asset.status!r} is not a status of a backup", hint=f"Use one of {', '.join(STATUSES)}.")
    return FormFacts(
        kind="backup",
        title=TITLE,
        document=document,
        sections=(
            Section("A", "Identitas", (Block("", _identity(document, form)),)),
            Section("B", "Objek", _blocks(form, _object)),
            Section("C", "Hasil", _blocks(form, _result)),
            Section("D", "Pengamanan", _blocks(form, _safety)),
            Section("E", "Kendala dan tindak lanjut", (Block("", _problems(form)),)),
            Section("F", "Pemeriksaan Kabid", (Block("", _review(form.review)),)),
        ),
        signatures=(
            signature_box(
                "Pelaksana", "TTE_Pelaksana", form.executor, document, day=form.ended_at or document.created_at
            ),
            signature_box("Kabid Aptika", "TTE_Kabid", form.reviewer, document, form.review.approval),
        ),
        notes=notes_for(document, approvals=form.review.approval is not None),
    )


def _headings(form: BackupForm) -> list[str]:
    return [f"Aset {number}: {asset.application} – {asset.component}" for number, asset in enumerate(form.assets, 1)]


def _blocks(form: BackupForm, rows: Callable[[BackupAsset], tuple[Row, ...]]) -> tuple[Block, ...]:
    return tuple(Block(heading, rows(asset)) for heading, asset in zip(_headings(form), form.assets, strict=True))


def _identity(document: Document, form: BackupForm) -> tuple[Row, ...]:
    kind = "rutin" if form.routine else "di luar jadwal"
    return (
        Row("Nomor formulir", document.number),
        Row("Jadwal (dasar)", form.schedule),
        Row("Rutin/di luar jadwal + alasan", lines(kind, f"Alasan: {form.reason}" if form.reason else "")),
        Row("Waktu mulai–selesai", format_period(form.started_at, form.ended_at)),
        Row("ID eksekusi", form.execution_id, style="code"),
    )


def _object(asset: BackupAsset) -> tuple[Row, ...]:
    version = f" ({asset.source_version})" if asset.source_version else ""
    return (
        Row("Nama aplikasi", asset.application),
        Row("Unit kerja pemilik data", asset.owner_unit),
        Row("Server", asset.server),
        Row("Basis data/direktori (versi)", f"{asset.location}{version}"),
        Row("Jenis data", asset.data_kind),
        Row("Klasifikasi", asset.classification),
        Row(
            "Memuat data pribadi (tidak/umum/spesifik)",
            asset.personal_data,
            options=("tidak", "umum", "spesifik"),
        ),
        Row("Jenis back up", asset.backup_kind),
    )


def _result(asset: BackupAsset) -> tuple[Row, ...]:
    size = EMPTY if asset.size is None else f"{format_bytes(asset.size)} ({format_number(asset.size)} byte)"
    objects = EMPTY if asset.objects is None else f"{format_number(asset.objects)} {asset.objects_unit}".strip()
    return (
        Row("Status", _status(asset), style="strong"),
        Row("Nama berkas sesuai ketentuan", asset.name, style="code"),
        Row("Ukuran", size),
        Row("Jumlah objek", objects),
        Row("SHA-256", asset.sha256, style="code"),
        Row("Cara dan hasil pemeriksaan", asset.verification),
        Row("Uji pulih", asset.test_restore),
    )


def _status(asset: BackupAsset) -> str:
    return f"{asset.status.upper()} – {asset.failure}" if asset.failure else asset.status.upper()


def _safety(asset: BackupAsset) -> tuple[Row, ...]:
    return (
        Row("Lokasi utama", asset.main_location),
        Row("Lokasi terpisah", asset.offsite_location),
        Row("Enkripsi", asset.encryption),
        Row("Pemegang kunci", asset.key_holders),
        Row("Terkunci sampai", _locked(asset)),
        Row("Retensi/tanggal pemusnahan", format_date_or_moment(asset.retention_until)),
    )


def _locked(asset: BackupAsset) -> str:
    until = format_date_or_moment(asset.locked_until)
    return f"{until} (hanya {asset.locked_only})" if asset.locked_only else until


def _problems(form: BackupForm) -> tuple[Row, ...]:
    # Said by the form itself: a failure must not depend on somebody having typed it.
    listed = [
        f"{heading}: {_status(asset)}"
        for heading, asset in zip(_headings(form), form.assets, strict=True)
        if asset.status != SUCCEEDED
    ]
    summary = f"{len(listed)} dari {len(form.assets)} aset TIDAK BERHASIL:" if listed else ""
    return (
        Row("Kendala", lines(summary, *listed, form.problems)),
        Row("Tindak lanjut", form.follow_up),
    )


def _review(review: BackupReview) -> tuple[Row, ...]:
    choices = ("ya", "tidak")
    return (
        Row("Sesuai jadwal", yes_no(review.on_schedule), options=choices),
        Row("Berhasil diverifikasi", yes_no(review.verified), options=choices),
        Row("Nama sesuai ketentuan", yes_no(review.named), options=choices),
        Row("Tersimpan aman", yes_no(review.secured), options=choices),
        Row("Kesimpulan (sesuai/tidak sesuai)", review.conclusion, options=("sesuai", "tidak sesuai")),
        Row("Catatan", review.note),
    )
