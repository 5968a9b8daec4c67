"""SIMPEL's uploads: decrees and certificates of the employees, in folders per year and unit."""

import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol

from demo.simpel.people import UNITS

YEARS = range(2019, 2027)
KINDS = (
    ("SK Kenaikan Pangkat", "pdf"),
    ("SK Mutasi", "pdf"),
    ("Ijazah", "jpg"),
    ("Sertifikat Diklat", "jpg"),
    ("Surat Cuti", "txt"),
    ("Daftar Riwayat Hidup (asli)", "pdf"),
)
# Fixed, so that a tree that was generated twice is the same tree.
MODIFIED = 1_795_132_800


class Person(Protocol):
    """What an upload needs to know of an employee."""

    @property
    def nip(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def unit_id(self) -> int: ...


@dataclass
class Stored:
    """What was written: rows for the table `dokumen`, the number of files and their bytes."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    files: int = 0
    size: int = 0


def write_uploads(root: Path, random: Random, people: list[Any], number: int) -> Stored:
    """Given the root, write `number` files, and what a real tree has besides: links, empty folders, odd names."""
    stored = Stored()
    for index in range(number):
        person: Person = random.choice(people)
        kind, suffix = KINDS[random.choices(range(len(KINDS)), (30, 15, 15, 15, 15, 10))[0]]
        year = random.choice(YEARS)
        folder = root / str(year) / UNITS[person.unit_id - 1].code
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{kind} – {person.name} ({index + 1:04d}).{suffix}"
        content = document(random, suffix, kind, person.name)
        path.write_bytes(content)
        day = f"{year}-{random.randint(1, 10):02d}-{random.randint(1, 28):02d} 09:{random.randint(0, 59):02d}:00"
        stored.rows.append((person.nip, kind, str(path.relative_to(root)), len(content), day))
        stored.files += 1
        stored.size += len(content)
    _oddities(root, stored)
    _settle(root)
    return stored


def document(random: Random, suffix: str, kind: str, name: str) -> bytes:
    """Given a suffix, return a small file of that kind: text, a PDF that opens, or bytes between JPEG's markers."""
    if suffix == "txt":
        paragraph = f"{kind}\nNama: {name}\nDengan ini diberikan {kind.lower()} sesuai ketentuan yang berlaku.\n"
        return (paragraph * random.randint(3, 60)).encode()
    payload = random.randbytes(random.randint(4_000, 52_000))
    if suffix == "jpg":
        # Bytes that do not compress, as in a scan; a real decoder would stop at the first marker inside.
        return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + payload + b"\xff\xd9"
    return _pdf(f"{kind} - {name}", payload)


def _pdf(title: str, payload: bytes) -> bytes:
    text = title.encode("latin-1", "replace").replace(b"(", b"\\(").replace(b")", b"\\)")
    page = zlib.compress(b"BT /F1 14 Tf 72 760 Td (" + text + b") Tj ET")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        # The scan behind the page: an embedded stream that no page shows.
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(payload), payload),
    )
    content = bytearray(b"%PDF-1.4\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(content)
    content += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    content += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    content += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return bytes(content)


def _oddities(root: Path, stored: Stored) -> None:
    """Write what a tree collects over the years and what a careless backup loses."""
    templates = root / "_templat"
    templates.mkdir()
    original = templates / "Naskah Dinas ‘Surat Tugas’ – édisi résmi.txt"
    original.write_text("Kop surat, nomor, dasar, untuk.\n", encoding="utf-8")
    (templates / "  spasi di depan & di belakang .txt").write_text("Nama dengan spasi.\n", encoding="utf-8")
    (templates / "kosong.txt").write_bytes(b"")
    (templates / "jalankan-ocr.sh").write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    (templates / "jalankan-ocr.sh").chmod(0o750)
    (templates / "tautan keras.txt").hardlink_to(original)
    (root / "terbaru").symlink_to("2026")
    (templates / "tautan putus").symlink_to("../2018/sudah dipindahkan.pdf")
    (root / "2027" / "menunggu verifikasi").mkdir(parents=True)
    (root / "_sampah").mkdir(mode=0o700)
    stored.files += 4
    stored.size += sum(
        path.stat().st_size for path in templates.iterdir() if path.is_file() and path.stat().st_nlink == 1
    )
    stored.size += original.stat().st_size


def _settle(root: Path) -> None:
    # Children first: writing into a folder changes the folder's own time.
    for folder, names, files in os.walk(root, topdown=False):
        for name in (*files, *names):
            os.utime(Path(folder, name), (MODIFIED, MODIFIED), follow_symlinks=False)
    os.utime(root, (MODIFIED, MODIFIED))
