"""What can be wrong with the copy of a SQLite database, and what the judge must say of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from recovery.quality.results import DATABASE
from tests.recovery.sabotage.proving import Failed

SCHEMA = (
    "CREATE TABLE pegawai (id INTEGER PRIMARY KEY, nama TEXT NOT NULL, golongan TEXT COLLATE NOCASE, gaji, catatan)",
    "CREATE TABLE pensiun (id INTEGER PRIMARY KEY, nama TEXT NOT NULL, golongan TEXT COLLATE NOCASE, gaji, catatan)",
    "CREATE TABLE kode (kode TEXT PRIMARY KEY, isi TEXT) WITHOUT ROWID",
    "CREATE TABLE log (waktu TEXT, isi TEXT)",
    "CREATE TABLE surat (id INTEGER PRIMARY KEY AUTOINCREMENT, nomor TEXT)",
    "CREATE INDEX pegawai_nama ON pegawai (nama)",
    "CREATE TRIGGER catat AFTER DELETE ON surat BEGIN INSERT INTO log VALUES ('-', old.nomor); END",
    "CREATE VIEW kaya AS SELECT nama FROM pegawai WHERE gaji > 50000",
    "CREATE VIRTUAL TABLE cari USING fts5(isi)",
)
OTHER_VIEW = "CREATE VIEW kaya AS SELECT nama FROM pegawai WHERE gaji > 5000"
RECREATED_KODE = (
    "CREATE TABLE lain (kode TEXT PRIMARY KEY DESC, isi TEXT) WITHOUT ROWID",
    "INSERT INTO lain SELECT * FROM kode",
    "DROP TABLE kode",
    "ALTER TABLE lain RENAME TO kode",
)
EXCHANGE = (
    "CREATE TEMP TABLE antara AS SELECT * FROM pegawai",
    "DELETE FROM pegawai",
    "INSERT INTO pegawai SELECT * FROM pensiun",
    "DELETE FROM pensiun",
    "INSERT INTO pensiun SELECT * FROM antara",
)
REORDERED_KODE = (
    "CREATE TEMP TABLE antara AS SELECT * FROM kode ORDER BY kode DESC",
    "DELETE FROM kode",
    "INSERT INTO kode SELECT * FROM antara ORDER BY rowid",
)


def write_database(path: Path, *, person: str = "Pegawai", people: int = 60, more: tuple[str, ...] = ()) -> None:
    """Make the database that is backed up, or one of the same schema with other people in it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in ("PRAGMA page_size = 1024", "PRAGMA user_version = 7", *SCHEMA, "BEGIN"):
            connection.execute(statement)
        for table, offset in (("pegawai", 0), ("pensiun", 1000)):
            connection.executemany(
                f"INSERT INTO {table} VALUES (?, ?, 'IIIa', ?, NULL)",
                [(number, f"{person} {number + offset}", number * 1000) for number in range(1, people + 1)],
            )
        connection.executemany("INSERT INTO kode VALUES (?, ?)", [(f"K{n:02}", f"isi {n}") for n in range(20)])
        connection.executemany("INSERT INTO log VALUES (?, ?)", [(f"2026-11-{n:02}", "masuk") for n in range(1, 21)])
        connection.executemany("INSERT INTO surat (nomor) VALUES (?)", [(f"800/{n}",) for n in range(10)])
        connection.executemany("INSERT INTO cari VALUES (?)", [("surat keputusan",), ("nota dinas",)])
        for statement in (*more, "COMMIT"):
            connection.execute(statement)


@dataclass(frozen=True)
class Bad:
    """One way to spoil a copy, and checks that must fail for it; others may fail with them."""

    name: str
    sabotage: Callable[[Path], object]
    fails: tuple[Failed, ...]


def sql(name: str, *statements: str, fails: tuple[Failed, ...]) -> Bad:
    return Bad(name, lambda copy: spoil(copy, *statements), fails)


def spoil(copy: Path, *statements: str) -> None:
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def redefine(copy: Path, old: str, new: str) -> None:
    """Change a definition behind SQLite's back, as a damaged or doctored file has it."""
    spoil(
        copy,
        "PRAGMA writable_schema = ON",
        f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = 'pegawai'",
    )


def replace(copy: Path, write: Callable[[Path], object]) -> None:
    copy.unlink()
    write(copy)


