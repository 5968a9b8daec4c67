"""Databases for the tests of the SQLite source, and what is done with them."""

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

from recovery.hosts.local import LocalHost
from recovery.sources.base import Dump
from recovery.sources.sqlite import SqliteSource

APPLICATION = Path(__file__).with_name("fake_application.py")


def source_of(path: Path, lock_timeout: float = 60) -> SqliteSource:
    return SqliteSource(LocalHost(), str(path), lock_timeout=lock_timeout)


def make(path: Path, *statements: str, mode: str = "DELETE") -> SqliteSource:
    """Make a database of these statements and return its source."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}").fetchone()
        connection.execute("PRAGMA synchronous=OFF")
        for statement in statements:
            connection.execute(statement)
    return source_of(path)


def make_bank(path: Path, mode: str, padding: int = 0) -> SqliteSource:
    """Make 2000 accounts whose balances sum up to 0, and `padding` KiB more so that a dump takes its time."""
    return make(
        path,
        "CREATE TABLE rekening (id INTEGER PRIMARY KEY, saldo INTEGER NOT NULL)",
        "CREATE TABLE mutasi (id INTEGER PRIMARY KEY, dari INTEGER, ke INTEGER, isi TEXT)",
        "CREATE TABLE arsip (id INTEGER PRIMARY KEY, isi BLOB)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
        " INSERT INTO rekening SELECT i, 0 FROM n",
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {padding + 1})"
        " INSERT INTO arsip SELECT i, randomblob(1000) FROM n",
        mode=mode,
    )


def query(path: str | Path, sql: str) -> list[tuple]:
    """Ask a database as an application would, side files and all."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def copy_of(source: SqliteSource, label: str = "uji") -> tuple[Dump, str]:
    """Dump a source and load the dump beside it."""
    copy = source.beside(label)
    buffer = memoryview(bytearray(1 << 20))
    with source.dump() as dump, source.load(copy) as load:
        while count := dump.readinto(buffer):
            load.write(buffer[:count])
        result = dump.finish()
        load.finish()
    return result, copy


@contextmanager
def application(path: Path, mode: str):
    """Run an application that writes all the time; yields a function that ends it and returns its transfers."""
    process = subprocess.Popen(
        [sys.executable, "-S", APPLICATION, path, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def end() -> int:
        output, _ = process.communicate()
        return int(output.split()[-1])

    try:
        assert process.stdout.readline() == "berjalan\n"
        yield end
    finally:
        process.kill()
        process.wait()
