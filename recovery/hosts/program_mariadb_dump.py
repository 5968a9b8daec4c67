"""Shipped program: dump a MariaDB database and measure it in the same snapshot. Standard library only, Python 3.9+.

MariaDB cannot lend a snapshot to another session. So nothing may be committed from before the first snapshot is opened
until the second one is: the time between is the only one in which the application waits, and it is reported.
"""

# Statements are put together of constants, and of names and literals that are quoted in one place.
# ruff: noqa: S608

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import IO, Any

from .program_error import ProgramError
from .program_mariadb_client import Session, Target, client, environment, quoted, server_version
from .program_mariadb_content import Column, assembled, columns, positions, rows, structure
from .program_mariadb_errors import explained
from .program_mariadb_globals import server_globals
from .program_mariadb_structure import SEQUENCE, VERSIONED, VIEW, objects, tables

PIECE = 1 << 20
KEPT = 4096
# Only the first of these was written before mariadb-dump began its snapshot; nothing of it is longer than a line.
FIRST_OBJECT = re.compile(rb"\n--\n-- (?!Host: )")
SANDBOX = re.compile(rb"^/\*M?!999999\\- [^\n]*\n")
COMPLETED = b"-- Dump completed"
# The last line of all: the rows that mariadb-dump cannot write come behind its own.
END = b"-- pulih: end of the dump\n"
ROWS_AT_ONCE = 1 << 20
NUMERIC = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "double", "year"}
HEAD_OF_ROWS = """
SET NAMES utf8mb4;
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', unique_checks = 0, foreign_key_checks = 0;
SET SESSION autocommit = 0;
"""


