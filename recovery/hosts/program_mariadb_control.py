"""Shipped program: what a copy of a MariaDB database knows about itself. Standard library only, Python 3.9 or newer.

A copy has one table of ours, with what was loaded and what a swap is about to do, and one empty table whose name says
which data is live: the same statement that moves all tables renames it, so that it is never wrong.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import json
from typing import Any

from .program_mariadb_client import Session, in_database, literal, quoted
from .program_mariadb_structure import OWN_TABLES

LIVE = {"old": f"{OWN_TABLES} old is live", "new": f"{OWN_TABLES} new is live"}


def begin(session: Session, copy: str) -> None:
    """Mark a new copy as one that is being loaded."""
    session.run(
        f"CREATE TABLE {quoted(copy, OWN_TABLES)} (name varchar(64) CHARACTER SET ascii PRIMARY KEY,"
        " value longtext CHARACTER SET utf8mb4 NOT NULL) ENGINE=InnoDB"
    )
    write(session, copy, {"state": "loading"})


def read(session: Session, copy: str) -> dict[str, Any] | None:
    """Return what a copy knows about itself, or None when there is no such database, or none of ours."""
    names = own_tables(session, copy)
    if OWN_TABLES not in names:
        return None
    known = {
        name: json.loads(value) for name, value in session.run(f"SELECT name, value FROM {quoted(copy, OWN_TABLES)}")
    }
    marks = [which for which, table in LIVE.items() if table in names]
    return {**known, "live": marks[0] if len(marks) == 1 else ""}


def write(session: Session, copy: str, known: dict[str, Any]) -> None:
    """Remember something, all of it or nothing."""
    # ASCII alone: one character set less to think of.
    values = ", ".join(f"({literal(name)}, {literal(json.dumps(value))})" for name, value in known.items())
    session.run(f"REPLACE INTO {quoted(copy, OWN_TABLES)} VALUES {values}")


def mark_live(session: Session, copy: str) -> None:
    """Say that the old data is live, before anything moves."""
    if not set(LIVE.values()) & own_tables(session, copy):
        session.run(f"CREATE TABLE {quoted(copy, LIVE['old'])} (nothing tinyint) ENGINE=InnoDB")


def own_tables(session: Session, copy: str) -> set[str]:
    """Return the tables of ours in a copy."""
    return {
        row[0]
        for row in session.run(
            f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE {in_database('TABLE_SCHEMA', copy)}"
            f" AND TABLE_NAME LIKE {literal(OWN_TABLES + '%')}"
        )
    }


def held_back(known: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a fingerprint takes of a copy's knowledge: how its events were, and what waits for its going live."""
    return {"events": known.get("events", {}), "objects": known.get("waiting", [])} if known else {}
