"""Shipped program: write rows of a MariaDB table that mariadb-dump would write otherwise than they are.

Standard library only, Python 3.9 or newer.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import os
from typing import Any

from .program_error import ProgramError
from .program_mariadb_client import Session, quoted
from .program_mariadb_content import Column
from .program_mariadb_structure import VERSIONED

ROWS_AT_ONCE = 1 << 20
NUMERIC = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "double", "year"}
HEAD_OF_ROWS = """
SET NAMES utf8mb4;
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', unique_checks = 0, foreign_key_checks = 0;
SET SESSION autocommit = 0;
"""


def write_rows(session: Session, table: dict[str, Any], described: list[Column]) -> int:
    """Write the rows of a table with FLOAT columns, which mariadb-dump would write with six digits.

    Returns the bytes of the longest statement.
    """
    written = [column for column in described if not column.computed]
    names = [column.name for column in written]
    values = [_as_literal(column) for column in written]
    versioned = table["type"] == VERSIONED
    if versioned and not any(column.boundary for column in described):
        names += ["row_start", "row_end"]
        values += ["QUOTE(row_start)", "QUOTE(row_end)"]
    history = " FOR SYSTEM_TIME ALL" if versioned else ""
    name = quoted(table["name"])
    head = f"INSERT INTO {name} ({', '.join(quoted(each) for each in names)}) VALUES\n"
    write_all(1, HEAD_OF_ROWS.encode())
    if versioned:
        write_all(1, b"SET SESSION system_versioning_insert_history = 1;\n")
    batch: list[str] = []
    size = longest = 0
    # Not CONCAT_WS, which leaves out what is NULL: so a text becomes that is longer than the server can put together.
    separated = ", ',', ".join(values)
    row_text = f"CONCAT('(', {separated}, ')')"
    for (row,) in session.rows(f"SELECT {row_text} FROM {name}{history}"):
        if not row.startswith("("):
            raise ProgramError(
                "SourceError",
                f"a row of the table {table['name']} is longer than the server can put together",
                "nothing was kept",
                "raise max_allowed_packet on the server",
            )
        # A row that is long on its own is not made longer by those before it: a server takes only so much.
        if batch and size + len(row) > ROWS_AT_ONCE:
            longest = max(longest, write_all(1, _insert(head, batch)))
            batch, size = [], 0
        batch.append(row)
        size += len(row)
    if batch:
        longest = max(longest, write_all(1, _insert(head, batch)))
    write_all(1, b"COMMIT;\n")
    return longest


def _insert(head: str, batch: list[str]) -> bytes:
    text = ",\n".join(batch)
    return f"{head}{text};\n".encode()


def _as_literal(column: Column) -> str:
    """Return an expression for the literal that gives exactly a column's value: no line end in it, no character set."""
    name = quoted(column.name)
    if column.type == "float":
        return f"IFNULL({name} + 0e0, 'NULL')"
    if column.type in ("enum", "set", "bit"):
        return f"IFNULL({name} + 0, 'NULL')"
    if column.type in ("char", "varchar", "tinytext", "text", "mediumtext", "longtext"):
        return (
            f"IF({name} IS NULL, 'NULL', IF(OCTET_LENGTH({name}) = 0, '''''',"
            f" CONCAT('_utf8mb4 0x', HEX(CONVERT({name} USING utf8mb4)))))"
        )
    if column.type in ("date", "datetime", "timestamp", "time", "uuid", "inet4", "inet6"):
        return f"QUOTE({name})"
    if column.type in NUMERIC:
        return f"IFNULL({name}, 'NULL')"
    return f"IF({name} IS NULL, 'NULL', IF(OCTET_LENGTH({name}) = 0, '''''', CONCAT('0x', HEX({name}))))"


def write_all(descriptor: int, data: bytes) -> int:
    """Write all of the data; return its length."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(data)
