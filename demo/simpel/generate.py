"""Fill SIMPEL with thousands of invented civil servants; the same seed gives the same rows and files.

python -m demo.simpel.generate --database simpel.db --uploads unggahan
"""

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from demo.simpel.databases import Connection, connect
from demo.simpel.people import (
    BIRTHPLACES,
    FAMILY,
    GRADE_CODES,
    GRADES,
    MEN,
    POSITION_SHARES,
    POSITIONS,
    RELIGIONS,
    UNITS,
    WOMEN,
)
from demo.simpel.schema import TABLES
from demo.simpel.uploads import write_uploads

SEED = 20261120
# The last day that the data knows: "today" would make every run another one.
TODAY = date(2026, 11, 20)
WORKING_DAYS = 10


class Employee(NamedTuple):
    """A row of `pegawai`, in the order of its columns."""

    nip: str
    name: str
    front: str
    back: str
    birthplace: str
    born: str
    sex: str
    religion: str
    unit_id: int
    position_id: int
    grade: str
    hired: str
    salary: int
    mail: str | None
    status: str


def generate(
    database: str | Path, uploads: Path, *, employees: int = 4000, files: int = 1500, seed: int = SEED
) -> dict[str, int]:
    """Given where they go, write database and uploads; return the number of rows per table, files and bytes.

    A SQLite file is made, a server's database must be there and empty. Raises FileExistsError when there is data
    already: data is never generated over data.
    """
    if "://" not in str(database):
        _make_file(Path(database))
    with closing(connect(database)) as connection:
        if connection.tables():
            raise FileExistsError(f"{database} sudah berisi")
        uploads.mkdir(parents=True)
        connection.make_tables()
        with connection.transaction():
            counts = _fill(connection, Random(seed), uploads, employees, files)
            connection.settle()
    return counts


def _make_file(database: Path) -> None:
    if database.exists():
        raise FileExistsError(f"{database} sudah ada")
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _fill(connection: Connection, random: Random, uploads: Path, employees: int, files: int) -> dict[str, int]:
    connection.insert(
        "unit_kerja",
        ((index, unit.code, unit.name, unit.kind, _address(random)) for index, unit in enumerate(UNITS, 1)),
    )
    connection.insert("golongan", ((code, rank, order) for order, (code, rank) in enumerate(GRADES, 1)))
    connection.insert(
        "jabatan",
        ((index, position.name, position.kind, position.level) for index, position in enumerate(POSITIONS, 1)),
    )
    people = list(_employees(random, employees))
    connection.insert("pegawai", people)
    _insert(connection, "riwayat_pangkat", _promotions(random, people))
    _insert(connection, "absensi", _attendance(random, people))
    _insert(connection, "cuti", _leave(random, people))
    _insert(connection, "pengguna", _users(random, people))
    stored = write_uploads(uploads, random, people, files)
    _insert(connection, "dokumen", stored.rows)
    _transfer(connection, random, people)
    counts = {table: connection.value(f"SELECT count(*) FROM {table}") for table in TABLES}  # noqa: S608
    return counts | {"berkas": stored.files, "byte": stored.size}


