"""Shipped program: opens SQLite databases and takes their fingerprints. Standard library only, Python 3.9 or newer."""

from __future__ import annotations

import errno
import hashlib
import marshal
import os
import re
import sqlite3
import urllib.parse
from itertools import islice, repeat
from typing import Any

from .program_error import ProgramError

MAGIC = b"SQLite format 3\0"
SIDE_FILES = (b"-wal", b"-shm", b"-journal")
PRAGMAS = ("user_version", "application_id", "encoding", "page_size", "auto_vacuum")
OWN_COLLATIONS = ("BINARY", "NOCASE", "RTRIM")
COLLATE = re.compile(r"""\bCOLLATE\s+(?:"([^"]+)"|\[([^]]+)]|`([^`]+)`|(\w+))""", re.IGNORECASE)


def read_header(descriptor: int, path: bytes) -> bytes:
    """Return the first 100 bytes of a database; raises SourceCorruptError when this is no SQLite database."""
    header = os.pread(descriptor, 100, 0)
    if not header:
        raise ProgramError(
            "SourceCorruptError",
            f"{os.fsdecode(path)} is empty",
            "nothing was changed",
            "restore it from a backup set, or correct the path in the inventory",
        )
    if len(header) < 100 or not header.startswith(MAGIC):
        raise ProgramError(
            "SourceCorruptError",
            f"{os.fsdecode(path)} is no SQLite database",
            "nothing was changed",
            "correct the path in the inventory, or restore the file from a backup set",
        )
    return header


