"""What the judge asks a MariaDB server about a copy: whether tables are there, their rows, and rows without a parent.

Sessions are those of the source's judge_url: they only read, and names stand in quotation marks.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy

# Damaged or missing files of a table: ER_NOT_FORM_FILE, ER_CRASHED_ON_USAGE, ER_NO_SUCH_TABLE_IN_ENGINE and the like.
DAMAGED = (1033, 1034, 1035, 1194, 1195, 1712, 1932)
# The parent is in another database, which is not where copies are proven: ER_NO_SUCH_TABLE, ER_BAD_DB and no rights.
ELSEWHERE = (1044, 1049, 1142, 1146)

Read = Callable[..., Any]


def is_damaged(error: BaseException) -> bool:
    """Given what the driver raised, say whether the server found a table's files damaged."""
    return bool(error.args) and error.args[0] in DAMAGED


def count(engine: Any, table: str, read: Read) -> Any:
    """Return the rows of a table, history included; None when it is not there, or what `read` found damaged."""
    query = (
        "SELECT TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
        " AND TABLE_NAME = %s AND BINARY TABLE_NAME = %s"
    )
    # The catalog of the server answers whatever happened to a table's files.
    found = read(engine, query, (table, table))
    if not found:
        return None
    history = " FOR SYSTEM_TIME ALL" if found[0][0] == "SYSTEM VERSIONED" else ""
    rows = read(engine, f"SELECT COUNT(*) FROM {_named(table)}{history}")  # noqa: S608 - quoted
    return int(rows[0][0]) if isinstance(rows, list) else rows


def orphans(engine: Any, table: str, read: Read) -> Any:
    """Return how many rows of a table point to a parent that is not there; -1 when that cannot be asked here."""
    query = (
        "SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME"
        " FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
        " AND BINARY TABLE_NAME = %s AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION"
    )
    keys: dict[str, list[Any]] = {}
    for row in read(engine, query, (table, table)):
        keys.setdefault(row[0], []).append(row)
    total = 0
    for columns in keys.values():
        try:
            rows = read(engine, _asking(table, columns))
        except sqlalchemy.exc.DatabaseError as error:
            if error.orig is not None and error.orig.args and error.orig.args[0] in ELSEWHERE:
                return -1
            raise  # pragma: no cover - whatever else may go wrong: the judge then says that he could not look
        if not isinstance(rows, list):
            return rows
        total += int(rows[0][0])
    return total


def _asking(table: str, columns: list[Any]) -> str:
    matched = " AND ".join(f"c.{_named(own)} = p.{_named(theirs)}" for _key, own, _schema, _table, theirs in columns)
    given = " AND ".join(f"c.{_named(own)} IS NOT NULL" for _key, own, *_rest in columns)
    _key, _own, schema, parent, theirs = columns[0]
    return (
        f"SELECT COUNT(*) FROM {_named(table)} c LEFT JOIN {_named(schema)}.{_named(parent)} p ON {matched}"  # noqa: S608 - quoted
        f" WHERE {given} AND p.{_named(theirs)} IS NULL"
    )


def _named(name: str) -> str:
    # The driver takes a percent sign for a place of a value.
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'
