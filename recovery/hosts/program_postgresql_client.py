"""Shipped program: how a PostgreSQL server is spoken to: psql as a session, programs of the right version, errors.

Standard library only, Python 3.9 or newer. No password is ever an argument: libpq reads it from a private file.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile
from typing import IO, Any

from .program_error import ProgramError
from .program_server import hold

PROGRAMS = "/usr/lib/postgresql"
OLDEST_SERVER = 13
CONNECT_SECONDS = 10
MAINTENANCE = "postgres"

# What a role, a database or a server may have set otherwise, and what the text of values depends on.
SETTINGS = {
    "client_min_messages": "error",
    "search_path": "pg_catalog",
    "row_security": "off",
    "default_transaction_read_only": "off",
    "synchronous_commit": "on",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "quote_all_identifiers": "off",
}
# Limits that not every version knows. They end a session in the midst of a long dump; pg_dump lifts them for itself.
LIMITS_LIFTED = """
SELECT to_jsonb(set_config(name, '0', false)) FROM pg_settings
WHERE name IN ('transaction_timeout', 'idle_session_timeout')
"""
_PRIMARY = re.compile(r"^[^\s:]+:\s+([0-9A-Z]{5}): (.*)$", re.MULTILINE)
_QUOTED_VALUE = re.compile(r": \".*$")


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

    def environment(self, database: str) -> dict[str, str]:
        """Return what libpq needs to reach one of the server's databases."""
        found = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            "LC_ALL": "C.UTF-8",
            "PGPORT": str(self.port),
            "PGDATABASE": database,
            "PGCLIENTENCODING": "UTF8",
            "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS),
            "PGAPPNAME": "pulih",
            # With the connection and not by the first statement, which a database's own limit might already stop.
            "PGOPTIONS": "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0",
        }
        if self.server:
            found["PGHOST"] = self.server
        if self.user:
            found["PGUSER"] = self.user
        if self.private:
            found["PGPASSFILE"] = os.path.join(self.private, "pgpass")
        return found

    def place(self) -> str:
        """Return where the server is, as people are told."""
        return self.server or "the local socket"


class Session:
    """One session of psql. Each answer is one JSON document per line, so that no value can be taken for another."""

    def __init__(self, target: Target, database: str) -> None:
        self.target = target
        self.database = database
        self._end = f"end-{secrets.token_hex(8)}"
        # A file and not a pipe: nobody needs to read it meanwhile.
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the session
        argv = [program("psql"), "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=target.environment(database),
        )
        statements = [f"SET {name} = '{value}'" for name, value in SETTINGS.items()]
        statements.append(f"SET lock_timeout = {round(target.lock_timeout * 1000)}")
        statements.append(LIMITS_LIFTED)
        self.run(";\n".join(statements))

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def run(self, statements: str) -> list[Any]:
        """Run SQL; return one value for each row, of which each is one column of JSON. Raises ProgramError."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101 - pipes
        try:
            self._process.stdin.write(f"{statements}\n;\n\\echo {self._end}\n".encode("utf-8", "surrogateescape"))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        answers: list[Any] = []
        while True:
            line = self._process.stdout.readline()
            if not line:
                raise self._failure()
            text = line.rstrip(b"\n").decode("utf-8", "surrogateescape")
            if text == self._end:
                return answers
            answers.append(json.loads(text))

    def one(self, statement: str) -> Any:
        """Run SQL that gives exactly one row; return its value."""
        (answer,) = self.run(statement)
        return answer

    def _failure(self) -> ProgramError:
        self._process.wait()
        self._complaints.seek(0)
        return explained(self._complaints.read().decode(errors="replace"), self.target, self.database)


def literal(text: str) -> str:
    """Return text as an SQL literal, whatever the server's settings."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def program(name: str, major: int = 0) -> str:
    """Return the path of one of PostgreSQL's programs: of this major version, or the newest there is.

    Debian's wrappers in /usr/bin are passed over: they choose a version by clusters that have nothing to do with this.
    """
    found = {path.parent.name: path / name for path in pathlib.Path(PROGRAMS).glob("*/bin")}
    there = {
        int(version): str(path) for version, path in found.items() if version.isdigit() and os.access(path, os.X_OK)
    }
    if major in there:
        return there[major]
    if there:
        return there[max(there)]
    path = shutil.which(name)
    if path is None:
        raise ProgramError(
            "SourceError",
            f"the program {name} is not installed",
            "nothing was touched",
            "install PostgreSQL's programs on this machine (Debian: postgresql-client, and postgresql for the worker)",
        )
    return path


