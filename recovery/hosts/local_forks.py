"""Calls of the shipped programs on this machine, as forks of one process that has imported them already.

Of the CPU of a call nine tenths went into starting an interpreter and a procedure makes a hundred calls,
many of them while the service stands still.
"""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from recovery.hosts.base import Argument, not_started
from recovery.hosts.program_forks import BEGUN, REFUSED, TOLD

HELPER = Path(__file__).with_name("helper.py")
# -I and -S: the shipped programs need the standard library alone, and start twice as fast without the rest.
SHIPPED: list[Argument] = [sys.executable, "-I", "-S", str(HELPER)]
# A fork begins within milliseconds; what takes longer than this stands still.
BEGIN_SECONDS = 60


class Fork:
    """A call that was begun. As far as LocalHost uses it like subprocess.Popen."""

    def __init__(self, argv: Sequence[Argument], channel: socket.socket) -> None:
        """Given the channel on which its beginning and its end are told.

        Raises ConnectionError when the forking process is gone, OSError when it could not fork.
        """
        self.args = argv
        self.pid = 0
        self.returncode: int | None = None
        self._channel = channel
        told = channel.recv(TOLD.size)
        if not told:
            raise ConnectionError("the process that runs it has ended")
        what, number = TOLD.unpack(told)
        if what != BEGUN:  # pragma: no cover - no process can be made any more, or it was killed at its first line
            raise OSError(number, os.strerror(number) if what == REFUSED else "it was killed before it had begun")
        self.pid = number

    def wait(self, seconds: float | None = None) -> int:
        """Return the exit status, or minus the signal. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            self._channel.settimeout(seconds)
            try:
                told = self._channel.recv(TOLD.size)
            except TimeoutError:
                raise subprocess.TimeoutExpired(list(self.args), seconds or 0) from None
            if told:
                self._end(TOLD.unpack(told)[1])
            else:
                # Whoever would tell its status was killed. A call whose end nobody can see must not go on unseen.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)
                self._end(-signal.SIGKILL)
        assert self.returncode is not None  # noqa: S101 - for the type checker
        return self.returncode

    def _end(self, status: int) -> None:
        self.returncode = status
        self._channel.close()


class Forking:
    """The process that forks: begun by the first call, and ended with the process that calls it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: tuple[socket.socket, subprocess.Popen[bytes]] | None = None
        # A fork of this process has another life than this one, so it begins its own.
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self._end)

    def begin(
        self,
        argv: Sequence[Argument],
        standard: tuple[IO[bytes], IO[bytes], IO[bytes]],
        environment: Mapping[str, str],
    ) -> Fork:
        """Given the argument list of a shipped program (SHIPPED and its arguments), its three standard files and its
        environment, begin it as the leader of its own process group, in the directory of this process.

        Raises HostError when it could not be begun.
        """
        arguments = [os.fsencode(argument).decode("utf-8", "surrogateescape") for argument in argv[len(SHIPPED) :]]
        if any("\0" in argument for argument in arguments):
            raise not_started(argv, "embedded null byte")
        request = json.dumps({"arguments": arguments, "environment": dict(environment)}).encode()
        try:
            with suppress(ConnectionError):
                return self._call(argv, request, standard)
            # It had ended, and nothing was begun: a fork tells of its beginning by itself.
            return self._call(argv, request, standard)
        except OSError as error:
            raise not_started(argv, error.strerror or str(error)) from error

    def _call(self, argv: Sequence[Argument], request: bytes, standard: tuple[IO[bytes], ...]) -> Fork:
        control = self._begun()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(BEGIN_SECONDS)
        try:
            with theirs, memory_file() as asked, _working_directory() as directory:
                asked.write(request)
                asked.seek(0)
                handed = [theirs.fileno(), asked.fileno(), *(file.fileno() for file in standard), directory]
                socket.send_fds(control, [b"."], handed)
            return Fork(argv, ours)
        except (ConnectionError, TimeoutError):
            ours.close()
            self._end(control)
            raise

    def _begun(self) -> socket.socket:
        with self._lock:
            if self._running is None:
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                with theirs:
                    process = subprocess.Popen(
                        [*SHIPPED, "forks"],
                        stdin=theirs.fileno(),
                        stdout=subprocess.DEVNULL,
                        env={"LC_ALL": "C.UTF-8"},
                        start_new_session=True,
                    )
                self._running = (ours, process)
            return self._running[0]

    def _end(self, control: socket.socket | None = None) -> None:
        """End the process, unless another has taken the place of the one that is meant."""
        with self._lock:
            if self._running is None or control not in (None, self._running[0]):
                return
            (control, process), self._running = self._running, None
            control.close()
            process.kill()
            process.wait()

    def _forget(self) -> None:  # pragma: no cover - called in forks of this process, where nothing is measured
        self._lock = threading.Lock()
        self._running = None


@contextmanager
def _working_directory() -> Iterator[int]:
    descriptor = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def memory_file() -> IO[bytes]:
    """Return an empty file that has no name."""
    return os.fdopen(os.memfd_create("pulih", os.MFD_CLOEXEC), "w+b", buffering=0)
