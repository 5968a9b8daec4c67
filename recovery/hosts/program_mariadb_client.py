"""Shipped program: how a MariaDB server is spoken to: its client as a session, programs of the right version, errors.

Standard library only, Python 3.9 or newer. No password is ever an argument: clients read it from a private file, and
no other option file is ever read.
"""

# Paths are joined from directories that are handed over.
# ruff: noqa: PTH110

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from typing import IO

from .program_error import ProgramError
from .program_mariadb_errors import explained
from .program_server import hold

PASSWORD_FILE = "client.cnf"  # noqa: S105 - the name of a file
OLDEST_SERVER = (10, 6)
CONNECT_SECONDS = 10
LONGEST_IDLE = 28 * 24 * 3600

# How every client runs: of a statement that fails it shows the error alone, and not the rows that were in it.
QUIETLY = ["--batch", "--loose-skip-print-query-on-error", "--binary-mode", "--comments", "--skip-reconnect"]
QUIETLY.append("--default-character-set=utf8mb4")
# A session with a snapshot waits for others that work, and one that loads for bytes that come from far away.
NEVER_IDLE = {
    "idle_transaction_timeout": "0",
    "idle_readonly_transaction_timeout": "0",
    "idle_write_transaction_timeout": "0",
}
# What a server may have set otherwise, and what the text of values and definitions depends on.
MODE = "NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO"
SETTINGS = {
    "sql_mode": f"'{MODE}'",
    "time_zone": "'+00:00'",
    "collation_connection": "'utf8mb4_bin'",
    "autocommit": "1",
    "foreign_key_checks": "1",
    "unique_checks": "1",
    "tx_isolation": "'REPEATABLE-READ'",
    "tx_read_only": "0",
    "max_statement_time": "0",
    **NEVER_IDLE,
    "wait_timeout": str(LONGEST_IDLE),
    "net_write_timeout": "3600",
    "sql_quote_show_create": "1",
    "sql_safe_updates": "0",
    "sql_select_limit": "18446744073709551615",
    "sql_big_selects": "1",
    "system_versioning_asof": "DEFAULT",
    "lc_messages": "'en_US'",
}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


class Target:
    """The database that a call is about, and how it is reached: what the source hands over as JSON."""

    def __init__(self, text: bytes) -> None:
        given = json.loads(text)
        self.server = str(given["server"])
        self.port = int(given["port"])
        self.user = str(given["user"])
        self.database = str(given["database"])
        self.private = str(given["private"])
        hold(self.private)
        self.lock_timeout = float(given["lock_timeout"])
        self.lock_nontransactional = bool(given["lock_nontransactional"])
        self.write_binlog = bool(given["write_binlog"])

    def options(self) -> list[str]:
        """Return what makes a client reach the server; first of all which option files it reads."""
        password = os.path.join(self.private, PASSWORD_FILE)
        found = [f"--defaults-file={password}" if self.private and os.path.exists(password) else "--no-defaults"]
        if self.user:
            found.append(f"--user={self.user}")
        if self.server.startswith("/"):
            found.append(f"--socket={self.server}")
        elif self.server:
            found += [f"--host={self.server}", f"--port={self.port}", "--protocol=tcp"]
        return found

    def seconds(self) -> int:
        """Return how long a lock is waited for; the server counts in whole seconds."""
        return max(1, math.ceil(self.lock_timeout))

    def place(self) -> str:
        """Return where the server is, as people are told."""
        return self.server or "the local socket"


