"""What every machine offers, whichever way it is reached: run, stream out of, feed into a program."""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from recovery import errors
from recovery.errors import CommandError, HostError, PulihError

Argument = str | bytes

# The status with which the shipped programs say "I failed, and the last line of stderr is JSON that tells how".
FAILURE_STATUS = 3
_UNFINISHED = "run it again; if it stays so, see whether another program there ends or wraps Python"


@dataclass(frozen=True)
class Completed:
    """What a finished program left behind; `stdout` is empty when it was streamed."""

    code: int
    stdout: bytes
    stderr: bytes


class OutputStream(Protocol):
    """The output of a running program."""

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """Fill `buffer` as far as one read does; return the number of bytes, 0 at the end."""

    def finish(self) -> Completed:
        """Wait for the end of the program, after the last byte was read.

        Raises CommandError (or the error that a shipped program reports) unless its status means success. Bytes that
        were read count for nothing before this has returned: a killed program looks like a short output.
        """


class InputStream(Protocol):
    """The input of a running program."""

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`; return its length. Raises as `finish` does when the program has gone."""

    def finish(self) -> Completed:
        """Close the input, wait for the end of the program and raise unless its status means success."""


class Host(Protocol):
    """A machine on which components and services live."""

    name: str

    def run(
        self,
        argv: Sequence[Argument],
        *,
        stdin: bytes = b"",
        timeout: float = 60,
        ok: Collection[int] = (0,),
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a program to its end; raises CommandError when its status is not in `ok` or the time is over.

        When the time is over the program is killed with everything that it started. When it ends by itself, what it
        left running in the background (a daemon) stays.
        """

    def stream(
        self, argv: Sequence[Argument], *, ok: Collection[int] = (0,), env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[OutputStream]:
        """Run a program and read its output; leaving without `finish` kills it with everything that it started."""

    def feed(
        self, argv: Sequence[Argument], *, ok: Collection[int] = (0,), env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[InputStream]:
        """Run a program and write its input; leaving without `finish` kills it with everything that it started."""

    def helper(self, *arguments: Argument) -> list[Argument]:
        """Return the argument list that runs the shipped program: topic, verb, and what the verb needs."""

    def call(self, *arguments: Argument, timeout: float = 60) -> dict[str, Any]:
        """Run the shipped program and return its result; raises the error that it reports."""

    def bring(self, path: str, directory: Path) -> str:
        """Return the path by which this process can read a file of the host; if need be, of a copy in `directory`."""

    def tunnel(self, places: Sequence[str], name: str) -> AbstractContextManager[str]:
        """Lend a directory in which a unix socket of this name leads to a server that listens on the host.

        Each place is the path of a unix socket or address:port; the first that answers is taken. Where places of the
        host are places of this process, there is no directory: it is empty.
        """

    def account(self) -> str:
        """Return the account under which programs run there; empty when it is the one of this process."""

    def identity(self) -> str:
        """Return an identifier of this machine that is made for Pulih and tells nothing about it."""

    def python(self) -> str:
        """Return the version of Python that runs the shipped programs."""

    def title(self) -> str:
        """Return the name of the machine as printed on forms."""


def last_result(stderr: bytes) -> dict[str, Any]:
    """Given the stderr of a shipped program whose stdout carried data, return the JSON object on its last line.

    Raises HostError when there is none: then the program did not come to its end.
    """
    try:
        result = json.loads(stderr.rstrip().rpartition(b"\n")[2])
    except ValueError as error:
        raise HostError(
            "the shipped program ended without a result", state="its output counts for nothing", hint=_UNFINISHED
        ) from error
    if not isinstance(result, dict):
        raise HostError(
            "the result of the shipped program is no object", state="its output counts for nothing", hint=_UNFINISHED
        )
    return result


def command_failed(host: str, argv: Sequence[Argument], completed: Completed) -> PulihError:
    """Given a program that ended badly, return the error to raise: the one it reports, or a CommandError."""
    reported = _reported(completed)
    if reported is not None:
        return reported
    text = completed.stderr.decode(errors="replace").strip()
    last = text.rpartition("\n")[2][:300]
    how = f"was killed by signal {-completed.code}" if completed.code < 0 else f"ended with status {completed.code}"
    message = f"{describe(argv)} on {host} {how}" + (f": {last}" if last else "")
    return CommandError(
        message,
        state="what it had begun may be half done",
        hint="remove what it complains of on that host, then try again",
        code=completed.code,
        stderr=text,
    )


def not_started(argv: Sequence[Argument], reason: str) -> HostError:
    """Given a program that the system did not start, return the error to raise."""
    return HostError(
        f"{describe(argv)} could not be started ({reason})",
        state="nothing was done",
        hint="check that the program is installed and that this account may run it",
    )


def out_of_time(host: str, argv: Sequence[Argument], timeout: float, stderr: bytes) -> CommandError:
    """Given a program that was killed because its time was over, return the error to raise."""
    return CommandError(
        f"{describe(argv)} on {host} did not end within {timeout:g} s",
        state="it was killed with everything that it had started, except what runs as another account",
        hint="see what it waits for on that host: a lock, a slow disk or a lost connection; then try again",
        stderr=stderr.decode(errors="replace"),
    )


def ended_early(host: str, argv: Sequence[Argument]) -> HostError:
    """Given a program that ended well before it had read its input, return the error to raise."""
    return HostError(
        f"{describe(argv)} on {host} ended before it had read all input",
        state="what it made of it counts for nothing",
        hint="see in that host's log why it ended, then try again",
    )


def call_program(host: Host, arguments: Sequence[Argument], timeout: float) -> dict[str, Any]:
    """Run the shipped program on a host; return its result, or raise the error that it reports."""
    argv = host.helper(*arguments)
    try:
        result = json.loads(host.run(argv, timeout=timeout).stdout)
    except ValueError as error:
        raise _no_object(host, argv) from error
    if not isinstance(result, dict):
        raise _no_object(host, argv)
    return result


def _no_object(host: Host, argv: Sequence[Argument]) -> HostError:
    return HostError(
        f"{describe(argv)} on {host.name} returned no object",
        state="it ended well, but what it answered counts for nothing",
        hint="see whether something else prints there, such as a wrapper of Python, then run it again",
    )


def describe(argv: Sequence[Argument]) -> str:
    """Return a short name of what an argument list runs: the shipped program's topic and verb, or the program."""
    names = [os.fsdecode(argument) for argument in argv]
    for position, name in enumerate(names[:4]):
        if Path(name).name == "helper.py" and len(names) >= position + 3:
            return f"the shipped program ({' '.join(names[position + 1 : position + 3])})"
    return Path(names[0]).name


def _reported(completed: Completed) -> PulihError | None:
    if completed.code != FAILURE_STATUS:
        return None
    try:
        report = last_result(completed.stderr)
    except HostError:
        return None
    kind = getattr(errors, str(report.get("error", "")), None)
    if not (isinstance(kind, type) and issubclass(kind, PulihError)):
        return None
    return kind(str(report.get("message", "")), state=str(report.get("state", "")), hint=str(report.get("hint", "")))