def client(name: str, server_version: int) -> tuple[str, str]:
    """Given a program and the server's version number, return the program's path and version.

    Raises ProgramError when it is of another major version: an older one would leave out what it does not know; what a
    newer one writes, the server's own programs cannot read; and it sets what the server does not know.
    """
    major = server_version // 10000
    path = program(name, major)
    said = subprocess.run([path, "--version"], capture_output=True, check=False, env={"PATH": os.defpath}).stdout
    numbers = re.search(rb"(\d+)(?:\.(\d+))?", said)
    if numbers is None or int(numbers.group(1)) != major:
        have = numbers.group(0).decode() if numbers else "unknown"
        raise ProgramError(
            "SourceError",
            f"{name} is of version {have} and the server of version {major}",
            "nothing was touched",
            f"install the programs of the server's version (Debian: postgresql-client-{major})",
        )
    return path, numbers.group(0).decode()


def explained(said: str, target: Target, database: str) -> ProgramError:
    """Given what psql, pg_dump or pg_restore said, return the error that an operator can treat."""
    match = _PRIMARY.search(said)
    code, message = match.groups() if match else ("", _first_error(said))
    message = without_values(code, message)
    kind, hint = _by_code(code, target, database) if code else _by_words(message, target, database)
    return ProgramError(kind, f"the database {database} on {target.place()}: {message}", "nothing was changed", hint)


def without_values(code: str, message: str) -> str:
    """Return the first line of a server's message without what may come out of the data."""
    # Classes 22 and 23: the message itself may quote a value after a colon; details and contexts are never taken.
    return _QUOTED_VALUE.sub("", message) if code[:2] in ("22", "23", "") else message


def _first_error(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    for line in lines:
        for mark in ("FATAL:", "ERROR:", "error:"):
            if mark in line:
                return line.rpartition(mark)[2].strip()
    return lines[0].strip() if lines else "the program ended without a word"


def _by_code(code: str, target: Target, database: str) -> tuple[str, str]:
    role = target.user or "Pulih's account on the host"
    codes = {
        "55P03": ("SourceLockedError", "let what holds the lock finish, or allow more time (lock_timeout)"),
        "40P01": ("SourceLockedError", "run it again"),
        "55006": ("SourceBusyError", "stop the programs that are connected to it, then continue"),
        "42501": ("SourceError", f"give {role} the rights that docs/postgresql.md names"),
        "3D000": ("SourceMissingError", "correct the name in the inventory, or restore the database"),
        "53100": ("StoreFullError", "make room where the server keeps its data"),
        "53300": ("SourceError", "wait until connections are free, or raise max_connections"),
        "42704": ("SourceError", "create on this server what the backup needs"),
        "58P01": ("SourceError", "install the missing package (an extension?) on the server"),
        "0A000": ("SourceError", "install the missing package (an extension?) on the server"),
        "XX001": ("SourceCorruptError", "the server's files are damaged: restore an earlier backup"),
        "XX002": ("SourceCorruptError", "an index is damaged: reindex, or restore an earlier backup"),
    }
    if code in codes:
        return codes[code]
    if code[:2] in ("08", "57"):
        return "SourceError", "see whether the server was stopped, and run it again"
    return "SourceError", ""


def _by_words(message: str, target: Target, database: str) -> tuple[str, str]:
    """Before a session stands there is no code; words of programs are English, the server's of its own language."""
    low = message.lower()
    if "not currently accepting connections" in low:
        return "SourceLockedError", f"allow them: ALTER DATABASE {quoted(database)} ALLOW_CONNECTIONS true"
    if low.startswith("database ") and "does not exist" in low:
        return "SourceMissingError", "correct the name in the inventory, or restore the database"
    # What the server says to pg_dump and pg_restore, which give no code, comes before single words: names of tables
    # and roles may be such words. Only pg_dump's own limit for locks is a statement's (--lock-wait-timeout).
    if "statement timeout" in low or "lock timeout" in low:
        return "SourceLockedError", "let what holds the lock finish, or allow more time (lock_timeout)"
    if "permission denied for database" in low:
        return "SourceError", f"GRANT CONNECT ON DATABASE {quoted(database)} TO {target.user or 'the role'}"
    if any(words in low for words in ("permission denied", "must be ", "row-level security")):
        return "SourceError", "give the role the rights that docs/postgresql.md names"
    if "peer authentication" in low:
        return "SourceError", "tell the server who this account is: see 'How the roles log in' in docs/postgresql.md"
    if "password" in low or "authentication" in low or "pg_hba.conf" in low or "role" in low:
        return "SourceError", "check user, password and the server's pg_hba.conf"
    if any(
        words in low for words in ("no such file", "refused", "timeout", "translate host", "starting up", "shutting")
    ):
        return "SourceError", "see whether the server runs and listens there"
    if "no space left" in low:
        return "StoreFullError", "make room where the server keeps its data"
    return "SourceError", ""