def write_empty(path: Path) -> None:
    spoil(path, "PRAGMA page_size = 1024", "CREATE TABLE x (y)", "DROP TABLE x")


def write_stale(path: Path) -> None:
    write_database(path, people=59)


def write_backdated(path: Path) -> None:
    # As many rows as now: only their content is of yesterday.
    write_database(path, more=("UPDATE pegawai SET gaji = gaji - 1 WHERE id % 7 = 0",))


def cut(copy: Path, size: int) -> None:
    content = copy.read_bytes()
    copy.write_bytes(content[: size if size >= 0 else len(content) + size])


def flip(copy: Path, position: int, bit: int = 0) -> None:
    content = bytearray(copy.read_bytes())
    content[position] ^= 1 << bit
    copy.write_bytes(content)


def flip_in(copy: Path, text: bytes) -> None:
    content = copy.read_bytes()
    flip(copy, content.rindex(text) + len(text) - 1)


def without_page(copy: Path, number: int) -> None:
    content = bytearray(copy.read_bytes())
    content[(number - 1) * 1024 : number * 1024] = bytes(1024)
    copy.write_bytes(content)


UNREADABLE = (("tables", DATABASE), ("integrity", "sqlite"))
PEGAWAI = ("fingerprint", "pegawai")
STRUCTURE = ("structure", DATABASE)
TOTALS = ("totals", DATABASE)

