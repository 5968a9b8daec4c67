"""Shipped program: answers each call with a fork of itself, in which the called program is imported already.

A new interpreter takes ten times as long as most programs take for what they do. Standard library only, Python 3.9 or
newer.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

# What is told of a call, each with a number: the process that runs it, its exit status (or minus the signal that
# killed it), or the reason why none could be made.
TOLD = struct.Struct("=ci")
BEGUN, ENDED, REFUSED = b"b", b"e", b"r"
# Handed over with each call: where to tell of it, the request, its three standard files, and its working directory.
HANDED = 6
CONTROL = 0


def serve(prepare: Callable[[str], object]) -> list[bytes]:
    """Take calls from the socket at standard input; return in each fork, with the arguments of the program to run.

    `prepare` imports the programs of a topic. Ends when nobody is left who could call; what runs then runs on, as a
    program does that was started by somebody who is killed.
    """
    calls = _Calls()
    while True:
        for descriptor in calls.moved():
            if descriptor != CONTROL:
                calls.go_on(descriptor)
                continue
            handed = _receive()
            if not handed:
                os._exit(0)
            arguments = _answer(handed, calls, prepare)
            if arguments is not None:
                return arguments


class _Calls:
    """The calls that run: for each its process, and the channel on which its end is told."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._poll.register(CONTROL, select.POLLIN)
        self._ending: dict[int, tuple[int, int]] = {}
        self._told: dict[int, int] = {}

    def moved(self) -> list[int]:
        return [descriptor for descriptor, _events in self._poll.poll()]

    def add(self, process: int, channel: int) -> None:
        watched = os.pidfd_open(process)
        self._ending[watched] = (process, channel)
        self._poll.register(watched, select.POLLIN)

    def go_on(self, descriptor: int) -> None:
        """Tell of an end; forget a call of whose end the caller knows."""
        if descriptor in self._ending:
            process, channel = self._ending.pop(descriptor)
            self._close(descriptor)
            # Not reaped yet: until the caller has let go, the process's number cannot become somebody else's, and
            # the caller may kill the whole group by it.
            _tell(channel, ENDED, _status(process))
            self._told[channel] = process
            self._poll.register(channel, select.POLLIN)
        elif descriptor in self._told:
            os.waitpid(self._told.pop(descriptor), 0)
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        os.close(descriptor)


def _receive() -> list[int]:
    with socket.socket(fileno=os.dup(CONTROL)) as control:
        _data, handed, _flags, _address = socket.recv_fds(control, 1, HANDED)
    return list(handed)


def _answer(handed: list[int], calls: _Calls, prepare: Callable[[str], object]) -> list[bytes] | None:
    """Fork; return in the fork what it has to run, and None otherwise."""
    channel, asked, *standard, directory = handed
    with open(asked, "rb") as file:
        request = json.loads(file.read())
    arguments = [argument.encode("utf-8", "surrogateescape") for argument in request["arguments"]]
    prepare(request["arguments"][0])
    try:
        process = os.fork()
    except OSError as error:
        _tell(channel, REFUSED, error.errno or 0)
        os.close(channel)
    else:
        if process == 0:
            _become(channel, standard, directory, request["environment"])
            return arguments
        calls.add(process, channel)
    for descriptor in (*standard, directory):
        os.close(descriptor)
    return None


def _become(channel: int, standard: list[int], directory: int, environment: dict[str, str]) -> None:
    """Be what a started program is: leader of its own group, with nothing of this process but the code."""
    os.setsid()
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    os.fchdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    # Only now may the caller know the number, by which it kills the group.
    _tell(channel, BEGUN, os.getpid())
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _status(process: int) -> int:
    ended = os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    assert ended is not None  # noqa: S101 - for the type checker: None comes with WNOHANG alone
    return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status


def _tell(channel: int, what: bytes, number: int) -> None:
    with suppress(BrokenPipeError):  # the caller is gone; nobody wants to know
        os.write(channel, TOLD.pack(what, number))
