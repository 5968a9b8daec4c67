"""A verdict as a page in Indonesian, for the artifacts that officials read."""

import re

from recovery.calendar import format_moment, format_number
from recovery.quality.verdict import Check, Verdict

OBJECTS_SHOWN = 50
DETAILS_SHOWN = 100

WORDS = {
    "pass": "LULUS",
    "fail": "GAGAL – hasil backup tidak sama dengan data asal",
    "error": "GALAT – pemeriksa tidak dapat melihat",
}
MARKS = {"pass": "✅ lulus", "fail": "❌ gagal", "error": "⚠️ galat", "warning": "🔶 peringatan"}
NAMES = {
    "tables": "Daftar tabel",
    "indexes": "Daftar indeks",
    "triggers": "Daftar pemicu (trigger)",
    "views": "Daftar tampilan (view)",
    "structure": "Struktur",
    "row_count": "Jumlah baris",
    "fingerprint": "Sidik jari isi",
    "owners": "Pemilik dan grup",
    "size": "Jumlah bita",
    "orphans": "Baris tanpa induk",
    "suite": "Aturan pemilik data",
    "opening": "Pembukaan data",
    "rest": "Pemeriksaan selebihnya",
    "totals": "Jumlah keseluruhan",
    "database": "Pengaturan basis data",
    "schemas": "Daftar skema",
    "relations": "Tabel, tampilan dan kolom",
    "constraints": "Kunci dan syarat",
    "sequences": "Urutan nomor (sequence)",
    "sequence positions": "Kedudukan urutan nomor",
    "rules": "Aturan (rule)",
    "policies": "Kebijakan baris",
    "functions": "Fungsi dan prosedur",
    "types": "Tipe data",
    "extensions": "Ekstensi",
    "extension versions": "Versi ekstensi",
    "event triggers": "Pemicu peristiwa",
    "publications": "Publikasi",
    "subscriptions": "Langganan",
    "statistics": "Statistik tambahan",
    "default privileges": "Hak bawaan",
    "rights": "Hak akses",
    "comments": "Keterangan objek",
    "security labels": "Label keamanan",
    "others": "Objek lain",
    "user mappings": "Pemetaan pengguna",
}


def page(verdict: Verdict, title: str) -> str:
    """Given a verdict, return its page: the word, the counts, the objects (worst first), what is wrong in detail."""
    lines = [
        f"# {title}: {WORDS[verdict.state]}",
        "",
        *_summary(verdict),
        "",
        *_objects(verdict),
        "",
        *_details(verdict),
    ]
    return "\n".join(lines).rstrip() + "\n"


def check_title(check: Check) -> str:
    """Given a check, return what officials call it."""
    return NAMES.get(check.name, f"Aturan pemilik: {check.name}")


def _summary(verdict: Verdict) -> list[str]:
    counts = verdict.counts
    engines = ", ".join(f"{name} {version}" for name, version in sorted(verdict.engines.items()))
    return [
        f"Diperiksa {format_moment(verdict.judged_at)} dengan {engines}.",
        "",
        "| Objek | Pemeriksaan | Lulus | Gagal | Galat | Peringatan |",
        "|---:|---:|---:|---:|---:|---:|",
        "| "
        + " | ".join(format_number(counts[key]) for key in ("objects", "checks", "pass", "fail", "error", "warning"))
        + " |",
    ]


def _objects(verdict: Verdict) -> list[str]:
    grouped = verdict.by_object()
    lines = ["| Objek | Hasil | Baris | Lulus | Gagal | Galat | Peringatan |", "|---|---|---:|---:|---:|---:|---:|"]
    for name, checks in list(grouped.items())[:OBJECTS_SHOWN]:
        kinds = [check.counts_as for check in checks]
        worst = next(kind for kind in ("fail", "error", "warning", "pass") if kind in kinds)
        rows = next((check.observed for check in checks if check.name == "row_count"), "")
        numbers = " | ".join(str(kinds.count(kind)) for kind in ("pass", "fail", "error", "warning"))
        shown = format_number(int(rows)) if rows.isdecimal() else rows
        lines.append(f"| {_code(name)} | {MARKS[worst]} | {shown} | {numbers} |")
    rest = len(grouped) - OBJECTS_SHOWN
    if rest > 0:
        lines += ["", f"… dan {format_number(rest)} objek lain; semuanya tercatat dalam quality.json."]
    return lines


def _details(verdict: Verdict) -> list[str]:
    found = [check for check in verdict.checks if check.counts_as != "pass"]
    if not found:
        return []
    lines = ["## Rincian yang tidak lulus", ""]
    for check in found[:DETAILS_SHOWN]:
        lines.append(
            f"- {MARKS[check.counts_as]} {_code(check.object)} **{check_title(check)}**: {_text(check.message)}"
        )
    rest = len(found) - DETAILS_SHOWN
    if rest > 0:
        lines.append(f"- … dan {format_number(rest)} lainnya; semuanya tercatat dalam quality.json.")
    return lines


def _code(name: str) -> str:
    # A table may be named anything: a bar or a backtick would break the table, a line break the page.
    return "`" + re.sub(r"[\s`]+", " ", name).replace("|", "\\|") + "`"


def _text(text: str) -> str:
    return re.sub(r"([|<>*_`\[\]])", r"\\\1", " ".join(text.split()))
