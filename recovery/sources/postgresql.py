"""PostgreSQL databases: dumped by pg_dump in a snapshot that the fingerprint shares, swapped by renames.

All work is done by the shipped program on the host, with that host's psql, pg_dump and pg_restore. A copy is a database
of the same server whose name is the live one's with a label; its proof runs in a throw-away server.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from recovery.errors import ConfigurationError, SetError, SourceBusyError
from recovery.hosts.base import Host, InputStream, OutputStream, last_result
from recovery.points import reached
from recovery.sources.base import LABEL, Dump, DumpStream, Fingerprint, Liveness, LoadStream

# Reading a whole database takes as long as it is large; this only ends what hangs.
LONG = 24 * 3600.0
SYSTEM_DATABASES = ("postgres", "template0", "template1")
# What the first line of the globals begins with; the rest of it is JSON.
GLOBALS_MARK = b"-- pulih: "


@dataclass(frozen=True)
class Account:
    """A role of the server; `password` reads it where it is kept, or is None when the server asks for none."""

    user: str = ""
    password: Callable[[], str] | None = None


class PostgresqlSource:
    """One PostgreSQL database on a host."""

    kind = "postgresql"
    extension = "pgdump"
    compression_threads = 0
    # Whether a load makes the roles that the backup needs; on a real server they are the administrator's.
    makes_roles = False

    def __init__(
        self,
        host: Host,
        database: str,
        *,
        server: str = "",
        port: int = 5432,
        account: Account | None = None,
        restore_account: Account | None = None,
        lock_timeout: float = 30,
    ) -> None:
        if not database or database in SYSTEM_DATABASES or "/" in database:
            raise ConfigurationError(
                f"{database!r} cannot be a component of kind postgresql",
                state="nothing was touched",
                hint="name the application's own database; the server's own ones hold no application's data",
            )
        self.host = host
        self.database = database
        self.server = server
        self.port = port
        self.account = account or Account()
        self.restore_account = restore_account or self.account
        self.lock_timeout = lock_timeout

    def identify(self) -> dict[str, Any]:
        """See Source.identify. The server's own number tells it from another one under the same address."""
        system = self._call("identify", account=self.restore_account)["system"]
        machine = self.host.identity()
        return {"machine": machine, "kind": self.kind, "system": system, "database": self.database}

    def preflight(self) -> list[str]:
        """See Source.preflight. Raises SourceError naming what the role may not read, and the grant that is missing."""
        return list(self._call("preflight")["warnings"])

    def size(self) -> int:
        """See Source.size."""
        return int(self._call("size")["size"])

    def free_space(self) -> int:
        """See Source.free_space. The server's data must lie on the host."""
        return int(self._call("space", account=self.restore_account)["free"])

    @contextmanager
    def dump(self) -> Iterator[DumpStream]:
        """See Source.dump."""
        with (
            self._target(self.account) as target,
            self.host.stream(self.host.helper("postgresql", "dump", target)) as output,
        ):
            yield _PostgresqlDump(output)

    def beside(self, label: str) -> str:
        """See Source.beside."""
        if not LABEL.fullmatch(label):
            raise ConfigurationError(f"{label!r} cannot be the label of a copy", hint="use a-z, 0-9 and inner hyphens")
        return f"{self.database}.pulih-{label}"

    @contextmanager
    def load(self, copy: str, server_globals: bytes = b"") -> Iterator[LoadStream]:
        """See Source.load. Until `finish` the copy has another name, so a half one is never taken for a whole one."""
        self._own(copy)
        request = {"globals": read_globals(server_globals), "scratch": self.makes_roles}
        stream = None
        with self._target(self.restore_account, request) as target:
            try:
                with self.host.feed(self.host.helper("postgresql", "load", target, copy)) as program:
                    stream = _PostgresqlLoad(program, lambda: self._keep(copy))
                    yield stream
            finally:
                if stream is None or not stream.kept:
                    self._abandon(target, copy)

    def check(self, copy: str | None = None) -> list[str]:
        """See Source.check. Whatever is damaged cannot be dumped or measured: the server has no cheaper checker."""
        return []

    def fingerprint(self, copy: str | None = None) -> Fingerprint:
        """See Source.fingerprint."""
        account = self.restore_account if copy else self.account
        return Fingerprint.from_json(self._call("fingerprint", copy or self.database, limit=LONG, account=account))

    def quiet(self) -> dict[str, Any]:
        """See Source.quiet: the server knows every session, so the proof is always whole."""
        users = self._call("quiet", account=self.restore_account)["users"]
        if users:
            names = ", ".join(
                f"{each['name']} ({each['user']} from {each['address']}, pid {each['pid']})" for each in users
            )
            raise SourceBusyError(
                f"the database {self.database} is still used by {names}",
                state="nothing was changed",
                hint="stop these programs, then continue",
            )
        return {"sessions": [], "proven": True}

    def prepare_swap(self, copy: str) -> dict[str, Any]:
        """See Source.prepare_swap. Nobody can connect to the copy from now on."""
        self._own(copy)
        return self._call("prepare", copy, account=self.restore_account)

    def swap(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap. The old database refuses connections then: what is written into it would be lost."""
        return self._call("swap", self._checked(receipt), account=self.restore_account)

    def swap_back(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap_back."""
        return self._call("swap_back", self._checked(receipt), account=self.restore_account)

    def live_is(self, receipt: dict[str, Any]) -> Liveness:
        """See Source.live_is."""
        return cast(Liveness, self._call("live_is", self._checked(receipt), account=self.restore_account)["live"])

    def safety_copy(self, receipt: dict[str, Any]) -> str:
        """See Source.safety_copy; empty when there was no old data."""
        return str(receipt["copy"]) if receipt["old"]["exists"] else ""

    def discard(self, copy: str) -> None:
        """See Source.discard."""
        self._own(copy)
        self._call("discard", copy, limit=600, account=self.restore_account)

    def copies(self) -> list[str]:
        """See Source.copies. A half copy that a killed load left is listed under the name it would have got."""
        names = self._call("copies", self.beside("x")[:-1], account=self.restore_account)["names"]
        return sorted({name.removesuffix("~") for name in names if self._is_copy(name.removesuffix("~"))})

    def scratch(self, directory: Path) -> "PostgresqlSource":
        """See Source.scratch: a server of its own, which begins with the first load and ends with `close`."""
        from recovery.sources.postgresql_scratch import ScratchSource

        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return ScratchSource(directory, self.database, self.lock_timeout)

    def close(self) -> None:
        """See Source.close. The server is not ours."""

    def judge_url(self, copy: str, directory: Path) -> str:
        """See Source.judge_url. A password goes into a file that libpq reads, never into the URL."""
        self._own(copy)
        query = {
            "dbname": copy,
            "port": str(self.port),
            "application_name": "pulih",
            "client_encoding": "utf8",
            "options": "-c default_transaction_read_only=on -c statement_timeout=0",
        }
        if self.server:
            query["host"] = self.server
        if self.restore_account.user:
            query["user"] = self.restore_account.user
        if self.restore_account.password is not None:
            query["passfile"] = str(_pass_file(directory, self.restore_account.password()))
        from sqlalchemy import URL

        return URL.create("postgresql+psycopg", query=query).render_as_string(hide_password=False)

    def _abandon(self, target: str, copy: str) -> None:
        self._run("abandon", target, copy, limit=600)

    def _keep(self, copy: str) -> None:
        self._call("keep", copy, account=self.restore_account)

    def _call(self, verb: str, *arguments: str, limit: float = 60, account: Account | None = None) -> dict[str, Any]:
        with self._target(account or self.account) as target:
            return self._run(verb, target, *arguments, limit=limit)

    def _run(self, verb: str, *arguments: str, limit: float) -> dict[str, Any]:
        reached(f"postgresql: before {verb}")
        result = self.host.call("postgresql", verb, *arguments, timeout=limit + self.lock_timeout)
        reached(f"postgresql: after {verb}")
        return result

    @contextmanager
    def _target(self, account: Account, request: dict[str, Any] | None = None) -> Iterator[str]:
        """Lend what the shipped program needs to connect; a password only in a private directory on the host."""
        private = ""
        if account.password is not None or request is not None:
            given = {"password": account.password() if account.password else None, "request": request}
            argv = self.host.helper("postgresql", "begin")
            private = json.loads(self.host.run(argv, stdin=json.dumps(given).encode()).stdout)["directory"]
        try:
            yield json.dumps(
                {
                    "server": self.server,
                    "port": self.port,
                    "user": account.user,
                    "database": self.database,
                    "private": private,
                    "lock_timeout": self.lock_timeout,
                }
            )
        finally:
            if private:
                self.host.call("postgresql", "end", private)

    def _is_copy(self, name: str) -> bool:
        prefix = self.beside("x")[:-1]
        return name.startswith(prefix) and LABEL.fullmatch(name[len(prefix) :]) is not None

    def _own(self, copy: str) -> None:
        if not self._is_copy(copy):
            raise ConfigurationError(f"{copy} is no copy of {self.database}", state="nothing was touched")

    def _checked(self, receipt: dict[str, Any]) -> str:
        if receipt["kind"] != self.kind or receipt["live"] != self.database:
            raise ConfigurationError(f"the receipt is not one of {self.database}", state="nothing was touched")
        self._own(receipt["copy"])
        return json.dumps(receipt)


def read_globals(content: bytes) -> dict[str, Any]:
    """Given a backup's globals, return what a copy is made with: roles, and how the database itself was made."""
    first = content.partition(b"\n")[0]
    try:
        found = json.loads(first.removeprefix(GLOBALS_MARK))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not first.startswith(GLOBALS_MARK):
        raise SetError(
            "the backup's globals are none that this release wrote",
            state="nothing was loaded",
            hint="restore with the release that the manifest names",
        )
    return found


class _PostgresqlDump:
    def __init__(self, output: OutputStream) -> None:
        self._output = output

    def readinto(self, buffer: memoryview | bytearray) -> int:
        return self._output.readinto(buffer)

    def finish(self) -> Dump:
        result = last_result(self._output.finish().stderr)
        fingerprint = Fingerprint.from_json(result["fingerprint"])
        return Dump(
            fingerprint,
            result["snapshot"],
            result["tools"],
            tuple(result["warnings"]),
            "pgdump",
            result["globals"].encode("utf-8", "surrogateescape"),
        )


class _PostgresqlLoad:
    def __init__(self, program: InputStream, keep: Callable[[], None]) -> None:
        self._program, self._keep = program, keep
        self.kept = False

    def write(self, data: bytes | memoryview) -> int:
        return self._program.write(data)

    def finish(self) -> None:
        self._program.finish()
        self._keep()
        self.kept = True


def _pass_file(directory: Path, password: str) -> Path:
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    path = directory / "pgpass"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"*:*:*:*:{escaped}\n")
    return path
