"""A throw-away MariaDB server for the proof of one copy, in the directory of the proof, gone when it is closed.

There the copy has the live database's own name, so that whatever names it means the copy.
"""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from recovery.errors import SourceError
from recovery.hosts.base import InputStream
from recovery.hosts.local import LocalHost
from recovery.sources.base import LoadStream
from recovery.sources.mariadb import MariadbSource
from recovery.sources.server import Account
from recovery.sources.server_globals import read_globals

START_SECONDS = 120
SOCKET = "s"


class MariadbScratch(MariadbSource):
    """A source in a server that begins with the first load: the backup says which version it needs."""

    makes_accounts = True
    checks_copies = False

    def __init__(self, directory: Path, database: str, lock_timeout: float) -> None:
        super().__init__(LocalHost("scratch"), database, lock_timeout=lock_timeout)
        self._directory = directory / "server"
        self._running = ExitStack()

    def beside(self, label: str) -> str:
        """See Source.beside. The name is the live one's: the label is not needed where nothing else is."""
        return self.database

    @contextmanager
    def load(self, copy: str, server_globals: bytes = b"") -> Iterator[LoadStream]:
        """See Source.load."""
        self._start(str(read_globals(server_globals)["server version"]))
        with super().load(copy, server_globals) as stream:
            yield stream

    def close(self) -> None:
        """See Source.close: stop the server. What it wrote lies in the directory, which is the caller's."""
        super().close()
        self._running.close()

    def _load_request(self, server_globals: bytes) -> dict[str, Any]:
        text = server_globals.decode("utf-8", "surrogateescape")
        return {**super()._load_request(server_globals), "text": text}

    def _start(self, version: str) -> None:
        self._running.close()
        self._directory.mkdir(mode=0o700)
        argv = self.host.helper("mariadb", "serve", str(self._directory), version)
        # The program that keeps the server ends with its input: when this process dies, in whatever way, so do both.
        keeper = self._running.enter_context(self.host.feed(argv))
        # A socket's path has at most 107 bytes, so it is named by an open directory and not by its own name.
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        self._running.callback(os.close, descriptor)
        self.server = f"/proc/{os.getpid()}/fd/{descriptor}/{SOCKET}"
        self._wait(keeper)
        self._running.callback(keeper.finish)
        self.account = self.restore_account = Account("root")

    def _wait(self, keeper: InputStream) -> None:
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            # Raises what the program reports when it has ended.
            keeper.write(b"\n")
            with socket.socket(socket.AF_UNIX) as connection:
                try:
                    connection.connect(self.server)
                    return
                except OSError:
                    pass
            if time.monotonic() > give_up_at:
                raise SourceError(
                    f"the server for the proof did not start within {START_SECONDS} s",
                    state="nothing was proven",
                    hint="see whether this machine has room and time left, then continue",
                )
            time.sleep(0.02)

    def _is_copy(self, name: str) -> bool:
        return name == self.database

    def _abandon(self, target: str, copy: str) -> None:
        """The half copy goes with its server."""
