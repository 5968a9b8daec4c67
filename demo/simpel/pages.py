"""SIMPEL's pages."""

from collections.abc import Iterable, Sequence
from html import escape

from demo.simpel.databases import Row

_STYLE = """
body{font-family:system-ui,sans-serif;margin:0;color:#1d2733;background:#f3f5f8}
header{background:#0b4f8a;color:#fff;padding:14px 28px}header a{color:#fff;text-decoration:none}
header small{display:block;opacity:.8}main{padding:20px 28px;max-width:1180px}
table{border-collapse:collapse;background:#fff;width:100%;margin:8px 0 22px;box-shadow:0 1px 2px #0002}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid #e3e7ec;font-size:14px}th{background:#e8eef5}
.kartu{display:flex;flex-wrap:wrap;gap:12px}.kartu div{background:#fff;padding:10px 16px;min-width:110px;
box-shadow:0 1px 2px #0002}.kartu b{display:block;font-size:22px}h2{font-size:17px;margin:18px 0 4px}
input{padding:6px 10px;width:320px}button{padding:6px 14px}
"""
_TITLES = {
    "pegawai": "Pegawai",
    "unit_kerja": "Unit kerja",
    "riwayat_pangkat": "Riwayat pangkat",
    "absensi": "Absensi",
    "cuti": "Cuti",
    "dokumen": "Dokumen",
    "pengguna": "Pengguna",
}


def home(counts: dict[str, int], attendance: list[Row], documents: list[Row], units: list[Row]) -> str:
    """Given counts and the last entries, return the first page."""
    cards = "".join(
        f'<div id="jumlah-{name}">{title}<b>{_number(counts[name])}</b></div>' for name, title in _TITLES.items()
    )
    return _page(
        f'<div class="kartu">{cards}</div>{_SEARCH.format("")}'
        "<h2>Absensi terakhir</h2>"
        + _table(("Waktu", "Jenis", "Nama", "Unit kerja"), attendance)
        + "<h2>Dokumen terakhir</h2>"
        + _table(("Waktu", "Jenis", "Nama", "Ukuran (bita)"), documents)
        + "<h2>Unit kerja terbesar</h2>"
        + _table(("Nomor", "Unit kerja", "Pegawai aktif", "Perempuan"), units)
    )


def employees(wanted: str, rows: list[Row]) -> str:
    """Given what was searched and what was found, return the list of employees."""
    shown = [(row["nip"], _full_name(row), row["golongan"], row["jabatan"], row["unit"]) for row in rows]
    found = f"<p>{_number(len(rows))} pegawai ditampilkan (paling banyak 100).</p>"
    head = ("NIP", "Nama", "Golongan", "Jabatan", "Unit kerja")
    return _page(_SEARCH.format(escape(wanted, quote=True)) + found + _table(head, shown))


_SEARCH = (
    '<form action="/pegawai" method="get"><h2>Cari pegawai</h2>'
    '<input name="cari" value="{}" placeholder="Nama atau NIP"> <button>Cari</button></form>'
)


def _full_name(row: Row) -> str:
    name = f"{row['gelar_depan']} {row['nama']}".strip()
    return f"{name}, {row['gelar_belakang']}" if row["gelar_belakang"] else name


def _table(head: tuple[str, ...], rows: Sequence[Iterable[object]]) -> str:
    titles = "".join(f"<th>{title}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(value))}</td>" for value in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _page(content: str) -> str:
    return (
        '<!DOCTYPE html><html lang="id"><head><meta charset="utf-8"><title>SIMPEL</title>'
        f"<style>{_STYLE}</style></head><body><header><a href='/'><strong>SIMPEL</strong></a>"
        "<small>Sistem Informasi Manajemen Kepegawaian – data contoh, semua orang rekaan</small></header>"
        f"<main>{content}</main></body></html>"
    )


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")
