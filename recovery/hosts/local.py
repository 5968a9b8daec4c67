"""The machine on which this process runs."""

import fcntl
import os
import platform
import select
import signal
import socket
import subprocess
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from recovery.errors import HostError
from recovery.hosts import program_system
from recovery.hosts.base import (
    Argument,
    Completed,
    InputStream,
    OutputStream,
    call_program,
    command_failed,
    describe,
    ended_early,
    not_started,
    out_of_time,
)
from recovery.hosts.local_forks import SHIPPED, Fork, Forking, memory_file

PIPE_SIZE = 1 << 20
# Kept of what a streaming program says on stderr: the end, where its result is; a chatty program must not fill memory.
STDERR_KEPT = 16 << 20
LEFT_AFTER = 5.0
FORKING = Forking()
PipedT = TypeVar("PipedT", bound="_Piped")


class LocalHost:
    """Runs programs here, each as the leader of its own process group."""

    def __init__(self, name: str = "local", title: str = "") -> None:
        self.name = name
        self._title = title

    def run(
        self,
        argv: Sequence[Argument],
        *,
        stdin: bytes = b"",
        timeout: float = 60,
        ok: Collection[int] = (0,),
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """See Host.run."""
        # Memory files and not pipes: a daemon that inherits them cannot keep us waiting for the end of a pipe, cannot
        # be killed by SIGPIPE when we leave, and large input and output cannot block each other.
        with memory_file() as source, memory_file() as output, memory_file() as complaints:
            source.write(stdin)
            source.seek(0)
            process: subprocess.Popen[bytes] | Fork
            if list(argv[: len(SHIPPED)]) == SHIPPED:
                process = FORKING.begin(argv, (source, output, complaints), _environment(env))
            else:
                process = _start(argv, source, output, complaints, env)
            try:
                _wait(process, timeout)
            except subprocess.TimeoutExpired:
                raise out_of_time(self.name, argv, timeout, _content(complaints)) from None
            finally:
                _kill(process)
            completed = Completed(process.wait(), _content(output), _content(complaints))
        if completed.code not in ok:
            raise command_failed(self.name, argv, completed)
        return completed

    def stream(
        self, argv: Sequence[Argument], *, ok: Collection[int] = (0,), env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[OutputStream]:
        """See Host.stream."""
        return self._piped(argv, ok, env, _LocalOutput)

    def feed(
        self, argv: Sequence[Argument], *, ok: Collection[int] = (0,), env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[InputStream]:
        """See Host.feed."""
        return self._piped(argv, ok, env, _LocalInput)

    def helper(self, *arguments: Argument) -> list[Argument]:
        """See Host.helper."""
        return [*SHIPPED, *arguments]

    def call(self, *arguments: Argument, timeout: float = 60) -> dict[str, Any]:
        """See Host.call."""
        return call_program(self, arguments, timeout)

    def bring(self, path: str, directory: Path) -> str:
        """See Host.bring."""
        return path

    def tunnel(self, places: Sequence[str], name: str) -> AbstractContextManager[str]:
        """See Host.tunnel."""
        return nullcontext("")

    def account(self) -> str:
        """See Host.account."""
        return ""

    def identity(self) -> str:
        """See Host.identity."""
        return program_system.identity()

    def python(self) -> str:
        """See Host.python."""
        return platform.python_version()

    def title(self) -> str:
        """See Host.title."""
        return self._title or socket.gethostname()

    @contextmanager
    def _piped(
        self, argv: Sequence[Argument], ok: Collection[int], env: Mapping[str, str] | None, kind: type[PipedT]
    ) -> Iterator[PipedT]:
        stream = kind(self.name, argv, ok, env)
        try:
            yield stream
        finally:
            stream.abandon()


class _Piped:
    """A program with a large pipe at one end, and its stderr read in a thread so that it never blocks."""

    writes = False

    def __init__(self, host: str, argv: Sequence[Argument], ok: Collection[int], env: Mapping[str, str] | None) -> None:
        self._host, self._argv, self._ok = host, argv, ok
        self._completed: Completed | None = None
        reading, writing = os.pipe()
        # An account that is over its share of pipe memory gets the default size: slower, not wrong.
        with suppress(PermissionError):
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        ours, theirs = (writing, reading) if self.writes else (reading, writing)
        try:
            self._process = _start(
                argv,
                theirs if self.writes else subprocess.DEVNULL,
                subprocess.DEVNULL if self.writes else theirs,
                subprocess.PIPE,
                env,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._descriptor: int | None = ours
        self._stderr = bytearray()
        self._reader = threading.Thread(target=self._drain, name="stderr", daemon=True)
        self._reader.start()

    def finish(self) -> Completed:
        if self._completed is None:
            self._close()
            code = self._process.wait()
            # A background child may hold stderr open; the program's own words have arrived by now.
            self._reader.join(5)
            self._completed = Completed(code, b"", bytes(self._stderr))
        if self._completed.code not in self._ok:
            raise command_failed(self._host, self._argv, self._completed)
        return self._completed

    def abandon(self) -> None:
        """Kill the program's process group unless it was finished, and give the descriptors back."""
        if self._completed is None:
            _kill(self._process)
            self._reader.join(5)
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _open(self) -> int:
        if self._descriptor is None:
            raise HostError(f"the stream of {describe(self._argv)} is already finished")
        return self._descriptor

    def _drain(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - for the type checker: it is a pipe
        with self._process.stderr as pipe:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                self._stderr += chunk
                if len(self._stderr) > 2 * STDERR_KEPT:
                    del self._stderr[:-STDERR_KEPT]


class _LocalOutput(_Piped):
    def readinto(self, buffer: memoryview | bytearray) -> int:
        return os.readv(self._open(), [buffer])


class _LocalInput(_Piped):
    writes = True

    def write(self, data: bytes | memoryview) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while written < len(view):
                written += os.write(self._open(), view[written:])
        except BrokenPipeError:
            self.finish()
            raise ended_early(self._host, self._argv) from None
        return written


def _start(
    argv: Sequence[Argument], stdin: Any, stdout: Any, stderr: Any, env: Mapping[str, str] | None
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=_environment(env),
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise not_started(argv, reason or "") from error


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    environment.setdefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    # Fixed language: what programs print must not depend on who runs the worker.
    return environment | {"LC_ALL": "C.UTF-8", **(env or {})}


def _kill(process: "subprocess.Popen[bytes] | Fork") -> None:
    if process.returncode is None:
        # Not yet reaped, so the group number cannot belong to anyone else, and children of a dead leader are found.
        # What runs as another account (sudo) may not be killed by this one: it is waited for a little, and left.
        with suppress(PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            _wait(process, LEFT_AFTER)


def _wait(process: "subprocess.Popen[bytes] | Fork", seconds: float) -> None:
    """Wait for the end of a child, and reap it. Raises subprocess.TimeoutExpired.

    The kernel tells of the end at once; Popen.wait with a limit looks only now and then, and short programs, of which
    a procedure runs a hundred, took twice as long.
    """
    if isinstance(process, Fork):
        process.wait(seconds)
        return
    watched = os.pidfd_open(process.pid)
    try:
        ended = select.poll()
        ended.register(watched, select.POLLIN)
        if not ended.poll(seconds * 1000):
            raise subprocess.TimeoutExpired(process.args, seconds)
    finally:
        os.close(watched)
    process.wait()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
