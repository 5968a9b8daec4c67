"""The listing of a directory tree as a SQLite table, so that the judge reads trees as it reads databases."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recovery.errors import VerificationError
from recovery.sources.tar_entries import KINDS, Entry
from recovery.sources.tree import shown

TABLE = """CREATE TABLE berkas (
    path TEXT NOT NULL, name TEXT NOT NULL, extension TEXT NOT NULL, type TEXT NOT NULL, mode TEXT NOT NULL,
    owner INTEGER NOT NULL, "group" INTEGER NOT NULL, size INTEGER NOT NULL, modified_at TEXT, digest TEXT NOT NULL
)"""
INSERT = "INSERT INTO berkas VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
BATCH = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Listing:
    """Writes the table `berkas`; a listing that stood there before is replaced. Complete when left without error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> "Listing":
        self._path.unlink(missing_ok=True)
        # Entries come from the thread that folds them. A crash costs only a proof that is made again.
        self._connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute(TABLE)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._write()
        finally:
            self._connection.close()
            if kind is not None:
                self._path.unlink(missing_ok=True)

    def add(self, entry: Entry, content: bytes) -> None:
        """Take one entry and the digest of its content."""
        path = shown(entry.path)
        name = path.rpartition("/")[2]
        stem, dot, extension = name.rpartition(".")
        self._rows.append(
            (
                path,
                name,
                extension.lower() if dot and stem else "",
                KINDS[entry.kind],
                f"{entry.mode:04o}",
                entry.owner,
                entry.group,
                entry.size,
                _moment(entry.modified),
                content.hex(),
            )
        )
        if len(self._rows) >= BATCH:
            self._write()

    def _write(self) -> None:
        try:
            self._connection.execute("BEGIN")
            self._connection.executemany(INSERT, self._rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise VerificationError(
                f"the listing of the tree could not be written: {error}",
                state="nothing is known about the copy",
                hint=f"make room in {self._path.parent}",
            ) from error
        self._rows.clear()


def _moment(nanoseconds: int) -> str | None:
    try:
        return (EPOCH + timedelta(microseconds=nanoseconds // 1000)).isoformat(timespec="microseconds")
    except OverflowError:
        return None  # outside of the years 1 to 9999, which such a text cannot tell
