"""Where a rebuilt catalog goes: into the new directory as SQLite, or into an empty PostgreSQL database.

It is filled in a file beside, whichever it is. The database takes all of that in one transaction, its tables included:
whoever looks finds nothing there, or everything.
"""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import Connection, inspect, literal, select

from recovery.durable import remove_file, sync_directory
from recovery.errors import ConflictError, KeyMissingError, RecordsError
from recovery.inventory_places import sqlite_file
from recovery.keys_files import replace
from recovery.own_records import CATALOG
from recovery.own_records_configuration import INVENTORY
from recovery.own_records_databases import copy_rows
from recovery.records import ledger, schema
from recovery.records.catalog import Catalog, open_catalog
from recovery.records.ledger import Head
from recovery.records.migrations import migrate
from recovery.secrets import resolve

STATE = "state"
# What a caller says who wants the catalog in the new directory, whatever the lost one was.
SQLITE = "sqlite"

# What lies in the state directory from the time when it is needed until a rebuild has ended: the file in which the
# catalog is filled, that the enrolment key is a new one, and what will be told in the end.
_UNFINISHED = f"{CATALOG}.unfinished"
NEW_ENROLMENT = "enrolment-key.new"
_NOTE = "rebuilt.json"


@dataclass(frozen=True)
class Target:
    """The place of a rebuilt catalog: the reference to its URL for the inventory (None: SQLite in the new directory),
    that URL, and the new directory's state."""

    reference: str | None
    url: str
    state: Path

    @property
    def unfinished(self) -> Path:
        """The file in which the catalog is filled."""
        return self.state / _UNFINISHED

    @property
    def _file(self) -> Path:
        return self.state / CATALOG

    @property
    def _note(self) -> Path:
        """What a call will tell in its end, from right before its catalog is in its place until it has told it."""
        return self.state / _NOTE

    @property
    def title(self) -> str:
        """The catalog's address without its password."""
        return self.open().title

    def open(self) -> Catalog:
        """The catalog there, which connects when it is first used."""
        return open_catalog(self.url)

    def refuse_used(self) -> dict[str, Any] | None:
        """Return when the place is empty, or holds a catalog in which nothing was recorded: None. Return what a call
        noted that died after its catalog was in its place, when nothing was recorded there since.

        Raises ConflictError for any other, RecordsError for a database that cannot be looked at.
        """
        if self.reference is None and not self._file.exists():
            return None
        catalog = self.open()
        try:
            with catalog.read() as connection:
                if _is_unused(connection):
                    return None
                noted = json.loads(self._note.read_bytes()) if self._note.exists() else None
                if noted is not None and ledger.head(connection) == Head(**noted["head"]):
                    told: dict[str, Any] = noted["told"]
                    return told
        except RecordsError:
            if self.reference is not None:
                raise
            # Whatever that file is, it is not ours to write over.
        finally:
            catalog.dispose()
        raise self._used(catalog.title)

    def put(self, head: Head, told: dict[str, Any]) -> None:
        """Given the head of the filled catalog and what is told in the end, put that catalog in its place, whole or
        not at all. Nobody has it open. Raises ConflictError, RecordsError, StoreError."""
        # A call that dies right after the catalog is in its place can be repeated, and tells the same.
        replace(self._note, json.dumps({"head": vars(head), "told": told}).encode(), like=self._note)
        if self.reference is None:
            self._put_file()
            return
        filled, catalog = open_catalog(f"sqlite:///{self.unfinished}"), self.open()
        try:
            with filled.read() as reading, catalog.begin() as writing:
                # Once more, now that nobody else writes.
                if not _is_unused(writing):
                    raise self._used(catalog.title)
                migrate(writing)
                copy_rows(reading, writing)
        finally:
            filled.dispose()
            catalog.dispose()

    def conclude(self) -> None:
        """When all is done: remove what only a call that died would need, last what lets it be repeated. Raises
        StoreError."""
        for leftover in ("", "-wal", "-shm"):
            remove_file(self.unfinished.with_name(self.unfinished.name + leftover))
        remove_file(self.state / NEW_ENROLMENT)
        remove_file(self._note)

    def _put_file(self) -> None:
        with closing(sqlite3.connect(self.unfinished)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for leftover in ("-wal", "-shm"):
            self.unfinished.with_name(self.unfinished.name + leftover).unlink(missing_ok=True)
            self._file.with_name(self._file.name + leftover).unlink(missing_ok=True)
        self.unfinished.replace(self._file)
        sync_directory(self.state)

    def _used(self, title: str) -> ConflictError:
        hint = "name a directory that is not there yet"
        if self.reference is not None:
            hint = f"let {self.reference} hold the URL of an empty database, or name another one with --catalog"
        return ConflictError(
            f"the catalog {title} is not empty",
            state="nothing was written" if self.reference is None else "nothing was written into it",
            hint=f"{hint}; a catalog is never written over",
        )


def is_unfinished(state_directory: Path) -> bool:
    """Given an installation's state directory, return whether a rebuild into it began and has not ended. Who filled its
    catalog then would keep the rebuild from ever ending."""
    return any((state_directory / name).exists() for name in (_UNFINISHED, NEW_ENROLMENT, _NOTE))


def present_target(directory: Path, given: str) -> Target:
    """Given a new directory and what the caller names, return where an earlier call into it put its catalog, or would
    have: as the inventory there has it; without one as it was named. Raises as choose_target()."""
    if (directory / INVENTORY).exists():
        return choose_target(directory, directory)
    return choose_target(directory, None, given)


def choose_target(directory: Path, records: Path | None, given: str = "") -> Target:
    """Given the new directory, where the inventory of the records lies and what the caller names (a reference to a URL,
    or `sqlite`), return where the catalog goes: as given, else as the inventory has it, else into that directory.

    An SQLite catalog always lies in the new directory. Raises KeyMissingError when the reference cannot be resolved,
    ConfigurationError when it is none, RecordsError for a URL of no kind that is known.
    """
    state = directory / STATE
    here = Target(None, f"sqlite:///{state / CATALOG}", state)
    reference = given or _recorded(records)
    if reference in ("", SQLITE):
        return here
    try:
        url = resolve(reference).decode()
    except KeyMissingError as error:
        raise KeyMissingError(
            f"where the catalog is to be cannot be read: {error.message}",
            state="no catalog was made",
            hint="put the URL of an empty PostgreSQL database there, name another reference with --catalog, or say "
            f"--catalog {SQLITE} for one in the new directory",
        ) from error
    if sqlite_file(url):
        return here
    target = Target(reference, url, state)
    target.open()  # refuses what is no catalog's URL
    return target


def _recorded(records: Path | None) -> str:
    if records is None:
        return ""
    office = yaml.safe_load((records / INVENTORY).read_text(encoding="utf-8"))["office"]
    return office.get("catalog") or ""


def _is_unused(connection: Connection) -> bool:
    """Whether a database holds nothing, or the tables of a catalog without a row."""
    found = set(inspect(connection).get_table_names())
    if found - schema.metadata.tables.keys() - {"alembic_version"}:
        return False  # somebody else's
    ours = [table for name, table in schema.metadata.tables.items() if name in found]
    return all(connection.execute(select(literal(1)).select_from(each).limit(1)).first() is None for each in ours)
