"""Databases of many shapes that are in order: each must be backed up and proven without a false alarm."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """A kind of source, and what makes one."""

    name: str
    make: Callable[[Path], object]


def sql(name: str, *statements: str) -> Shape:
    return Shape(name, lambda path: _execute(path, statements))


def rows(name: str, table: str, values: list[tuple[object, ...]]) -> Shape:
    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(table)
            connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(values[0]))})", values)

    return Shape(name, make)


def _execute(path: Path, statements: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.create_collation("urut", lambda one, two: (one > two) - (one < two))
        connection.create_function("nip_sah", 1, lambda nip: True, deterministic=True)
        for statement in statements:
            connection.execute(statement)


def _many_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in range(500):
            connection.execute(f"CREATE TABLE tabel_{number} (id INTEGER PRIMARY KEY, isi TEXT)")
            connection.execute(f"INSERT INTO tabel_{number} VALUES ({number}, 'x')")


def _wide(path: Path) -> None:
    columns = ", ".join(f"kolom_{number} TEXT DEFAULT 'x'" for number in range(1500))
    _execute(path, (f"CREATE TABLE lebar ({columns})", "INSERT INTO lebar DEFAULT VALUES"))


def _older_characters(path: Path) -> None:
    # ISO 8859-1 in rows, in a definition's comment and in a default: written by programs of before UTF-8.
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE lama (id INTEGER PRIMARY KEY, nama TEXT DEFAULT 'tanpa' /* Jos? */)")
        connection.execute("INSERT INTO lama VALUES (1, CAST(x'4a6f73e9' AS TEXT)), (2, 'José')")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"/* Jos? */", b"/* Jos\xe9 */"))


def _left_in_wal(path: Path) -> None:
    # What an application that died leaves: the newest rows stand in the write-ahead log only.
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode = WAL", "PRAGMA wal_autocheckpoint = 0", "CREATE TABLE t (x)"):
        connection.execute(statement).fetchall()
    connection.execute("INSERT INTO t VALUES (1)")
    wal = path.with_name(path.name + "-wal").read_bytes()
    content = path.read_bytes()
    connection.close()
    path.write_bytes(content)
    path.with_name(path.name + "-wal").write_bytes(wal)


GOOD_DATABASES = (
    sql("without any table", "PRAGMA user_version = 1"),
    sql("an empty table", "CREATE TABLE t (id INTEGER PRIMARY KEY, x)"),
    Shape("five hundred tables", _many_tables),
    Shape("a table of 1500 columns", _wide),
    rows("blobs of every size", "CREATE TABLE t (x)", [(os.urandom(size),) for size in (0, 1, 511, 4096, 65_537)]),
    rows("a row of eight megabytes", "CREATE TABLE t (x, y)", [("x" * (8 << 20), bytes(1 << 20))]),
    rows(
        "every type and its extremes",
        "CREATE TABLE t (x)",
        [
            (None,),
            (0,),
            (0.0,),
            ("",),
            (b"",),
            (2**63 - 1,),
            (-(2**63),),
            (1e308,),
            (-5e-324,),
            ("0",),
            (float("inf"),),
        ],
    ),
    rows(
        "text of the whole world",
        "CREATE TABLE t (x TEXT)",
        [
            ("👩‍👩‍👧‍👦 🇮🇩",),
            ("ꦲꦏ꧀ꦱꦫꦗꦮ",),
            ("עברית العربية",),
            ("e\u0301",),
            ("\ufeff",),
            ("a\0b",),
            ("\u202e",),
            ("\U0010ffff",),
        ],
    ),
    sql(
        "odd names",
        'CREATE TABLE "nama ""aneh""; DROP TABLE x --" ("select" TEXT, "a b" TEXT, "👍" TEXT, "%s {x} $y" TEXT)',
        'INSERT INTO "nama ""aneh""; DROP TABLE x --" VALUES (1, 2, 3, 4)',
        'CREATE TABLE "[kurung]" (x)',
        "CREATE TABLE \"'kutip'\" (x)",
        'CREATE TABLE "Berkas" ("ID" TEXT)',
        'CREATE TABLE "order" ("id" TEXT, "group" TEXT)',
        'CREATE INDEX "indeks aneh" ON "order" ("group" DESC)',
        'CREATE VIEW "tampilan aneh" AS SELECT 1 AS "kolom; x"',
    ),
    sql("names with one letter more", "CREATE TABLE a (x)", "CREATE TABLE ab (x)", "CREATE TABLE abc (x)"),
    sql("full text", "CREATE VIRTUAL TABLE f USING fts5(x)", "INSERT INTO f VALUES ('surat keputusan'), ('nota')"),
    sql(
        "full text beside its own table",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
        "CREATE VIRTUAL TABLE f USING fts5(x, content = 't', content_rowid = 'id', tokenize = 'trigram')",
        "CREATE TRIGGER isi AFTER INSERT ON t BEGIN INSERT INTO f (rowid, x) VALUES (new.id, new.x); END",
        "INSERT INTO t VALUES (1, 'satu'), (2, 'dua')",
    ),
    sql("places", "CREATE VIRTUAL TABLE r USING rtree(id, a, b)", "INSERT INTO r VALUES (1, 0.5, 1.5), (2, -1, 1)"),
    sql("rollback journal", "PRAGMA journal_mode = DELETE", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"),
    sql("write-ahead log", "PRAGMA journal_mode = WAL", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"),
    Shape("rows that only the write-ahead log holds", _left_in_wal),
    sql(
        "generated columns",
        "CREATE TABLE t (a INT, b INT AS (a * 2) STORED, c INT AS (a + 1) VIRTUAL, d TEXT AS (upper(a)) STORED UNIQUE)",
        "INSERT INTO t (a) VALUES (1), (2)",
    ),
    sql("strict", "CREATE TABLE t (a INTEGER, b TEXT, c ANY) STRICT", "INSERT INTO t VALUES (1, 'x', x'00')"),
    sql(
        "without rowid",
        "CREATE TABLE t (a TEXT, b INT, c, PRIMARY KEY (b DESC, a COLLATE NOCASE)) WITHOUT ROWID",
        "INSERT INTO t VALUES ('x', 1, NULL), ('Y', 1, 2), ('a', 2, 3)",
    ),
    sql(
        "counters and gaps", "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO t VALUES (-5), (99)"
    ),
    sql(
        "freed pages",
        "CREATE TABLE t (x)",
        "INSERT INTO t VALUES (zeroblob(500000)), (1)",
        "DELETE FROM t WHERE length(x) > 9",
    ),
    sql("vacuums by itself", "PRAGMA auto_vacuum = INCREMENTAL", "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"),
    sql("large pages", "PRAGMA page_size = 65536", "CREATE TABLE t (x)", "INSERT INTO t VALUES (randomblob(99))"),
    sql("small pages", "PRAGMA page_size = 512", "CREATE TABLE t (x)", "INSERT INTO t VALUES (randomblob(9999))"),
    sql("UTF-16", "PRAGMA encoding = 'UTF-16le'", "CREATE TABLE té (x TEXT)", "INSERT INTO té VALUES ('é👍')"),
    Shape("characters of an older set", _older_characters),
    sql(
        "a collation and a function of the application",
        "CREATE TABLE t (nip TEXT COLLATE urut CHECK (nip_sah(nip)))",
        "CREATE INDEX i ON t (nip)",
        "CREATE INDEX j ON t (nip) WHERE nip_sah(nip)",
        "INSERT INTO t VALUES ('b'), ('a')",
    ),
    sql(
        "views and triggers upon each other",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
        "CREATE VIEW v AS SELECT * FROM t",
        "CREATE VIEW w AS SELECT * FROM v",
        "CREATE TRIGGER tulis INSTEAD OF INSERT ON w BEGIN INSERT INTO t (x) VALUES (new.x); END",
        "INSERT INTO w (x) VALUES (1)",
    ),
    sql(
        "a view on a table that is gone",
        "CREATE TABLE t (x)",
        "CREATE TABLE u (x)",
        "CREATE VIEW v AS SELECT * FROM u",
        "DROP TABLE u",
    ),
    sql("statistics", "CREATE TABLE t (x)", "CREATE INDEX i ON t (x)", "INSERT INTO t VALUES (1), (2)", "ANALYZE"),
    sql("indexes on expressions", "CREATE TABLE t (x)", "CREATE INDEX i ON t (lower(x), x + 1) WHERE x IS NOT NULL"),
    sql(
        "foreign keys with cycles",
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b REFERENCES b (id))",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a REFERENCES a (id))",
        "INSERT INTO a VALUES (1, 1)",
        "INSERT INTO b VALUES (1, 1)",
    ),
)

QUICK_DATABASES = ("without any table", "characters of an older set", "rows that only the write-ahead log holds")
