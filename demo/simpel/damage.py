"""Do to SIMPEL what happens to real systems: a table dropped, an UPDATE without WHERE, a folder of files deleted.

python -m demo.simpel.damage --database simpel.db --uploads unggahan
"""

import argparse
import shutil
import sys
from contextlib import closing
from pathlib import Path

from demo.simpel.databases import DatabaseError, connect

KINDS = ("tabel", "baris", "berkas")


def damage(database: str | Path, uploads: Path, kinds: tuple[str, ...] = KINDS) -> list[str]:
    """Given where the data is, damage it in the named ways; return one Indonesian sentence for each.

    There is no way back but a backup.
    """
    ways = {
        "tabel": lambda: _drop_table(database),
        "baris": lambda: _overwrite_rows(database),
        "berkas": lambda: _delete_files(uploads),
    }
    return [ways[kind]() for kind in kinds]


def _drop_table(database: str | Path) -> str:
    with closing(connect(database)) as connection:
        lost = connection.value("SELECT count(*) FROM riwayat_pangkat")
        connection.change("DROP TABLE riwayat_pangkat")
    return f"Tabel riwayat_pangkat dihapus: {_number(lost)} baris hilang."


def _overwrite_rows(database: str | Path) -> str:
    with closing(connect(database)) as connection, connection.transaction():
        # The classic: the WHERE that was forgotten.
        changed = connection.change(
            "UPDATE pegawai SET golongan = 'I/a', gaji_pokok = 0, jabatan_id = (SELECT min(id) FROM jabatan)"
        )
        lost = connection.change("DELETE FROM absensi WHERE id % 3 = 0")
    return (
        f"UPDATE tanpa WHERE: golongan, gaji pokok dan jabatan {_number(changed)} pegawai tertimpa; "
        f"{_number(lost)} baris absensi terhapus."
    )


def _delete_files(uploads: Path) -> str:
    folders = sorted(path for path in uploads.iterdir() if path.is_dir() and path.name.isdecimal())
    # The fullest year: somebody cleaned up the wrong folder.
    folder = max(folders, key=lambda path: sum(1 for child in path.rglob("*") if child.is_file()))
    lost = sum(1 for child in folder.rglob("*") if child.is_file())
    shutil.rmtree(folder)
    return f"Folder unggahan {folder.name} dihapus beserta isinya: {_number(lost)} berkas hilang."


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")


def main(arguments: list[str] | None = None) -> int:
    """Damage what the command line names, say what was done, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.simpel.damage", description="MERUSAK data SIMPEL. Hanya cadangan yang dapat memulihkannya."
    )
    parser.add_argument("--database", required=True)
    parser.add_argument("--uploads", type=Path, required=True)
    parser.add_argument("--kind", choices=KINDS, action="append", help="bagian yang dirusak; tanpa ini semuanya")
    given = parser.parse_args(arguments)
    try:
        sentences = damage(given.database, given.uploads, tuple(given.kind or KINDS))
    except (DatabaseError, OSError, ValueError) as error:
        print(f"tidak dapat dirusak: {error}", file=sys.stderr)
        return 1
    print("\n".join(sentences))
    return 0


if __name__ == "__main__":
    sys.exit(main())
