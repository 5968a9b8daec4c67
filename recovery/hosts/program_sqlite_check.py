"""Shipped program: what SQLite itself finds wrong with a database. Standard library only, Python 3.9 or newer."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from .program_error import ProgramError
from .program_sqlite_content import explain, quoted, read_schema

# A collation or function that the application brings along; SQLite cannot judge an order that it does not know.
FOREIGN = re.compile("unknown function|no such function|no such collation|no query solution")


def check(connection: sqlite3.Connection, path: bytes) -> dict[str, Any]:
    """Return {"integrity": findings, "orphans": rows per "child → parent", "unchecked": what could not be looked at}.

    CHECK constraints are left out: they often call functions of the application, and rows that break one are the
    state of the data and not damage.
    """
    unchecked: list[str] = []
    connection.execute("PRAGMA ignore_check_constraints=ON")
    try:
        findings = _run(connection, "PRAGMA integrity_check(100)")
        if findings is None:
            findings = []
            for kind, name, _, page, _ in read_schema(connection):
                if kind == "table" and page:
                    findings += _check_table(connection, name, unchecked)
    except UnicodeError:
        return {"integrity": ["a message of SQLite that is no text"], "orphans": {}, "unchecked": []}
    except sqlite3.DatabaseError as error:
        failure: ProgramError = explain(error, path)
        if failure.report["error"] != "SourceCorruptError":
            raise
        return {"integrity": [str(error)], "orphans": {}, "unchecked": []}
    return {"integrity": findings, "orphans": _orphans(connection, unchecked), "unchecked": unchecked}


def _check_table(connection: sqlite3.Connection, name: str, unchecked: list[str]) -> list[str]:
    # quick_check does not compare indexes with rows, so it gets by without the application's functions.
    for pragma in ("integrity_check", "quick_check"):
        findings = _run(connection, f"PRAGMA {pragma}({quoted(name)})")
        if findings is not None:
            return findings
    unchecked.append(name)
    return []


def _run(connection: sqlite3.Connection, pragma: str) -> list[str] | None:
    try:
        return [str(row[0]) for row in connection.execute(pragma) if row[0] != "ok"]
    except sqlite3.OperationalError as error:
        if FOREIGN.search(str(error)):
            return None
        raise


def _orphans(connection: sqlite3.Connection, unchecked: list[str]) -> dict[str, int]:
    orphans: dict[str, int] = {}
    try:
        for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check"):
            orphans[f"{table} → {parent}"] = orphans.get(f"{table} → {parent}", 0) + 1
    except sqlite3.OperationalError as error:
        # A parent that does not exist, or is no table, is a defect of the schema that SQLite reports in this way.
        unchecked.append(f"foreign keys ({error})")
    return orphans