def dump(arguments: list[bytes]) -> dict[str, Any]:
    """Write tables, sequences and rows to stdout; return their fingerprint and what is outside of tables."""
    target = Target(arguments[0])
    with ExitStack() as open_things:
        measuring = open_things.enter_context(Session(target, target.database))
        version = server_version(measuring)
        path, tool = client("mariadb-dump", version)
        found = tables(measuring, target.database)
        refuse_nontransactional(target, found)
        # Before the snapshot: counters stand outside of it and go on, so the dump has at least these.
        measuring.run("BEGIN")
        at_least = positions(measuring, found)
        measuring.run("ROLLBACK")
        described = columns(measuring, target.database)
        inexact = [table for table in found if any(column.inexact() for column in described.get(table["name"], []))]
        argv = _dumping(target, path, found, inexact)
        with Session(target) as holder:
            # Idle it is only while others wait for a lock each. When this host vanishes, the server ends it after that.
            holder.run(f"SET SESSION wait_timeout = {holding_seconds(target)}")
            begun = time.monotonic()
            holder.run("BACKUP STAGE START")
            holder.run("BACKUP STAGE BLOCK_COMMIT")
            # Now, since a statement that waits for these locks would keep the stage waiting.
            _lock_nontransactional(open_things, target, found)
            measuring.run("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            at = datetime.now(timezone.utc).isoformat(timespec="microseconds")  # noqa: UP017 - Python 3.9
            position = holder.one("SELECT @@gtid_binlog_pos")
            dumping = open_things.enter_context(_Dumping(argv, target))
            # Its first word about a table comes after its snapshot was opened.
            dumping.wait_until_begun()
            holder.run("BACKUP STAGE END")
            held = time.monotonic() - begun
        before = structure(measuring, target.database, found, {})
        content = rows(measuring, target.database, found)
        warnings = dumping.finish()
        for table in inexact:
            _write_rows(measuring, table, described[table["name"]])
        _write_all(1, END)
        things = objects(measuring, target.database, found)
        after = structure(measuring, target.database, tables(measuring, target.database), {})
        _require_unchanged(target, before, after)
        outside = server_globals(measuring, target.database, things, version)
        measuring.run("ROLLBACK")
    passing = [
        f"the event {thing['name']} ends by itself: a restore after that is without it"
        for thing in things
        if thing.get("passes")
    ]
    return {
        "fingerprint": assembled(content, {**before, "at least": at_least}, found),
        "globals": outside,
        "snapshot": {"at": at, "position": position, "lock_milliseconds": round(held * 1000)},
        "tools": {"mariadb": version, "mariadb-dump": tool},
        "warnings": [*warnings, *passing],
    }


def holding_seconds(target: Target) -> int:
    """Return for how long the session that keeps commits back may say nothing before the server ends it."""
    return 4 * target.seconds() + 10


def nontransactional(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tables that know no snapshot."""
    return [table for table in found if table["type"] not in (VIEW, SEQUENCE) and table["transactional"] != "YES"]


def refuse_nontransactional(target: Target, found: list[dict[str, Any]]) -> None:
    """Raise ProgramError when tables would have to be locked and nobody allowed it."""
    without = nontransactional(found)
    if without and not target.lock_nontransactional:
        named = ", ".join(f"{table['name']} ({table['engine']})" for table in without[:5])
        more = f" and {len(without) - 5} more" if len(without) > 5 else ""
        raise ProgramError(
            "SourceError",
            f"tables of the database {target.database} know no snapshot: {named}{more}",
            "nothing was touched",
            "ALTER TABLE … ENGINE=InnoDB, or set lock_nontransactional: they are then locked for the whole dump",
        )


def _lock_nontransactional(open_things: ExitStack, target: Target, found: list[dict[str, Any]]) -> None:
    without = nontransactional(found)
    if without:
        locker = open_things.enter_context(Session(target, target.database))
        locker.run("LOCK TABLES " + ", ".join(f"{quoted(table['name'])} READ" for table in without))


def _dumping(target: Target, path: str, found: list[dict[str, Any]], inexact: list[dict[str, Any]]) -> list[str]:
    argv = [path, *target.options(), "--single-transaction", "--quick", "--hex-blob", "--no-autocommit"]
    argv += ["--skip-triggers", "--no-tablespaces", "--skip-dump-date", "--default-character-set=utf8mb4"]
    # Locks of its own would keep the load from sequences that defaults name, and nobody else is there to be kept away.
    argv += ["--max-allowed-packet=1G", "--skip-add-locks"]
    # Each of them is made anew out of plain data; see program_mariadb_structure.
    argv += [f"--ignore-table={target.database}.{table['name']}" for table in found if table["type"] == VIEW]
    argv += [f"--ignore-table-data={target.database}.{table['name']}" for table in inexact]
    if any(table["type"] == VERSIONED for table in found):
        argv.append("--dump-history")
    return [*argv, "--", target.database]


class _Dumping:
    """A running mariadb-dump, whose output goes on to stdout in a thread."""

    def __init__(self, argv: list[str], target: Target) -> None:
        self._target = target
        self._begun = threading.Event()
        self._tail = b""
        self._fault: OSError | None = None
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=self._complaints, env=environment())
        self._pump = threading.Thread(target=self._move, daemon=True)
        self._pump.start()

    def __enter__(self) -> _Dumping:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._complaints.close()

    def wait_until_begun(self) -> None:
        """Return when something was dumped, or it has ended without. Raises ProgramError: nobody waits for ever."""
        if not self._begun.wait(self._target.seconds()):
            raise ProgramError(
                "SourceLockedError",
                f"mariadb-dump read nothing of the database {self._target.database} for {self._target.seconds()} s",
                "commits go on, and nothing was kept",
                "let what holds a table's lock finish, or allow more time (lock_timeout)",
            )

    def finish(self) -> list[str]:
        """Wait for the end; return warnings. Raises ProgramError unless all of it was written."""
        self._pump.join()
        self._process.wait()
        if self._fault is not None:
            raise self._fault
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace")
        if self._process.returncode != 0 or not self._tail.rstrip().rpartition(b"\n")[2].startswith(COMPLETED):
            raise explained(said, self._target, self._target.database)
        return [line for line in said.splitlines() if line.strip()]

    def _move(self) -> None:
        try:
            for chunk in self._chunks():
                _write_all(1, chunk)
                self._tail = (self._tail + chunk[-KEPT:])[-KEPT:]
        except OSError as error:
            self._fault = error
            self._process.kill()
        finally:
            self._begun.set()

    def _chunks(self) -> Iterator[bytes]:
        assert self._process.stdout is not None  # noqa: S101 - a pipe
        source = self._process.stdout.fileno()
        head = b""
        while not FIRST_OBJECT.search(head):
            chunk = os.read(source, PIECE)
            if not chunk:
                break
            head += chunk
        self._begun.set()
        # A line that older clients stumble over. What it forbids is forbidden by other means where we load.
        yield SANDBOX.sub(b"", head)
        while chunk := os.read(source, PIECE):
            yield chunk


def _write_rows(session: Session, table: dict[str, Any], described: list[Column]) -> None:
    """Write the rows of a table with FLOAT columns, which mariadb-dump would write with six digits."""
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
    _write_all(1, HEAD_OF_ROWS.encode())
    if versioned:
        _write_all(1, b"SET SESSION system_versioning_insert_history = 1;\n")
    batch: list[str] = []
    size = 0
    for (row,) in session.rows(f"SELECT CONCAT('(', CONCAT_WS(',', {', '.join(values)}), ')') FROM {name}{history}"):
        if not row.startswith("("):
            raise ProgramError(
                "SourceError",
                f"a row of the table {table['name']} is longer than the server can put together",
                "nothing was kept",
                "raise max_allowed_packet on the server",
            )
        batch.append(row)
        size += len(row)
        if size > ROWS_AT_ONCE:
            _write_all(1, _insert(head, batch))
            batch, size = [], 0
    if batch:
        _write_all(1, _insert(head, batch))
    _write_all(1, b"COMMIT;\n")


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
            f"IFNULL(IF(OCTET_LENGTH({name}) = 0, '''''',"
            f" CONCAT('_utf8mb4 0x', HEX(CONVERT({name} USING utf8mb4)))), 'NULL')"
        )
    if column.type in ("date", "datetime", "timestamp", "time", "uuid", "inet4", "inet6"):
        return f"QUOTE({name})"
    if column.type in NUMERIC:
        return f"IFNULL({name}, 'NULL')"
    return f"IFNULL(IF(OCTET_LENGTH({name}) = 0, '''''', CONCAT('0x', HEX({name}))), 'NULL')"


def _require_unchanged(target: Target, before: dict[str, Any], after: dict[str, Any]) -> None:
    changed = sorted(
        name
        for category in before
        if isinstance(before[category], dict) and category != "at least"
        for name in before[category].keys() | after[category].keys()
        if before[category].get(name) != after[category].get(name)
    )
    if changed:
        raise ProgramError(
            "SourceError",
            f"somebody changed {', '.join(changed[:5])} in the database {target.database} while it was dumped",
            "the dump is worthless",
            "run it again",
        )


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
