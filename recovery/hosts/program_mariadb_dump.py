"""Shipped program: dump a MariaDB database and measure it in the same snapshot. Standard library only, Python 3.9+.

MariaDB cannot lend a snapshot to another session. So nothing may be committed from before the first snapshot is opened
until the second one is: the time between is the only one in which the application waits, and it is reported.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timezone
from typing import Any

from .program_error import ProgramError, listed
from .program_mariadb_client import Session, Target, client, complaints, environment, quoted, server_version
from .program_mariadb_content import assembled, columns, positions, rows, structure
from .program_mariadb_errors import explained
from .program_mariadb_globals import server_globals
from .program_mariadb_rows import write_all, write_rows
from .program_mariadb_structure import SEQUENCE, VERSIONED, VIEW, objects, tables

PIECE = 1 << 20
KEPT = 4096
MEBIBYTE = 1 << 20
# More no server can be told to take.
LARGEST_PACKET = 1 << 30
STATEMENT_END = b";\n"
# Only the first of these was written before mariadb-dump began its snapshot; nothing of it is longer than a line.
FIRST_OBJECT = re.compile(rb"\n--\n-- (?!Host: )")
SANDBOX = re.compile(rb"^/\*M?!999999\\- [^\n]*\n")
COMPLETED = b"-- Dump completed"
# The last line of all: the rows that mariadb-dump cannot write come behind its own.
END = b"-- pulih: end of the dump\n"


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
        longest = dumping.longest.bytes
        for table in inexact:
            longest = max(longest, write_rows(measuring, table, described[table["name"]]))
        write_all(1, END)
        things = objects(measuring, target.database, found)
        after = structure(measuring, target.database, tables(measuring, target.database), {})
        _require_unchanged(target, before, after)
        taken = int(measuring.one("SELECT @@GLOBAL.max_allowed_packet"))
        outside = server_globals(measuring, target.database, things, version)
        measuring.run("ROLLBACK")
    passing = [
        f"the event {thing['name']} ends by itself: a restore after that is without it"
        for thing in things
        if thing.get("passes")
    ]
    if longest >= taken:
        warnings.append(too_long(longest, taken))
    return {
        "fingerprint": assembled(content, {**before, "at least": at_least}, found),
        "globals": outside,
        "snapshot": {
            "at": at,
            "position": position,
            "lock_milliseconds": round(held * 1000),
            "longest_statement": longest,
        },
        "tools": {"mariadb": version, "mariadb-dump": tool},
        "warnings": [*warnings, *passing],
    }


def too_long(longest: int, taken: int) -> str:
    """Return the warning that a server takes no statement as long as the longest of a dump."""
    needed = min(LARGEST_PACKET, (longest // MEBIBYTE + 1) * MEBIBYTE)
    return (
        f"the longest statement of a dump has {longest} bytes and the server takes {taken}, so that a restore beside"
        f" the live data would fail: SET GLOBAL max_allowed_packet = {needed}, and the same in its configuration"
    )


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
        named = listed([f"{table['name']} ({table['engine']})" for table in without])
        raise ProgramError(
            "SourceError",
            f"tables of the database {target.database} know no snapshot: {named}",
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


class LongestStatement:
    """The bytes of the longest statement that has passed, not counting those of which both ends lie in one chunk."""

    def __init__(self) -> None:
        self.bytes = 0
        self._reaching = 0
        self._before_line_end = False

    def add(self, chunk: bytes) -> None:
        """Given the next bytes, look for ends of statements from both sides: each ends a line, and no value does."""
        cut = self._before_line_end and chunk.startswith(b"\n")
        first = -1 if cut else chunk.find(STATEMENT_END)
        self._before_line_end = chunk.endswith(b";")
        if first < 0 and not cut:
            self._reaching += len(chunk)
            return
        self.bytes = max(self.bytes, self._reaching + first)
        last = chunk.rfind(STATEMENT_END)
        self._reaching = len(chunk) - (last + len(STATEMENT_END) if last >= 0 else 1)


class _Dumping:
    """A running mariadb-dump, whose output goes on to stdout in a thread."""

    def __init__(self, argv: list[str], target: Target) -> None:
        self._target = target
        self._begun = threading.Event()
        self._tail = b""
        self.longest = LongestStatement()
        self._fault: OSError | None = None
        self._complaints = complaints()
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
                write_all(1, chunk)
                self.longest.add(chunk)
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
