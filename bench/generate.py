"""Makes data for benchmarks: a SQLite database or a directory tree, half of it compressible, as office data is.

    python bench/generate.py sqlite PATH --mebibytes 1024
    python bench/generate.py tree PATH --mebibytes 1024 --files 5000

The same arguments give the same content, so that figures of different days are of the same data.
"""

import argparse
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

MEBIBYTE = 1 << 20
WORDS = [
    "pegawai",
    "dinas",
    "komunikasi",
    "informatika",
    "kabupaten",
    "trenggalek",
    "surat",
    "keputusan",
    "nomor",
    "tahun",
    "jabatan",
    "golongan",
    "unit",
    "kerja",
    "pangkat",
    "mutasi",
    "kenaikan",
    "gaji",
    "berkala",
    "cuti",
    "tahunan",
    "riwayat",
    "pendidikan",
    "diklat",
    "penilaian",
    "kinerja",
    "arsip",
    "berkas",
]


def sqlite(path: Path, mebibytes: int, seed: int = 1) -> None:
    """Given a new file's path and a size, write a database of about that size: persons, letters and scans."""
    source = random.Random(seed)
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        PRAGMA journal_mode = WAL;
        CREATE TABLE pegawai (nip TEXT PRIMARY KEY, nama TEXT NOT NULL, jabatan TEXT, gaji INTEGER, lahir TEXT);
        CREATE TABLE surat (id INTEGER PRIMARY KEY, nip TEXT REFERENCES pegawai, isi TEXT, dibuat TEXT);
        CREATE TABLE pindaian (id INTEGER PRIMARY KEY, surat INTEGER REFERENCES surat, berkas BLOB);
        CREATE INDEX surat_nip ON surat (nip);
        """
    )
    number = 0
    while path.stat().st_size + _size(path.with_name(path.name + "-wal")) < mebibytes * MEBIBYTE:
        with connection:
            for _ in range(500):
                number += 1
                nip = f"{number:018}"
                person = (nip, _text(source, 3), _text(source, 4), source.randrange(2_000_000, 9_000_000), "1990-01-01")
                connection.execute("INSERT INTO pegawai VALUES (?, ?, ?, ?, ?)", person)
                connection.execute(
                    "INSERT INTO surat VALUES (?, ?, ?, ?)", (number, nip, _text(source, 300), "2026-11-20T15:00:03")
                )
                connection.execute("INSERT INTO pindaian VALUES (?, ?, ?)", (number, number, source.randbytes(1800)))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def tree(path: Path, mebibytes: int, files: int, seed: int = 1) -> None:
    """Given a new directory's path, a size and a number, write so many files of differing sizes into 50 folders."""
    source = random.Random(seed)
    # Sizes as in real trees: many small files, few large ones; scaled so that together they have the size asked for.
    weights = [source.lognormvariate(0, 1.5) for _ in range(files)]
    scale = mebibytes * MEBIBYTE / sum(weights)
    for number, weight in enumerate(weights):
        folder = path / f"{2020 + number % 5}" / f"{number % 50:02}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"berkas-{number:05}.pdf").open("wb") as file:
            for piece in _pieces(source, int(weight * scale)):
                file.write(piece)


def _pieces(source: random.Random, size: int) -> Iterator[bytes]:
    """Yield so many bytes, half of them random and half of them text."""
    while size > 0:
        piece = source.randbytes(2048) + _text(source, 330).encode()[:2048].ljust(2048)
        yield piece[:size]
        size -= len(piece)


def _text(source: random.Random, words: int) -> str:
    return " ".join(source.choices(WORDS, k=words))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def main() -> None:
    """Read the arguments and make what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["sqlite", "tree"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--mebibytes", type=int, default=1024)
    parser.add_argument("--files", type=int, default=5000)
    arguments = parser.parse_args()
    if arguments.path.exists():
        parser.error(f"{arguments.path} exists already")
    if arguments.kind == "sqlite":
        sqlite(arguments.path, arguments.mebibytes)
    else:
        tree(arguments.path, arguments.mebibytes, arguments.files)


if __name__ == "__main__":
    main()
