"""Shipped program: the fingerprint of a MariaDB database. Standard library only, Python 3.9 or newer.

Per table the number of rows and a sum of 64-bit numbers, one of each row's text: it needs no order and no memory. It
finds accidents; against adversaries stand the digests of the parts and the signature.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, in_database, quoted
from .program_mariadb_structure import SEQUENCE, VERSIONED, VIEW, database_made, definitions, objects, tables

ALGORITHM = "count and sum of the high half of md5 of each row's text, version 1"
# Stands for a row whose text the server would not put together; no sum of real rows comes that far.
UNMEASURED = 10**32
SHORT = {"char", "varchar", "binary", "varbinary", "tinytext", "text", "tinyblob", "blob"}
LONG = {"mediumtext", "longtext", "mediumblob", "longblob"}
GEOMETRY = {
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
}
# Stored as numbers: an index, bits. Their text may be ambiguous or no text at all.
NUMBERED = {"enum", "set", "bit"}
Tell = Callable[[int, int], None]


class Column:
    """One column of a table, as far as reading its values needs it."""

    def __init__(self, row: list[Any]) -> None:
        self.table, self.name, self.type, self.scale, generation, extra = (str(value) for value in row)
        self.virtual = "VIRTUAL" in extra.upper()
        # Boundaries of a system-versioned row are written like any other value; what is computed is not.
        self.computed = generation not in ("None", "ROW START", "ROW END")
        self.boundary = generation in ("ROW START", "ROW END")

    def inexact(self) -> bool:
        """Say whether the server shows less of a value than it keeps: FLOAT has seven digits and shows six."""
        return self.type == "float" and self.scale == "None"


def columns(session: Session, database: str) -> dict[str, list[Column]]:
    """Return the columns of every table."""
    found: dict[str, list[Column]] = {}
    for row in session.documents(
        "SELECT JSON_ARRAY(TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_SCALE, GENERATION_EXPRESSION, EXTRA)"
        f" FROM information_schema.COLUMNS WHERE {in_database('TABLE_SCHEMA', database)}"
        " ORDER BY TABLE_NAME, ORDINAL_POSITION"
    ):
        column = Column(row)
        found.setdefault(column.table, []).append(column)
    return found


def fingerprint(
    session: Session, database: str, *, held: dict[str, Any] | None = None, tell: Tell | None = None
) -> dict[str, Any]:
    """Return the fingerprint of what a session, which is in that database, sees; the caller holds the snapshot.

    `held`: of a copy, what its events were before they were disabled and which objects wait for its going live.
    `tell` is told how many tables of how many are measured.
    """
    found = tables(session, database)
    content = rows(session, database, found, tell)
    return assembled(content, structure(session, database, found, held or {}), found)


def assembled(content: dict[str, Any], made: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, Any]:
    """Put a fingerprint together."""
    return {
        "kind": "mariadb",
        "objects": content,
        "structure": made,
        "totals": {
            "objects": len(content),
            "rows": sum(entry["rows"] for entry in content.values()),
            "bytes": sum(int(table["bytes"]) for table in found),
        },
    }


def rows(
    session: Session, database: str, found: list[dict[str, Any]], tell: Tell | None = None
) -> dict[str, dict[str, Any]]:
    """Return the number of rows and the digest of every table, history included."""
    described = columns(session, database)
    measured: dict[str, dict[str, Any]] = {}
    with_rows = [table for table in found if table["type"] not in (VIEW, SEQUENCE)]
    for table in with_rows:
        # A transaction keeps every table that it has read from being changed; undone, it lets go of it.
        session.run("SAVEPOINT read_one")
        answer = session.one(_measuring(table, described[table["name"]]))
        session.run("ROLLBACK TO SAVEPOINT read_one")
        count, total = json.loads(answer)
        if int(total) >= UNMEASURED:
            raise ProgramError(
                "SourceError",
                f"a row of the table {table['name']} is longer than the server can put together",
                "nothing was kept",
                "raise max_allowed_packet on the server",
            )
        # Some releases (10.11.14 is one) put an aggregate's number into JSON as a text.
        measured[table["name"]] = {"rows": int(count), "digest": total}
        if tell is not None:
            tell(len(measured), len(with_rows))
    return measured


def _measuring(table: dict[str, Any], described: list[Column]) -> str:
    parts = [_exact(column) for column in described if not column.virtual]
    if table["type"] == VERSIONED and not any(column.boundary for column in described):
        parts += ["ROW_START", "ROW_END"]
    number = f"CAST(CONV(LEFT(MD5(CONCAT_WS(',', {', '.join(parts) or '1'})), 16), 16, 10) AS UNSIGNED)"
    history = " FOR SYSTEM_TIME ALL" if table["type"] == VERSIONED else ""
    return (
        f"SELECT JSON_ARRAY(COUNT(*), CAST(COALESCE(SUM(IFNULL({number}, {UNMEASURED})), 0) AS CHAR))"
        f" FROM {quoted(table['name'])}{history}"
    )


def _exact(column: Column) -> str:
    """Return an expression whose text is another one for every other value, and for NULL."""
    name = quoted(column.name)
    if column.type in SHORT:
        # With its length before it, no value can be taken for two, nor for the one beside it.
        return f"IFNULL(CONCAT(OCTET_LENGTH({name}), ':', CAST({name} AS BINARY)), 'N')"
    if column.type in LONG or column.type in GEOMETRY:
        return f"IFNULL(MD5({name}), 'N')"
    if column.inexact():
        return f"IFNULL({name} + 0e0, 'N')"
    if column.type in NUMBERED:
        return f"IFNULL({name} + 0, 'N')"
    return f"IFNULL({name}, 'N')"


def structure(session: Session, database: str, found: list[dict[str, Any]], held: dict[str, Any]) -> dict[str, Any]:
    """Return digests by name of everything that is not rows, and the positions of counters."""
    made = definitions(session, found)
    statuses = held.get("events", {})
    named: dict[str, dict[str, str]] = {"views": {}, "routines": {}, "triggers": {}, "events": {}}
    for thing in [*objects(session, database, found), *held.get("objects", [])]:
        if thing.get("passes"):
            continue  # it ends by itself one day, and cannot be made again after that
        if thing["kind"] == "event" and thing["name"] in statuses:
            thing = {**thing, "status": statuses[thing["name"]]}
        category = {"view": "views", "trigger": "triggers", "event": "events"}.get(thing["kind"], "routines")
        name = f"{thing['kind']} {thing['name']}" if category == "routines" else thing["name"]
        named[category][name] = _digest(thing)
    return {
        "algorithm": ALGORITHM,
        "database": dict(database_made(session, database)),
        **{kind: {name: _digest(text) for name, text in each.items()} for kind, each in made.items()},
        **named,
        "at least": positions(session, found),
    }


def positions(session: Session, found: list[dict[str, Any]]) -> dict[str, int]:
    """Return how far each counter has come. They stand outside of every snapshot and only go on."""
    reached = {table["name"]: int(table["counter"]) for table in found if table["counter"]}
    for table in found:
        if table["type"] != SEQUENCE:
            continue
        session.run("SAVEPOINT read_one")
        ((following, start, step, cycle),) = session.documents(
            "SELECT JSON_ARRAY(next_not_cached_value, start_value, increment, cycle_option)"
            f" FROM {quoted(table['name'])}"
        )
        session.run("ROLLBACK TO SAVEPOINT read_one")
        if not int(str(cycle)):
            # Counted in its own steps, so that one that counts down grows too.
            reached[table["name"]] = (int(str(following)) - int(str(start))) // (int(str(step)) or 1)
    return reached


def _digest(definition: Any) -> str:
    text = json.dumps(definition, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
