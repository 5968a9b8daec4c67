"""The catalog: one database (SQLite or PostgreSQL) that says what was done. One writer at a time, on both.

With one writer, every look-then-write in these modules (is the lease free? which number is next?) is free of races
without a lock of its own, and the ledger is a chain by construction. Writes are few and short: bodies of steps run
outside transactions.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from recovery.errors import RecordsError
from recovery.points import reached
from recovery.records import schema
from recovery.records.complaints import explain

# Longer than any transaction of ours by orders of magnitude: whoever waits this long waits for something that hangs.
PATIENCE_SECONDS = 60

# "pulih" as a number: names the writer's lock among a PostgreSQL server's advisory locks.
WRITER_LOCK = 0x70756C6968

_WRITES = "pulih_writes"


class Catalog:
    """The installation's database. Cheap to make: it connects when it is first used, and imports no migrations."""

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        self._thread = threading.local()
        self._engine = _sqlite_engine(self._path) if self.dialect == "sqlite" else _postgresql_engine(self._url)

    @property
    def dialect(self) -> str:
        """ "sqlite" or "postgresql"."""
        return self._url.get_backend_name()

    @property
    def title(self) -> str:
        """The catalog's address without its password, for messages."""
        return str(self._path) if self.dialect == "sqlite" else self._url.render_as_string(hide_password=True)

    @property
    def _path(self) -> Path:
        return Path(str(self._url.database))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Yield a connection inside a write transaction: the only one on this catalog, in whatever process.

        Commits at the end of the block, rolls back when the block raises. Raises RecordsError for whatever the
        database has to say, so a violated constraint that a caller wants to handle is caught inside the block.
        """
        if getattr(self._thread, "writes", False):
            # It would wait for itself until the patience ends.
            raise RecordsError(
                "a write transaction was begun inside another one of the same thread",
                state="nothing of the inner one was recorded",
                hint="this is a defect; report it",
            )
        self._thread.writes = True
        try:
            with self._connect({_WRITES: True}) as connection, connection.begin():
                yield connection
                reached("catalog: before the commit")
            reached("catalog: committed")
        finally:
            self._thread.writes = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection that sees one state of the catalog, however long it looks. Nothing written is kept."""
        options: dict[str, Any] = {}
        if self.dialect == "postgresql":
            options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with self._connect(options) as connection:
            yield connection

    def revision(self) -> str | None:
        """Return the revision of the catalog's schema; None when it has no tables yet."""
        with self._connect({}) as connection:
            if not connection.dialect.has_table(connection, "alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def check(self) -> None:
        """Raises RecordsError unless the catalog is there and its schema is the one that this release writes."""
        _judge_revision(self.revision(), self.title)

    def upgrade(self) -> None:
        """Create the catalog or bring its schema up to date; does nothing when it is. Several may call it at once.

        Raises RecordsError when the place cannot be written or the catalog was written by a later release.
        """
        if self.dialect == "sqlite":
            with _alone_in(self._path.parent, self.title):
                _create_file(self._path, self.title)
                self._use_write_ahead_log()
        if self.revision() == schema.REVISIONS[-1]:
            return
        # The writer's lock is what makes several upgrades at once safe: the second finds nothing to do.
        with self.begin() as connection:
            from recovery.records.migrations import migrate

            migrate(connection)
        _judge_revision(self.revision(), self.title)

    def dispose(self) -> None:
        """Close what is open. The catalog can be used again afterwards."""
        self._engine.dispose()

    @contextmanager
    def _connect(self, options: dict[str, Any]) -> Iterator[Connection]:
        if self.dialect == "sqlite" and not self._is_there():
            raise RecordsError(
                f"there is no catalog at {self.title}",
                state="nothing was read or recorded",
                hint="check the path if it should be there; rebuild a lost one, or create a new one with `pulih apply`",
            )
        try:
            with self._engine.connect().execution_options(**options) as connection:
                yield connection
        except DBAPIError as error:
            raise explain(error, self.title, PATIENCE_SECONDS) from error
        except PoolExhausted as error:
            raise RecordsError(
                "too many threads of one process use the catalog at once",
                state="nothing of this transaction was recorded",
                hint="retry the run: it goes on where the records end",
            ) from error

    def _is_there(self) -> bool:
        try:
            return self._path.exists()
        except OSError as error:  # a directory on the way that this account may not enter
            raise RecordsError(
                f"{self.title} cannot be opened or written ({error.strerror})",
                state="nothing was read or recorded",
                hint="run as the account that owns the catalog, or mend the permissions of its directories",
            ) from error

    def _use_write_ahead_log(self) -> None:
        # Readers then never wait for the writer, nor the writer for them. The mode stays with the file.
        with self._connect({}) as connection:
            cursor = connection.connection.cursor()
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
            except sqlite3.Error as error:  # pragma: no cover - connecting reads the file already, and fails first
                raise explain(error, self.title, PATIENCE_SECONDS) from error
            finally:
                cursor.close()


def open_catalog(url: str) -> Catalog:
    """Given an SQLAlchemy URL (sqlite:////absolute/path or postgresql://…), return the catalog without touching it.

    Raises RecordsError for a URL of another kind; the message holds no password.
    """
    return Catalog(url)


def _parse(text_url: str) -> URL:
    try:
        url = make_url(text_url)
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        backend = ""
    if backend == "sqlite" and url.database and Path(url.database).is_absolute():
        return url
    if backend == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise RecordsError(
        "the catalog's URL is of no kind that is known",
        state="nothing was opened",
        hint="write sqlite:////absolute/path or postgresql://user@host/database",
    )


def _sqlite_engine(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        # mode=rw: a mistyped path must not become a second, empty catalog.
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode=rw",
            uri=True,
            timeout=PATIENCE_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys = ON")
        # FULL: a decision that was recorded must survive the power cut that follows it.
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    engine = create_engine("sqlite://", creator=connect, hide_parameters=True, poolclass=QueuePool, max_overflow=30)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock before anything is read. A transaction that reads first and then wants to
        # write fails at once with "database is locked" when another wrote in between, whatever the timeout.
        writes = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    patience = PATIENCE_SECONDS * 1000
    engine = create_engine(
        url,
        max_overflow=30,
        # A run stays suspended for days; the server may have been restarted meanwhile.
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 10,
            # Idle: a writer whose machine died must not keep every other one waiting until TCP gives up.
            "options": f"-c lock_timeout={patience} -c idle_in_transaction_session_timeout={patience} -c timezone=UTC",
        },
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    return engine


def _judge_revision(revision: str | None, title: str) -> None:
    if revision == schema.REVISIONS[-1]:
        return
    if revision is None or revision in schema.REVISIONS:
        raise RecordsError(
            f"the catalog {title} {'has no tables yet' if revision is None else 'is of an earlier release'}",
            state="nothing was read or recorded",
            hint="run `pulih apply`, which brings it up to date",
        )
    raise RecordsError(
        f"the catalog {title} was written by a later release (schema {revision})",
        state="nothing was read or recorded",
        hint="use that release, or a later one",
    )


@contextmanager
def _alone_in(directory: Path, title: str) -> Iterator[None]:
    # A lock on the directory and not on the database file: closing a second descriptor of the database would drop
    # the locks that SQLite holds on it.
    import fcntl

    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _cannot_create(title, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create_file(path: Path, title: str) -> None:
    if path.exists():
        return
    try:
        # SQLite gives -wal and -shm the mode of the database file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise _cannot_create(title, error) from error


def _cannot_create(title: str, error: OSError) -> RecordsError:
    return RecordsError(
        f"the catalog {title} cannot be created ({error.strerror})",
        state="nothing was recorded",
        hint="let the worker's account write to that directory, and check that the disk is not full",
    )