class Session:
    """One session of the client, which ends at the first error. What changes data says so, for the binary log."""

    def __init__(self, target: Target, database: str = "", *, changing: bool = False) -> None:
        self.target = target
        self.database = database
        self._end = f"end-{secrets.token_hex(8)}"
        # Random, since bodies hold all usual ones; clients take 15 characters of it.
        self._delimiter = f"//{secrets.token_hex(6)}"
        self._complaints = complaints()
        argv = [program("mariadb"), *target.options(), *QUIETLY, "--skip-column-names", "--unbuffered", "--quick"]
        argv += [f"--connect-timeout={CONNECT_SECONDS}", f"--delimiter={self._delimiter}"]
        self._process = subprocess.Popen(
            [*argv, f"--database={database}"] if database else argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment(),
        )
        self.run(self._settings(changing))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def run(self, statement: str, encoding: str = "utf-8") -> list[list[str]]:
        """Run one statement; return its rows. Raises ProgramError."""
        return list(self.rows(statement, encoding))

    def rows(self, statement: str, encoding: str = "utf-8") -> Iterator[list[str]]:
        """Run one statement; yield its rows as they come, which must all be taken. Raises ProgramError."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101 - pipes
        end = f"\n{self._delimiter}\nSELECT '{self._end}'\n{self._delimiter}\n"
        try:
            self._process.stdin.write(statement.encode(encoding) + end.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        while True:
            line = self._process.stdout.readline()
            if not line:
                raise self._failure()
            text = line.rstrip(b"\n").decode("utf-8", "surrogateescape")
            if text == self._end:
                return
            yield [_ESCAPED.sub(_unescaped, field) for field in text.split("\t")]

    def documents(self, statement: str) -> list[list[object]]:
        """Run a statement whose rows are one column of JSON; return its values."""
        return [json.loads(row[0]) for row in self.run(statement)]

    def one(self, statement: str) -> str:
        """Run a statement that gives exactly one value; return it."""
        ((answer,),) = self.run(statement)
        return answer

    def reset(self) -> None:
        """Take back what was set for the making of one object."""
        names = ("sql_mode", "time_zone", "collation_connection")
        assignments = [f"{name} = {SETTINGS[name]}" for name in names]
        self.run(f"SET SESSION character_set_client = 'utf8mb4', {', '.join(assignments)}")

    def _settings(self, changing: bool) -> str:
        assignments = [f"{name} = {value}" for name, value in SETTINGS.items()]
        seconds = self.target.seconds()
        assignments += [f"lock_wait_timeout = {seconds}", f"innodb_lock_wait_timeout = {seconds}"]
        if changing and not self.target.write_binlog:
            assignments.append("sql_log_bin = 0")
        return f"SET SESSION {', '.join(assignments)}"

    def _failure(self) -> ProgramError:
        self._process.wait()
        self._complaints.seek(0)
        return explained(self._complaints.read().decode(errors="replace"), self.target, self.database)


def complaints() -> IO[bytes]:
    """Return where a program's errors go. Not a pipe, since nobody reads it meanwhile; and no disk ever has it."""
    return os.fdopen(os.memfd_create("complaints"), "w+b")


def _unescaped(match: re.Match[str]) -> str:
    return _ESCAPES.get(match.group(1), match.group(1))


def environment() -> dict[str, str]:
    """Return the environment of every client: nothing that would make it read options from elsewhere."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}


def literal(text: str) -> str:
    """Return text as an SQL literal, in a session without backslash escapes."""
    return "'" + text.replace("'", "''") + "'"


def quoted(*names: str) -> str:
    """Return a name, or a name in a database, as an SQL identifier."""
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def in_database(column: str, name: str) -> str:
    """Return the condition for a database's name in information_schema, whose collation knows no case."""
    return f"{column} = {literal(name)} AND BINARY {column} = {literal(name)}"


def as_option_file(password: str) -> str:
    """Return the text of the option file that hands a password over."""
    escaped = password.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'[client]\npassword="{escaped}"\n'


def program(name: str) -> str:
    """Return the path of one of MariaDB's programs."""
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        raise ProgramError(
            "SourceError",
            f"the program {name} is not installed",
            "nothing was touched",
            "install MariaDB's programs on this machine (Debian: mariadb-client, and mariadb-server for the worker)",
        )
    return path


def server_version(session: Session) -> str:
    """Return the server's version. Raises ProgramError when it is too old, or no MariaDB at all."""
    said = session.one("SELECT VERSION()")
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", said)
    if "mariadb" not in said.lower() or numbers is None:
        raise ProgramError(
            "SourceError",
            f"the server of {session.target.database} says that it is {said}, which is no MariaDB",
            "nothing was touched",
            "MySQL was never tried: back it up by its own means",
        )
    if tuple(map(int, numbers.groups()[:2])) < OLDEST_SERVER:
        raise ProgramError(
            "SourceError",
            f"the server of {session.target.database} is of version {numbers.group(0)}",
            "nothing was touched",
            "only MariaDB 10.6 and newer are backed up; upgrade the server",
        )
    return numbers.group(0)


def client(name: str, server: str) -> tuple[str, str]:
    """Given a program and the server's version, return the program's path and version.

    Raises ProgramError when it is older than the server: it would leave out what it does not know.
    """
    path = program(name)
    said = subprocess.run([path, "--no-defaults", "--version"], capture_output=True, check=False, env=environment())
    numbers = re.search(rb"(\d+)\.(\d+)\.(\d+)-MariaDB", said.stdout)
    have = numbers.group(0).partition(b"-")[0].decode() if numbers else "unknown"
    if numbers is None or _series(have) < _series(server):
        raise ProgramError(
            "SourceError",
            f"{name} is of version {have} and the server of version {server}",
            "nothing was touched",
            "install the programs of the server's version",
        )
    return path, have


def _series(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split(".")[:2])