def _insert(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    connection.insert(table, ((number, *row) for number, row in enumerate(rows, 1)))


def _employees(random: Random, number: int) -> Iterator[Employee]:
    taken: set[str] = set()
    shares = [unit.share for unit in UNITS]
    while len(taken) < number:
        position = random.choices(POSITIONS, POSITION_SHARES)[0]
        unit_id = random.choices(range(1, len(UNITS) + 1), shares)[0]
        lowest, highest = GRADE_CODES.index(position.lowest), GRADE_CODES.index(position.highest)
        grade = GRADE_CODES[random.randint(lowest, highest)]
        born = date(random.randint(1967, 1999), 1, 1) + timedelta(days=random.randrange(365))
        # Hired between 20 and 35, on the first of a month, and never after the data's last year.
        hired = date(min(born.year + random.randint(20, 35), 2025), random.choice((1, 3, 4, 12)), 1)
        sex = random.choice("LP")
        nip = f"{born:%Y%m%d}{hired:%Y%m}{1 if sex == 'L' else 2}{random.randint(1, 30):03d}"
        if nip in taken:
            continue
        taken.add(nip)
        given = random.choice(MEN if sex == "L" else WOMEN)
        name = " ".join(dict.fromkeys((given, *random.sample(FAMILY, random.choice((1, 1, 1, 2))))))
        retired = (TODAY - born).days > 58 * 365.25
        yield Employee(
            nip,
            name,
            random.choice(position.front),
            random.choice(position.back),
            random.choice(BIRTHPLACES),
            born.isoformat(),
            sex,
            random.choices([religion for religion, _ in RELIGIONS], [share for _, share in RELIGIONS])[0],
            unit_id,
            POSITIONS.index(position) + 1,
            grade,
            hired.isoformat(),
            1_685_700 + 165_000 * GRADE_CODES.index(grade) + 45_000 * ((TODAY.year - hired.year) // 2),
            f"{given.lower()}.{nip[8:]}{len(taken)}@contoh.go.id" if random.random() < 0.9 else None,
            "pensiun" if retired else random.choices(("aktif", "tugas belajar"), (98, 2))[0],
        )


def _promotions(random: Random, people: list[Employee]) -> Iterator[tuple[Any, ...]]:
    for person in people:
        last = GRADE_CODES.index(person.grade)
        since = date.fromisoformat(person.hired)
        steps = min(random.randint(0, 5), last, max(0, (TODAY.year - since.year) // 4))
        for step in range(steps + 1):
            begins = since.replace(year=since.year + 4 * step)
            if begins > TODAY:
                break
            number = f"821.{random.randint(11, 29)}/{person.nip[-6:]}.{person.nip[:8]}/{step + 1}/406.204/{begins.year}"
            yield person.nip, GRADE_CODES[last - steps + step], number, begins.isoformat()


def _attendance(random: Random, people: list[Employee]) -> Iterator[tuple[Any, ...]]:
    days = [day for day in (TODAY - timedelta(days=back) for back in range(30, 0, -1)) if day.weekday() < 5]
    for day in days[-WORKING_DAYS:]:
        for person in people:
            if person.status != "aktif" or random.random() < 0.04:
                continue
            machine = f"MSN-{person.unit_id:02d}-{random.randint(1, 3)}"
            came = datetime.combine(day, time(6, 45)) + timedelta(seconds=random.randint(0, 4200))
            yield person.nip, f"{came:%Y-%m-%d %H:%M:%S}", "masuk", machine
            if random.random() < 0.97:
                went = datetime.combine(day, time(16, 0)) + timedelta(seconds=random.randint(0, 5400))
                yield person.nip, f"{went:%Y-%m-%d %H:%M:%S}", "pulang", machine


def _leave(random: Random, people: list[Employee]) -> Iterator[tuple[Any, ...]]:
    reasons = {
        "cuti tahunan": ("keperluan keluarga", "mudik", None, "menghadiri pernikahan saudara di Kediri"),
        "cuti sakit": ("rawat inap", "istirahat atas saran dokter"),
        "cuti melahirkan": ("persalinan",),
        "cuti alasan penting": ("orang tua sakit keras", "ibadah umrah"),
        "cuti besar": ("ibadah haji",),
    }
    lengths = {"cuti tahunan": 6, "cuti sakit": 5, "cuti melahirkan": 90, "cuti alasan penting": 10, "cuti besar": 45}
    for person in random.choices(people, k=len(people)):
        kinds = [kind for kind in reasons if person.sex == "P" or kind != "cuti melahirkan"]
        kind = random.choices(kinds, [60 if name == "cuti tahunan" else 10 for name in kinds])[0]
        begins = TODAY - timedelta(days=random.randint(1, 700))
        ends = begins + timedelta(days=random.randint(1, lengths[kind]) - 1)
        decision = random.choices(("disetujui", "ditolak", "diajukan"), (90, 6, 4))[0]
        yield person.nip, kind, begins.isoformat(), ends.isoformat(), random.choice(reasons[kind]), decision


def _users(random: Random, people: list[Employee]) -> Iterator[tuple[Any, ...]]:
    for index, person in enumerate(random.sample(people, min(len(people), 320))):
        role = "administrator" if index < 3 else "verifikator" if index < 60 else "pegawai"
        yield f"u{person.nip[-4:]}.{index:03d}", person.nip, role, random.randbytes(16), random.randbytes(32), 1


def _transfer(connection: Connection, random: Random, people: list[Employee]) -> None:
    # Through UPDATE, so that the audit trigger writes its rows; its clock is not ours, so the time is set afterwards.
    for person in random.sample(people, len(people) // 40):
        unit_id = person.unit_id % len(UNITS) + 1
        connection.change("UPDATE pegawai SET unit_id = ? WHERE nip = ?", (unit_id, person.nip))
    begun = datetime.combine(TODAY, time(8))
    for (number,) in connection.rows("SELECT id FROM catatan_audit ORDER BY id"):
        at = begun + timedelta(seconds=number * 97)
        connection.change("UPDATE catatan_audit SET waktu = ? WHERE id = ?", (f"{at:%Y-%m-%d %H:%M:%S}", number))


def _address(random: Random) -> str:
    street = random.choice(("Soekarno-Hatta", "Panglima Sudirman", "dr. Sutomo", "R.A. Kartini", "Brigjen Soetran"))
    return f"Jalan {street} Nomor {random.randint(1, 180)}, Trenggalek"


def main(arguments: list[str] | None = None) -> int:
    """Generate what the command line asks for and print the counts as JSON; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.simpel.generate", description="Isi SIMPEL dengan data contoh."
    )
    parser.add_argument("--database", required=True)
    parser.add_argument("--uploads", type=Path, required=True)
    parser.add_argument("--employees", type=int, default=4000)
    parser.add_argument("--files", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args(arguments)
    try:
        counts = generate(given.database, given.uploads, employees=given.employees, files=given.files, seed=given.seed)
    except FileExistsError as error:
        print(f"tidak dibuat: {error}", file=sys.stderr)
        return 2
    print(json.dumps(counts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
