"""Berita Acara Gladi Restore: which copies were taken out of the stores and restored, and what came of each."""

from dataclasses import dataclass

from recovery.calendar import format_number, format_period
from recovery.errors import FormError
from recovery.forms.model import (
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

TITLE = "Berita Acara Gladi Restore"
# The three verdicts are never merged.
VERDICTS = {"pass": "LULUS", "fail": "GAGAL", "error": "TIDAK DAPAT DIPERIKSA"}


@dataclass(frozen=True, kw_only=True)
class DrilledComponent:
    """One component. `verdict`: a key of VERDICTS; `error`: why it did not pass; `name`, `moment`, `sha256`: of the
    backup that was taken; `location`: where its copy lay; `objects`: what was compared; `checks`: how it was judged;
    `last_passed`: when a drill of the component passed last, this one not counted."""

    application: str
    component: str
    verdict: str
    error: str = ""
    name: str = ""
    moment: str = ""
    location: str = ""
    sha256: str = ""
    objects: int | None = None
    objects_unit: str = ""
    checks: str = ""
    begun_at: str = ""
    ended_at: str = ""
    last_passed: str = ""


@dataclass(frozen=True, kw_only=True)
class DrillForm:
    """A drill. `basis`: the schedule, or who asked; `started_at`, `ended_at`: ISO UTC."""

    basis: str
    started_at: str
    ended_at: str
    execution_id: str
    components: tuple[DrilledComponent, ...]
    executor: Official
    reviewer: Official


def build(document: Document, form: DrillForm) -> FormFacts:
    """Given a drill, return the form. Raises FormError for a drill of nothing or an unknown verdict."""
    if not form.components:
        raise FormError("a drill needs at least one component")
    for entry in form.components:
        if entry.verdict not in VERDICTS:
            raise FormError(f"{entry.verdict!r} is not the verdict of a drill")
    return FormFacts(
        kind="drill",
        title=TITLE,
        document=document,
        sections=(
            Section("A", "Identitas", (Block("", _identity(document, form)),)),
            Section("B", "Cadangan yang diuji", tuple(_component(*pair) for pair in enumerate(form.components, 1))),
            Section("C", "Kesimpulan dan tindak lanjut", (Block("", _conclusion(form)),)),
        ),
        signatures=(
            signature_box("Pelaksana", "TTE_Pelaksana", form.executor, document, day=form.ended_at),
            signature_box("Kabid Aptika (mengetahui)", "TTE_Kabid", form.reviewer, document),
        ),
        notes=notes_for(document, approvals=False),
    )


def _identity(document: Document, form: DrillForm) -> tuple[Row, ...]:
    return (
        Row("Nomor berita acara", document.number),
        Row("Dasar", form.basis),
        Row("Waktu mulai–selesai", format_period(form.started_at, form.ended_at)),
        Row("ID eksekusi", form.execution_id, style="code"),
        Row(
            "Cara",
            "Salinan diambil dari tempat penyimpanan, tanda tangan dan sidik digital dicocokkan, dibuka dengan kunci "
            "operasional, dimuat ke salinan uji, lalu dinilai. Data dan layanan yang berjalan tidak disentuh.",
        ),
    )


def _component(number: int, entry: DrilledComponent) -> Block:
    objects = "" if entry.objects is None else f"{format_number(entry.objects)} {entry.objects_unit}".strip()
    return Block(
        f"Komponen {number}: {entry.application} – {entry.component}",
        (
            Row("Hasil", lines(VERDICTS[entry.verdict], entry.error), style="strong"),
            Row("Nama berkas cadangan", entry.name, style="code"),
            Row("Titik pulih", entry.moment),
            Row("Lokasi salinan", entry.location),
            Row("SHA-256 manifes", entry.sha256, style="code"),
            Row("Jumlah objek", objects),
            Row("Cara dan hasil pemeriksaan", entry.checks),
            Row("Waktu mulai–selesai", format_period(entry.begun_at, entry.ended_at) if entry.begun_at else ""),
            Row("Lulus terakhir sebelum ini", entry.last_passed),
        ),
    )


def _conclusion(form: DrillForm) -> tuple[Row, ...]:
    wrong = [entry for entry in form.components if entry.verdict != "pass"]
    counted = f"{len(form.components) - len(wrong)} dari {len(form.components)} komponen LULUS"
    named = [f"{entry.application} – {entry.component}: {VERDICTS[entry.verdict]}" for entry in wrong]
    follow_up = [
        "Salinan yang gagal diperiksa di tempat penyimpanan lain, lalu dibuat cadangan baru."
        if any(entry.verdict == "fail" for entry in wrong)
        else "",
        "Sebab yang menghalangi pemeriksaan diperbaiki, lalu gladi restore diulang."
        if any(entry.verdict == "error" for entry in wrong)
        else "",
    ]
    return (Row("Kesimpulan", lines(counted, *named), style="strong"), Row("Tindak lanjut", lines(*follow_up)))