def open_file(path: bytes, access: int = os.O_RDONLY) -> int:
    """Open the file; raises SourceMissingError and others in words.

    With O_RDWR where a writer's lock is needed: for an account that may only read, SQLite makes BEGIN IMMEDIATE a mere
    read without a word, and then nothing keeps others from writing.
    """
    try:
        return os.open(path, access | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise ProgramError(
            "SourceMissingError",
            f"there is no database at {os.fsdecode(path)}",
            "nothing was created",
            "correct the path in the inventory, or restore the database from a backup set",
        ) from None
    except PermissionError:
        raise _not_permitted(path) from None
    except OSError as error:
        if error.errno == errno.EROFS:
            raise _not_permitted(path) from None
        if error.errno != errno.ELOOP:
            raise
        raise ProgramError(
            "SourceError",
            f"{os.fsdecode(path)} is a symbolic link",
            "nothing was done",
            "name the file itself in the inventory: a swap exchanges names, not what links point to",
        ) from None


def journal_mode(path: bytes) -> str:
    """Return "wal" or "delete": the only modes that a database file itself remembers (file format, offset 18)."""
    descriptor = open_file(path)
    try:
        return "wal" if read_header(descriptor, path)[18] == 2 else "delete"
    finally:
        # Closing drops every lock this process has on the file, so nothing may be connected to it here.
        os.close(descriptor)


def connect(path: bytes, timeout: float, immutable: bool = False) -> sqlite3.Connection:
    """Connect to an existing database; `immutable` for copies that nobody writes: then no side files appear."""
    mode = "mode=ro&immutable=1" if immutable else "mode=rw"  # never rwc: a missing file must stay missing
    uri = f"file:{urllib.parse.quote(path)}?{mode}"
    # check_same_thread: one thread works with a connection at a time, but not always the one that opened it.
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    # A definition may hold text of another character set (a comment, a default) as rows may.
    connection.text_factory = decode
    return connection


def explain(error: sqlite3.Error, path: bytes) -> ProgramError:
    """Return the failure that an error of SQLite means."""
    name, text = os.fsdecode(path), str(error)
    if "locked" in text or "busy" in text:
        return ProgramError(
            "SourceLockedError",
            f"{name} is kept locked by another program",
            "nothing was changed",
            "let that program finish, or allow more time (lock_timeout)",
        )
    if "readonly" in text or "unable to open" in text or "authorization" in text:
        return _not_permitted(path)
    if "full" in text:
        return ProgramError("SourceError", f"no space is left beside {name}", "", "make room on that file system")
    if any(word in text for word in ("malformed", "not a database", "corrupt", "unsupported file format")):
        return ProgramError(
            "SourceCorruptError",
            f"{name} is damaged ({text})",
            "nothing was changed",
            "restore it from a backup set",
        )
    return ProgramError(
        "SourceError", f"SQLite cannot work with {name} ({text})", "it was not changed", "read the reason and remove it"
    )


def _not_permitted(path: bytes) -> ProgramError:
    return ProgramError(
        "SourceError",
        f"this account may not read and write {os.fsdecode(path)} and its directory",
        "nothing was changed",
        "give Pulih's account on the host the rights of the application on the file and its directory",
    )


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def read_schema(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Return type, name, table, root page and SQL of every object, sorted: the first read of a snapshot."""
    rows = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master").fetchall()
    return sorted(rows, key=lambda row: (row[0], row[1], row[2]))


def fingerprint(connection: sqlite3.Connection, schema: list[tuple[Any, ...]]) -> dict[str, Any]:
    """Return the fingerprint of what a connection sees. The caller holds a transaction, so it is one snapshot.

    A table's digest is the SHA-256 of its rows in the table's own order, each as marshal writes a tuple in version 2:
    types are told apart (1, 1.0, '1', x'31', NULL), and Python 3.8 to 3.13 write the same bytes.
    """
    _lend_collations(connection, schema)
    objects: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    for kind, name, table, page, sql in schema:
        names[f"{kind} {name}"] = hashlib.sha256(f"{table}\0{sql}".encode("utf-8", "surrogatepass")).hexdigest()
        # A virtual table has no page of its own; its content is in its shadow tables, which are tables like others.
        if kind == "table" and page:
            objects[name] = _table(connection, name)
    structure: dict[str, Any] = {pragma: connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in PRAGMAS}
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    return {
        "kind": "sqlite",
        "objects": objects,
        "structure": {"schema": names, **structure},
        "totals": {
            "objects": len(objects),
            "rows": sum(entry["rows"] for entry in objects.values()),
            "bytes": pages * structure["page_size"],
        },
    }


def _table(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    # Virtual generated columns (hidden = 2) are derived, and may need functions that only the application has.
    columns = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({quoted(name)})") if row[6] != 2]
    query = f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(name)} NOT INDEXED"  # noqa: S608 - names, quoted
    # Much faster, and right for nearly every table.
    connection.text_factory = str
    try:
        return _rows(connection, query)
    except sqlite3.OperationalError as error:
        if "UTF-8" not in str(error):
            raise
    finally:
        connection.text_factory = decode
    # Text that is no UTF-8. Valid text gives the same bytes either way, so the digest stays comparable.
    return _rows(connection, query)


def _rows(connection: sqlite3.Connection, query: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    # Row by row inside of C functions: as fast as batches, one row in memory, and no batch borders in the digest.
    updates = map(digest.update, map(marshal.dumps, connection.execute(query), repeat(2)))
    rows = 0
    while count := len(list(islice(updates, 10_000))):
        rows += count
    return {"rows": rows, "digest": digest.hexdigest()}


def _lend_collations(connection: sqlite3.Connection, schema: list[tuple[Any, ...]]) -> None:
    # A table whose key is ordered by a collation of the application cannot even be read without it, and SQLite
    # remembers that from the first attempt. Reading in stored order compares nothing, so any order will do.
    for _, _, _, _, sql in schema:
        for match in COLLATE.finditer(sql or ""):
            name = next(filter(None, match.groups()))
            if name.upper() not in OWN_COLLATIONS:
                connection.create_collation(name, _never_compared)


def decode(data: bytes) -> str:
    """Return text of a database, also where it is no UTF-8: the bytes can be told again from it."""
    return data.decode("utf-8", "surrogateescape")


def _never_compared(first: str, second: str) -> int:
    return (first > second) - (first < second)
