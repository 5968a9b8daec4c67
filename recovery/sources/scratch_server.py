"""A server of the inventory on which proofs load their copies, in place of one that each proof makes for itself.

A copy there is dropped by the proof, or by the guard when the proof's process died.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery.errors import ConfigurationError, PulihError
from recovery.hosts.local import LocalHost
from recovery.hosts.program_postgresql_client import literal, quoted
from recovery.sources.base import LoadStream
from recovery.sources.identities import is_same_server
from recovery.sources.mariadb import MariadbSource
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import Account, ServerSource

logger = logging.getLogger(__name__)

# Half of a label, which has twelve characters like those of restores: names of databases are only so long.
HALF = 6


@dataclass(frozen=True)
class ScratchServer:
    """Where the server is, as the worker reaches it, and an account that may do everything there."""

    server: str
    port: int
    account: Account


class LentSource(ServerSource):
    """A source whose one copy lies on the scratch server; its label says whose proof it belongs to."""

    makes_accounts = True

    def __init__(self, live: ServerSource, label: str) -> None:
        place = live.scratch_server
        assert place is not None  # noqa: S101 - nobody asks for this source without one
        super().__init__(
            LocalHost("scratch"),
            live.database,
            server=place.server,
            port=place.port,
            account=place.account,
            lock_timeout=live.lock_timeout,
        )
        self._live = live
        self._label = label

    def require_fit(self) -> dict[str, Any]:
        """Return what the server says of itself.

        Raises ConfigurationError when it is the live one, or of a version on which no copy of it can be proven.
        """
        found = self._call("identify")
        live = self._live._call("identify", account=self._live.restore_account)
        if is_same_server(found, live):
            raise self._unfit(f"is the server of the live database {self.database}")
        if not self._proves(found["series"], live["series"]):
            have, wanted = (".".join(map(str, each["series"])) for each in (found, live))
            raise self._unfit(f"is of version {have} and the server of {self.database} of version {wanted}")
        return found

    @contextmanager
    def load(self, copy: str, server_globals: bytes = b"") -> Iterator[LoadStream]:
        """See Source.load."""
        self.require_fit()
        # What a killed try of the same proof left.
        self.discard(copy)
        with super().load(copy, server_globals) as stream:
            yield stream

    def close(self) -> None:
        """See Source.close: drop the copy. Where that fails the guard does it; the proof's own end counts more."""
        super().close()
        try:
            self.discard(self.beside(""))
        except PulihError as error:
            logger.warning("the copy of a proof is left on %s until the guard's next round: %s", self.server, error)

    def copies(self) -> list[str]:
        """See Source.copies: the one of this label."""
        return [self.beside("")] if self._label in self.proofs() else []

    def proofs(self) -> list[str]:
        """Return the labels of all copies of this database on the server, whoever's they are."""
        raise NotImplementedError  # pragma: no cover - each engine has its own

    def _proves(self, there: list[int], live: list[int]) -> bool:
        """Say whether a copy on a server of one version can be proven equal to what is on one of the other."""
        return there >= live

    def _is_copy(self, name: str) -> bool:
        return name == self.beside("")

    def _unfit(self, how: str) -> ConfigurationError:
        return ConfigurationError(
            f"the scratch server {self.server} {how}",
            state="nothing was loaded there",
            hint="name another server (scratch_server), or none: then each proof makes one of its own",
        )


class LentPostgresql(LentSource, PostgresqlSource):
    """On a PostgreSQL server the copy has a name of its own."""

    def beside(self, label: str) -> str:
        """See Source.beside: the label is the proof's."""
        return super().beside(self._label)

    def proofs(self) -> list[str]:
        """See LentSource.proofs."""
        prefix = f"{self.database}.pulih-"
        names = self._call("copies", prefix)["names"]
        return sorted({name.removeprefix(prefix).removesuffix("~") for name in names})

    def _proves(self, there: list[int], live: list[int]) -> bool:
        """See LentSource._proves: each major version has its own words for the same definition."""
        return there == live

    def _load_request(self, server_globals: bytes) -> dict[str, Any]:
        request = super()._load_request(server_globals)
        # The server is somebody's: roles that it lacks may nothing there, not even log in, and the others stay as is.
        request["globals"]["statements"] = [_role_there(role) for role in request["globals"]["roles"]]
        return request


class LentMariadb(LentSource, MariadbSource):
    """On a MariaDB server the copy has the live database's own name, so that whatever names it means the copy."""

    checks_copies = False

    def beside(self, label: str) -> str:
        """See Source.beside: the label is the proof's, and stands in the copy."""
        return self.database

    def require_fit(self) -> dict[str, Any]:
        """See LentSource.require_fit. Events of the copy must never run there."""
        found = super().require_fit()
        if found["runs_events"]:
            raise self._unfit("runs events (event_scheduler), and those of a copy would change it")
        return found

    def discard(self, copy: str) -> None:
        """See Source.discard. A database of this name that is not the proof's stays."""
        self._own(copy)
        self._call("release", copy, self._label, limit=600)

    def proofs(self) -> list[str]:
        """See LentSource.proofs: one at most."""
        return list(self._call("proofs", self.database)["labels"])

    def _load_request(self, server_globals: bytes) -> dict[str, Any]:
        text = server_globals.decode("utf-8", "surrogateescape")
        return {**super()._load_request(server_globals), "text": text, "proof": self._label}

    def _abandon(self, target: str, copy: str) -> None:
        self._run("release", target, copy, self._label, limit=600)


def proof_label(directory: Path) -> str:
    """Given the private directory of a component's proof, return the label of its copy on a scratch server."""
    return installation_label(directory.parent.parent) + _short(directory)


def installation_label(directory: Path) -> str:
    """Given the directory of all proofs of an installation, return what its labels begin with."""
    return _short(directory)


def _short(directory: Path) -> str:
    return hashlib.sha256(f"{LocalHost().identity()} {directory}".encode()).hexdigest()[:HALF]


def _role_there(role: str) -> str:
    made = f"BEGIN CREATE ROLE {quoted(role)} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END"
    return f"DO {literal(made)}"
