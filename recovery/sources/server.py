"""What databases of a server have in common, whichever engine: all work is done by a shipped program on the host.

A copy is a database of the same server whose name is the live one's with a label; a proof runs in a throw-away server.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from recovery.errors import ConfigurationError, PulihError, SourceBusyError
from recovery.hosts.base import Host, last_result
from recovery.points import reached
from recovery.sources.base import LABEL, DumpStream, Fingerprint, Liveness, LoadStream, Measured
from recovery.sources.identities import identity_of
from recovery.sources.server_globals import read_globals
from recovery.sources.server_streams import ServerDump, ServerLoad, read_counts

if TYPE_CHECKING:
    from recovery.sources.scratch_server import LentSource, ScratchServer

# Reading a whole database takes as long as it is large; this only ends what hangs.
LONG = 24 * 3600.0


@dataclass(frozen=True)
class Account:
    """An account of the server; `password` reads it where it is kept, or is None when the server asks for none."""

    user: str = ""
    password: Callable[[], str] | None = None


class ServerSource:
    """One database of a server on a host: what does not depend on the engine."""

    kind: str
    extension: str
    compression_threads = 0
    system_databases: ClassVar[tuple[str, ...]]
    # Whether a load makes the accounts that the backup needs; on a real server they are the administrator's.
    makes_accounts = False

    def __init__(
        self,
        host: Host,
        database: str,
        *,
        server: str = "",
        port: int,
        account: Account | None = None,
        restore_account: Account | None = None,
        lock_timeout: float = 30,
        scratch_server: "ScratchServer | None" = None,
    ) -> None:
        if not database or database in self.system_databases or "/" in database:
            raise ConfigurationError(
                f"{database!r} cannot be a component of kind {self.kind}",
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
        self.scratch_server = scratch_server
        self._tunnels = ExitStack()

    def identify(self) -> dict[str, Any]:
        """See Source.identify. The server's own identity tells it from another one under the same address."""
        found = self._call("identify", account=self.restore_account)
        return identity_of(found, machine=self.host.identity(), kind=self.kind, database=self.database)

    def preflight(self) -> list[str]:
        """See Source.preflight. Raises SourceError naming what the account may not read, and the missing grant.

        What keeps the restoring account from a restore, or proofs from the scratch server, is a warning: a dump needs
        neither.
        """
        warnings = list(self._call("preflight")["warnings"])
        warnings += self._call("restorable", account=self.restore_account)["warnings"]
        if self.scratch_server is not None:
            try:
                self.on_scratch_server("").require_fit()
            except PulihError as error:
                warnings.append(f"no backup can be proven: {error.message}")
        return warnings

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
            self.host.stream(self.host.helper(self.kind, "dump", target)) as output,
        ):
            yield ServerDump(output, self.extension)

    def beside(self, label: str) -> str:
        """See Source.beside."""
        if not LABEL.fullmatch(label):
            raise ConfigurationError(f"{label!r} cannot be the label of a copy", hint="use a-z, 0-9 and inner hyphens")
        return f"{self.database}.pulih-{label}"

    @contextmanager
    def load(self, copy: str, server_globals: bytes = b"") -> Iterator[LoadStream]:
        """See Source.load. Until `finish` the copy is marked, so a half one is never taken for a whole one."""
        self._own(copy)
        request = {**self._load_request(server_globals), "scratch": self.makes_accounts}
        stream = None
        with self._target(self.restore_account, request) as target:
            try:
                with self.host.feed(self.host.helper(self.kind, "load", target, copy)) as program:
                    stream = ServerLoad(program, lambda: self._keep(copy))
                    yield stream
            finally:
                if stream is None or not stream.kept:
                    self._abandon(target, copy)

    def check(self, copy: str | None = None) -> list[str]:
        """See Source.check."""
        raise NotImplementedError  # pragma: no cover - each engine has its own

    def judge_url(self, copy: str, directory: Path) -> str:
        """See Source.judge_url."""
        raise NotImplementedError  # pragma: no cover - each engine has its own

    def fingerprint(self, copy: str | None = None, measured: Measured | None = None) -> Fingerprint:
        """See Source.fingerprint."""
        with self._target(self.restore_account if copy else self.account) as target:
            reached(f"{self.kind}: before fingerprint")
            with self.host.stream(self.host.helper(self.kind, "fingerprint", target, copy or self.database)) as output:
                for done, total in read_counts(output):
                    if measured is not None:
                        measured(done, total)
                result = last_result(output.finish().stderr)
            reached(f"{self.kind}: after fingerprint")
        return Fingerprint.from_json(result)

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

    def ties(self) -> list[str]:
        """See Source.ties: what belongs to the database, or points to it, and would not go with its name."""
        return list(self._look("ties")["ties"])

    def prepare_swap(self, copy: str) -> dict[str, Any]:
        """See Source.prepare_swap."""
        self._own(copy)
        return self._call("prepare", copy, account=self.restore_account)

    def swap(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap."""
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

    def scratch(self, directory: Path) -> "ServerSource":
        """See Source.scratch: on the scratch server where one is named, else in a server of the proof's own."""
        if self.scratch_server is not None:
            from recovery.sources.scratch_server import proof_label

            return self.on_scratch_server(proof_label(directory))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self.in_own_server(directory)

    def on_scratch_server(self, label: str) -> "LentSource":
        """Return the source whose copy, with this label, lies on the scratch server."""
        raise NotImplementedError  # pragma: no cover - each engine has its own

    def unloadable(self, made: dict[str, Any]) -> list[tuple[str, str]]:
        """See Source.unloadable."""
        raise NotImplementedError  # pragma: no cover - each engine has its own

    def in_own_server(self, directory: Path) -> "ServerSource":
        """Return a source in a server of its own, which begins with the first load and ends with `close`."""
        raise NotImplementedError  # pragma: no cover - each engine has its own

    def close(self) -> None:
        """See Source.close. The server is not ours, what leads to it is."""
        self._tunnels.close()

    def _near(self, sockets: list[str], name: str) -> str:
        """Return the directory of a socket that leads to the server, until `close`; empty where it is at hand."""
        remote = bool(self.server) and not self.server.startswith("/")
        return self._tunnels.enter_context(
            self.host.tunnel([f"{self.server}:{self.port}"] if remote else sockets, name)
        )

    def _load_request(self, server_globals: bytes) -> dict[str, Any]:
        return {"globals": read_globals(server_globals)}

    def _abandon(self, target: str, copy: str) -> None:
        self._run("abandon", target, copy, limit=600)

    def _keep(self, copy: str) -> None:
        self._call("keep", copy, account=self.restore_account)

    def _call(self, verb: str, *arguments: str, limit: float = 60, account: Account | None = None) -> dict[str, Any]:
        with self._target(account or self.account) as target:
            return self._run(verb, target, *arguments, limit=limit)

    def _look(self, verb: str, *arguments: str) -> dict[str, Any]:
        """Ask the restoring account's question: nothing changes, so no point is reached."""
        with self._target(self.restore_account) as target:
            return self.host.call(self.kind, verb, target, *arguments, timeout=60 + self.lock_timeout)

    def _run(self, verb: str, *arguments: str, limit: float) -> dict[str, Any]:
        reached(f"{self.kind}: before {verb}")
        result = self.host.call(self.kind, verb, *arguments, timeout=limit + self.lock_timeout)
        reached(f"{self.kind}: after {verb}")
        return result

    @contextmanager
    def _target(self, account: Account, request: dict[str, Any] | None = None) -> Iterator[str]:
        """Lend what the shipped program needs to connect; a password only in a private directory on the host."""
        private = ""
        if account.password is not None or request is not None:
            given = {"password": account.password() if account.password else None, "request": request}
            argv = self.host.helper(self.kind, "begin")
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
                    **self._options(),
                }
            )
        finally:
            if private:
                self.host.call(self.kind, "end", private)

    def _options(self) -> dict[str, Any]:
        """Return what else an engine's program needs to know about the database."""
        return {}

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
