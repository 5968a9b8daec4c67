"""SIMPEL's database, whichever engine keeps it: a SQLite file, or a database of a server.

An address is a path, or a URL of the engine, as in `postgresql://simpel@127.0.0.1:5432/simpel?passfile=/…`. Passwords
stand in files that the engine's driver reads, never in an address, which everybody sees among the processes.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from demo.simpel import schema, schema_mariadb, schema_postgresql

Values = Sequence[Any]


class DatabaseError(Exception):
    """What the engine's driver reported; `name` is what that driver calls it."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.name = type(error).__name__


class Row(tuple[Any, ...]):
    """A row; its values are found by place and by name."""

    names: tuple[str, ...]

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(self.names.index(key) if isinstance(key, str) else key)

    def keys(self) -> tuple[str, ...]:
        """Return the columns' names, which lets dict() take the row."""
        return self.names


class Connection:
    """A connection to a SQLite file. Statements have a ? for each value and commit at once, unless in a transaction."""

    errors: type[Exception] | tuple[type[Exception], ...] = sqlite3.Error
    existing_tables = "SELECT name FROM sqlite_schema WHERE type = 'table'"

    def __init__(self, address: str) -> None:
        with self._told():
            self._connection: Any = self._open(address)

    def rows(self, statement: str, values: Values = ()) -> list[Row]:
        """Run a statement and return all that it gives."""
        with self._told():
            cursor = self._execute(statement, values)
            names = tuple(column[0] for column in cursor.description)
            found = [Row(row) for row in cursor.fetchall()]
        for row in found:
            row.names = names
        return found

    def value(self, statement: str, values: Values = ()) -> Any:
        """Run a statement that gives one row, and return the row's first value."""
        return self.rows(statement, values)[0][0]

    def change(self, statement: str, values: Values = ()) -> int:
        """Run a statement that gives nothing; return how many rows it changed."""
        with self._told():
            return int(self._execute(statement, values).rowcount)

    def insert(self, table: str, rows: Iterable[Values]) -> None:
        """Given rows with a value for every column, insert them."""
        found = list(rows)
        if not found:
            return
        marks = ", ".join("?" * len(found[0]))
        with self._told():
            self._many(f"INSERT INTO {table} VALUES ({marks})", found)  # noqa: S608 - tables of our own

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block changes, or nothing of it."""
        self.change("BEGIN")
        try:
            yield
        except BaseException:
            self.change("ROLLBACK")
            raise
        self.change("COMMIT")

    def tables(self) -> set[str]:
        """Return the names of the tables that are there."""
        return {row[0] for row in self.rows(self.existing_tables)}

    def make_tables(self) -> None:
        """Make SIMPEL's tables and what belongs to them."""
        with self._told():
            self._connection.executescript(schema.SCHEMA)

    def settle(self) -> None:
        """After rows were inserted with their numbers: let the next numbers follow them."""

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _open(self, address: str) -> Any:
        uri = f"file:{quote(str(Path(address).absolute()))}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _execute(self, statement: str, values: Values) -> Any:
        return self._connection.execute(statement, values)

    def _many(self, statement: str, rows: list[Values]) -> None:
        self._connection.executemany(statement, rows)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self.errors as error:
            raise DatabaseError(error) from error


class PostgresqlConnection(Connection):
    """A connection to a PostgreSQL database."""

    existing_tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"

    def make_tables(self) -> None:
        """See Connection.make_tables."""
        self.change(schema_postgresql.SCHEMA)

    def settle(self) -> None:
        """See Connection.settle."""
        for table in ("riwayat_pangkat", "absensi", "cuti", "dokumen", "pengguna"):
            self.rows(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")  # noqa: S608

    def _open(self, address: str) -> Any:
        import psycopg

        self.errors = psycopg.Error
        return psycopg.connect(address, autocommit=True, connect_timeout=10, application_name="simpel")

    def _execute(self, statement: str, values: Values) -> Any:
        # Without values nothing is replaced, so that a per cent sign may stand in the statement.
        return self._connection.execute(statement.replace("?", "%s"), values or None)

    def _many(self, statement: str, rows: list[Values]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), rows)


class MariadbConnection(Connection):
    """A connection to a MariaDB database."""

    existing_tables = "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"

    def make_tables(self) -> None:
        """See Connection.make_tables."""
        # The driver takes one statement at a time.
        for statement in schema_mariadb.SCHEMA.strip().split(";\n"):
            self.change(statement)

    def _open(self, address: str) -> Any:
        import pymysql

        self.errors = pymysql.Error
        found = urlsplit(address)
        more = {name: values[0] for name, values in parse_qs(found.query).items()}
        return pymysql.connect(
            host=found.hostname,
            port=found.port or 0,
            unix_socket=more.get("socket"),
            user=found.username,
            database=found.path[1:],
            read_default_file=more.get("option-file"),
            autocommit=True,
            connect_timeout=10,
        )

    def _execute(self, statement: str, values: Values) -> Any:
        cursor = self._connection.cursor()
        # Without values nothing is replaced, so that a per cent sign may stand in the statement.
        cursor.execute(statement.replace("?", "%s") if values else statement, values or None)
        return cursor

    def _many(self, statement: str, rows: list[Values]) -> None:
        self._connection.cursor().executemany(statement.replace("?", "%s"), rows)


ENGINES: dict[str, type[Connection]] = {
    "": Connection,
    "postgresql": PostgresqlConnection,
    "mariadb": MariadbConnection,
}


def connect(address: str | Path) -> Connection:
    """Given the database's address, connect; raises DatabaseError. Nothing that is missing is created."""
    return ENGINES[urlsplit(str(address)).scheme](str(address))
