"""Copies of the databases that hold the records, each of one moment, while others write."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, insert, make_url, select
from sqlalchemy.exc import ArgumentError

from recovery.errors import ConfigurationError, RecordsError
from recovery.records import schema
from recovery.records.catalog import Catalog, open_catalog
from recovery.secrets import resolve

ROWS_AT_ONCE = 1000
# In which state all is when the records cannot be copied: they come last.
NOT_PUT = "what was done before stands; the records were not put into a store"


def copy_catalog(catalog: Catalog, copy: Path) -> None:
    """Given a catalog of either kind, write all of it into a new SQLite file. Raises RecordsError."""
    if catalog.dialect == "sqlite":
        _copy_sqlite(Path(catalog.title), copy)
        return
    target = open_catalog(f"sqlite:///{copy}")
    target.upgrade()
    try:
        with catalog.read() as reading, target.begin() as writing:
            copy_rows(reading, writing)
    finally:
        target.dispose()


def copy_rows(reading: Connection, writing: Connection) -> None:
    """Given a connection inside Catalog.read() and one inside Catalog.begin() of an empty catalog, copy every row.

    Both catalogs are of this release."""
    for table in schema.metadata.sorted_tables:
        rows = reading.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table)).mappings()
        for some in rows.partitions(ROWS_AT_ONCE):
            writing.execute(insert(table), [dict(row) for row in some])


def copy_prefect_database(reference: str, directory: Path) -> Path:
    """Given the reference to the URL of Prefect's database, write a copy of it into a directory and return its file.

    Raises RecordsError, ConfigurationError, KeyMissingError.
    """
    url = database_url(reference)
    if url.get_backend_name() == "sqlite":
        copy = directory / "prefect.sqlite"
        _copy_sqlite(Path(str(url.database)), copy)
        return copy
    copy = directory / "prefect.pgdump"
    _dump(url, copy)
    return copy


def database_url(reference: str) -> URL:
    """Given the reference to the URL of Prefect's database, return it. Raises ConfigurationError, KeyMissingError."""
    try:
        url = make_url(resolve(reference).decode())
        known = url.database and url.get_backend_name() in ("sqlite", "postgresql")
    except (ArgumentError, ValueError):
        known = None
    if not known:
        raise ConfigurationError(
            f"{reference} holds no URL of a database of Prefect's",
            state=NOT_PUT,
            hint="write what PREFECT_SERVER_DATABASE_CONNECTION_URL says: sqlite+aiosqlite:////… or postgresql+…://…",
        )
    return url


def _copy_sqlite(path: Path, copy: Path) -> None:
    # A copy made by SQLite is of one moment whoever writes; a copied file could be of two.
    try:
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro", uri=True, timeout=60)) as connection:
            connection.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error as error:
        raise RecordsError(
            f"the database {path} cannot be copied ({error})",
            state=NOT_PUT,
            hint="check that it is there, that this account reads it, and that the state directory has room for it",
        ) from error


def _dump(url: URL, copy: Path) -> None:
    settings = {
        "PGHOST": str(url.query.get("host") or url.host or ""),
        "PGPORT": str(url.port or ""),
        "PGUSER": url.username or "",
        "PGDATABASE": str(url.database),
    }
    environment = {**os.environ, **{name: value for name, value in settings.items() if value}}
    if url.password:
        # In a file and not in the environment: that another process of this account may read.
        passwords = copy.with_name(".pgpass")
        fields = (url.host or "*", "*", "*", "*", str(url.password))
        escaped = [field.replace("\\", "\\\\").replace(":", "\\:") for field in fields]
        passwords.write_text(":".join(escaped) + "\n", encoding="utf-8")
        passwords.chmod(0o600)
        environment["PGPASSFILE"] = str(passwords)
    command = ["pg_dump", "--format=custom", "--no-password", "--file", str(copy)]
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    except OSError as error:
        raise RecordsError(
            f"pg_dump cannot be run ({error.strerror})", state=NOT_PUT, hint="install postgresql-client"
        ) from error
    finally:
        copy.with_name(".pgpass").unlink(missing_ok=True)
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise RecordsError(
            f"pg_dump could not dump Prefect's database ({said[-1][:200] if said else ended.returncode})",
            state=NOT_PUT,
            hint="check the URL that office.prefect_database names, and that pg_dump is not older than the server",
        )
