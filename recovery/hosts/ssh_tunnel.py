"""A way for the worker's own database drivers to a server on another machine: a unix socket in a private directory.

Each connection is a program of its own there, as any other; sshd needs no right to forward anything.
"""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from recovery.errors import HostError
from recovery.hosts.base import Argument
from recovery.hosts.ssh_connection import SshConnection
from recovery.hosts.ssh_program import FRAME, RemoteProgram


@contextmanager
def open_tunnel(connection: SshConnection, relay: Sequence[Argument], name: str) -> Iterator[str]:
    """Given the arguments that run the relay there, lend a directory in which a socket of this name leads to it."""
    # A short path, since that of a socket has at most 107 bytes; nobody else may enter.
    with (
        tempfile.TemporaryDirectory(prefix="pulih-tunnel-") as directory,
        socket.socket(socket.AF_UNIX) as listener,
        _Tunnel(connection, relay) as tunnel,
    ):
        listener.bind(str(Path(directory) / name))
        listener.listen()
        tunnel.serve(listener)
        try:
            yield directory
        finally:
            # Wakes up whoever waits for a connection.
            listener.shutdown(socket.SHUT_RDWR)


class _Tunnel:
    """The connections that are open through one tunnel."""

    def __init__(self, connection: SshConnection, relay: Sequence[Argument]) -> None:
        self._connection, self._relay = connection, relay
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()

    def __enter__(self) -> "_Tunnel":
        return self

    def __exit__(self, *_: object) -> None:
        for near in list(self._open):
            with suppress(OSError):
                near.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def serve(self, listener: socket.socket) -> None:
        """Take connections until the listener is shut down."""
        self._begin(self._accept, listener)

    def _begin(self, work: Callable[[socket.socket], None], near: socket.socket) -> None:
        thread = threading.Thread(target=work, args=(near,), name="tunnel", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self._open.add(near)
            self._begin(self._connect, near)

    def _connect(self, near: socket.socket) -> None:
        # What goes wrong shows itself to the driver as a connection that ended; its user says so.
        try:
            with near, suppress(HostError, OSError):
                program = RemoteProgram(self._connection, "both", self._relay)
                giving = threading.Thread(target=_give, args=(near, program), name="tunnel", daemon=True)
                try:
                    giving.start()
                    buffer = memoryview(bytearray(FRAME))
                    while count := program.readinto(buffer):
                        near.sendall(buffer[:count])
                finally:
                    with suppress(OSError):
                        near.shutdown(socket.SHUT_RDWR)
                    program.abandon()
                    giving.join()
        finally:
            self._open.discard(near)


def _give(near: socket.socket, program: RemoteProgram) -> None:
    with suppress(HostError, OSError):
        while chunk := near.recv(FRAME):
            program.write(chunk)
        program.end_input()