BAD = (
    # --- another database -----------------------------------------------------------------------------------------
    Bad("nothing at all", lambda c: c.write_bytes(b""), UNREADABLE[1:]),
    Bad("an empty but valid database", lambda c: replace(c, write_empty), (("tables", DATABASE), TOTALS, PEGAWAI)),
    Bad(
        "the wrong database: the same schema with other rows",
        lambda c: replace(c, lambda path: write_database(path, person="Warga")),
        (PEGAWAI, ("fingerprint", "pensiun")),
    ),
    Bad("a stale dump with fewer rows", lambda c: replace(c, write_stale), (("row_count", "pegawai"), PEGAWAI, TOTALS)),
    Bad("a stale dump with as many rows", lambda c: replace(c, write_backdated), (PEGAWAI,)),
    Bad("text in place of a database", lambda c: c.write_bytes(b"-- PostgreSQL database dump\n" * 200), UNREADABLE),
    # --- damaged bytes --------------------------------------------------------------------------------------------
    *(
        Bad(f"cut to {size} bytes" if size >= 0 else f"cut by {-size} bytes", lambda c, s=size: cut(c, s), fails)
        for size, fails in ((50, UNREADABLE[1:]), (100, UNREADABLE[1:]), (1024, UNREADABLE), (-1024, ()), (-1, ()))
    ),
    *(
        Bad(f"a flipped bit in byte {position} of the header", lambda c, p=position: flip(c, p), UNREADABLE[1:])
        for position in (0, 16, 21, 47)
    ),
    Bad("a flipped bit in the schema", lambda c: flip_in(c, b"CREATE TABLE pensiun"), UNREADABLE[1:]),
    Bad("a flipped bit in a row", lambda c: flip_in(c, b"Pegawai 30"), (PEGAWAI,)),
    Bad("a flipped bit in an index only", lambda c: flip(c, c.read_bytes().rindex(b"Pegawai 45")), ()),
    Bad("a flipped bit at the very end", lambda c: flip(c, c.stat().st_size - 1), ()),
    Bad("a page of zeros in the middle", lambda c: without_page(c, c.stat().st_size // 2048), ()),
    # --- rows -----------------------------------------------------------------------------------------------------
    sql("two tables' contents exchanged", *EXCHANGE, fails=(PEGAWAI, ("fingerprint", "pensiun"))),
    sql(
        "a table's rows duplicated",
        "INSERT INTO log SELECT * FROM log",
        fails=(("row_count", "log"), ("fingerprint", "log"), TOTALS),
    ),
    sql("one row twice and another gone", "UPDATE log SET waktu = '2026-11-01' WHERE rowid = 2", fails=()),
    sql("one character", "UPDATE pegawai SET nama = 'Pegawai 3O' WHERE id = 30", fails=(PEGAWAI,)),
    sql("upper case", "UPDATE pegawai SET golongan = 'IIIA' WHERE id = 5", fails=(PEGAWAI,)),
    sql("a trailing blank", "UPDATE pegawai SET nama = nama || ' ' WHERE id = 5", fails=(PEGAWAI,)),
    sql("an integer as text", "UPDATE pegawai SET gaji = '5000' WHERE id = 5", fails=(PEGAWAI,)),
    sql("an integer as float", "UPDATE pegawai SET gaji = 5000.0 WHERE id = 5", fails=(PEGAWAI,)),
    sql("a text as blob", "UPDATE pegawai SET nama = CAST(nama AS BLOB) WHERE id = 5", fails=(PEGAWAI,)),
    sql("NULL as empty text", "UPDATE pegawai SET catatan = '' WHERE id = 5", fails=(PEGAWAI,)),
    sql("NULL as zero", "UPDATE pegawai SET catatan = 0 WHERE id = 5", fails=(PEGAWAI,)),
    sql("text behind a NUL", "UPDATE pegawai SET nama = nama || char(0) || 'x' WHERE id = 5", fails=(PEGAWAI,)),
    sql("rows in another order", "UPDATE log SET rowid = 100 WHERE rowid = 1", fails=(("fingerprint", "log"),)),
    sql("a counter set back", "UPDATE sqlite_sequence SET seq = 0", fails=(("fingerprint", "sqlite_sequence"),)),
    sql("a row lost in a full-text index", "DELETE FROM cari WHERE rowid = 2", fails=(("row_count", "cari_content"),)),
    sql("rows lost in a table without rowid", "DELETE FROM kode WHERE kode > 'K1'", fails=(("row_count", "kode"),)),
    # --- what lives beside the rows -------------------------------------------------------------------------------
    sql("an index lost", "DROP INDEX pegawai_nama", fails=(("indexes", DATABASE), STRUCTURE)),
    sql("a trigger lost", "DROP TRIGGER catat", fails=(("triggers", DATABASE), STRUCTURE)),
    sql("a view lost", "DROP VIEW kaya", fails=(("views", DATABASE), STRUCTURE)),
    sql(
        "a trigger added",
        "CREATE TRIGGER intai AFTER UPDATE ON pegawai BEGIN DELETE FROM log; END",
        fails=(("triggers", DATABASE), STRUCTURE),
    ),
    sql("a view changed", "DROP VIEW kaya", OTHER_VIEW, fails=(("views", DATABASE), STRUCTURE)),
    sql("a table lost", "DROP TABLE pensiun", fails=(("tables", DATABASE), ("row_count", "pensiun"))),
    sql("a table added", "CREATE TABLE titipan (x)", fails=(("tables", DATABASE), TOTALS)),
    sql("a column added", "ALTER TABLE surat ADD COLUMN x", fails=(("structure", "surat"),)),
    Bad(
        "a collation changed",
        lambda c: redefine(c, "COLLATE NOCASE", "COLLATE BINARY"),
        (("structure", "pegawai"), STRUCTURE),
    ),
    Bad("NOT NULL lost", lambda c: redefine(c, " NOT NULL", ""), (("structure", "pegawai"), STRUCTURE)),
    sql("user_version changed", "PRAGMA user_version = 8", fails=(STRUCTURE,)),
    sql("application_id changed", "PRAGMA application_id = 1", fails=(STRUCTURE,)),
    sql("another page size", "PRAGMA page_size = 4096", "VACUUM", fails=(STRUCTURE,)),
    sql("a table without rowid in another order", *RECREATED_KODE, fails=(("structure", "kode"),)),
)

# Other bytes, the same content: no alarm. That not even these bytes were touched is what the SHA-256 of the parts says.
HARMLESS = (
    sql("rows written anew with what they held", "UPDATE pegawai SET nama = nama, gaji = gaji", fails=()),
    sql("a table without rowid filled in another order", *REORDERED_KODE, fails=()),
    # SQLite itself renumbers such rows when it vacuums, so no application may rely on the number.
    sql("numbers of rows that the table does not declare", "UPDATE log SET rowid = rowid + 500", fails=()),
    # What the file remembers of its journal; the swap sets the live database's own mode again.
    sql("another journal mode", "PRAGMA journal_mode = WAL", "PRAGMA wal_checkpoint(TRUNCATE)", fails=()),
)

QUICK = (
    "nothing at all",
    "an empty but valid database",
    "the wrong database: the same schema with other rows",
    "a stale dump with as many rows",
    "cut to 1024 bytes",
    "a flipped bit in the schema",
    "two tables' contents exchanged",
    "a collation changed",
    "a table without rowid filled in another order",
)
