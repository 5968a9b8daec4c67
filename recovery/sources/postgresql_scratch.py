"""A throw-away PostgreSQL server for the proof of one copy, in the directory of the proof, gone when it is closed."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from recovery.errors import SourceError
from recovery.hosts.base import InputStream
from recovery.hosts.local import LocalHost
from recovery.sources.base import LoadStream
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import Account
from recovery.sources.server_globals import read_globals

START_SECONDS = 120
READY_LINE = 7


class ScratchSource(PostgresqlSource):
    """A source in a server that begins with the first load: the backup says what kind of server it needs."""

    makes_accounts = True

    def __init__(self, directory: Path, database: str, lock_timeout: float) -> None:
        super().__init__(LocalHost("scratch"), database, lock_timeout=lock_timeout)
        self._directory = directory / "server"
        self._running = ExitStack()

    @contextmanager
    def load(self, copy: str, server_globals: bytes = b"") -> Iterator[LoadStream]:
        """See Source.load."""
        needed = read_globals(server_globals)
        self._start(str(needed["first role"]), int(needed["server version"]))
        with super().load(copy, server_globals) as stream:
            yield stream

    def close(self) -> None:
        """See Source.close: stop the server. What it wrote lies in the directory, which is the caller's."""
        self._running.close()

    def _load_request(self, server_globals: bytes) -> dict[str, Any]:
        """The proof runs the very text of the globals, and sees whether it gives what they list."""
        text = server_globals.decode("utf-8", "surrogateescape")
        return {**super()._load_request(server_globals), "text": text}

    def _start(self, first_role: str, version: int) -> None:
        self.close()
        self._directory.mkdir(mode=0o700)
        argv = self.host.helper("postgresql", "serve", str(self._directory), first_role, str(version))
        # The program that keeps the server ends with its input: when this process dies, in whatever way, so do both.
        keeper = self._running.enter_context(self.host.feed(argv))
        self._wait(keeper)
        # A socket's path has at most 107 bytes, so it is named by an open directory and not by its own name.
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        self._running.callback(os.close, descriptor)
        self._running.callback(keeper.finish)
        self.server = f"/proc/{os.getpid()}/fd/{descriptor}"
        self.account = self.restore_account = Account(first_role)

    def _wait(self, keeper: InputStream) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            # Raises what the program reports when it has ended.
            keeper.write(b"\n")
            try:
                state = (self._directory / "postmaster.pid").read_text().splitlines()
            except FileNotFoundError:
                state = []
            if len(state) > READY_LINE and state[READY_LINE].strip() == "ready":
                return
            if time.monotonic() > give_up_at:
                raise SourceError(
                    f"the server for the proof did not start within {START_SECONDS} s",
                    state="nothing was proven",
                    hint="see whether this machine has room and time left, then continue",
                )
            time.sleep(0.02)

    def _abandon(self, target: str, copy: str) -> None:
        """The half copy goes with its server."""
