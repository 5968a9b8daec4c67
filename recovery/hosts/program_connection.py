"""Shipped program: runs one program for a worker that is connected by SSH, and kills it when the worker is gone.

Standard library only, Python 3.9 or newer.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .program_connection_frames import BEATS, CHUNK, SAID, Frames, LostError, Outlet
from .program_connection_process import Process
from .program_connection_relay import find, relay

PIPE_SIZE = 1 << 20
F_SETPIPE_SZ = 1031  # fcntl names it from Python 3.10 on
# Input of a tunnel that waits to be taken. All other input is counted by the worker, so that stdin is always read:
# neither words nor the end wait behind data.
READ_AHEAD = 4 << 20
LEFT_ON_STDERR = 1 << 20


class Supervisor:
    """One program, its three streams, and the worker."""

    def __init__(self, request: dict[str, Any], frames: Frames) -> None:
        self._request, self._frames = request, frames
        self._mode: str = request["mode"]  # run, stream, feed, or both
        self._output, self._complaints = Outlet(1, frames), Outlet(2, frames)
        self._pending: deque[memoryview] = deque()
        self._pending_size = 0
        self._unread = False
        # Our ends of the program's pipes; -1 when there is none, or no more.
        self._stdin = self._stdout = self._stderr = -1
        self._readable = False
        self._moved = 0
        self._kept: tuple[int, ...] = ()
        self._next_word = 0.0

    def run(self, given: list[bytes]) -> None:
        """Run the program to its end, tell it, and leave what it left; or kill it, and everything that it started."""
        while self._mode == "run" and not self._frames.ended:
            given += self._frames.wait()
        try:
            program = self._start(given)
        except (OSError, ValueError) as error:
            self._tell({"not_started": error.strerror if isinstance(error, OSError) else str(error)})
            return
        self._complaints.pending += SAID.pack(b"b", 0)
        try:
            self._attend(program)
            while not self._frames.done:
                self._frames.wait()
        except (LostError, OSError):
            program.kill()

    def _start(self, given: list[bytes]) -> Process:
        if self._mode == "run":
            # Memory files and not pipes: a daemon that inherits them cannot keep us waiting for the end of a pipe.
            self._kept = tuple(os.memfd_create("pulih") for _ in range(3))
            with open(self._kept[0], "wb", closefd=False) as file:
                file.writelines(given)
            os.lseek(self._kept[0], 0, os.SEEK_SET)
            return Process(self._request, *self._kept)
        self._take(given)
        nothing = os.open(os.devnull, os.O_RDWR)
        stdin = stdout = nothing
        self._stderr, stderr = os.pipe()
        if self._mode != "stream":
            stdin, self._stdin = os.pipe()
        if self._mode != "feed":
            self._stdout, stdout = os.pipe()
        for descriptor in (self._stdin, self._stdout, self._stderr):
            if descriptor >= 0:
                os.set_blocking(descriptor, False)
        for descriptor in (self._stdin, self._stdout):
            if descriptor >= 0:
                # An account that is over its share of pipe memory gets the default size: slower, not wrong.
                with suppress(PermissionError):
                    fcntl.fcntl(descriptor, F_SETPIPE_SZ, PIPE_SIZE)
        try:
            return Process(self._request, stdin, stdout, stderr)
        finally:
            for descriptor in {nothing, stdin, stdout, stderr}:
                os.close(descriptor)

    def _attend(self, program: Process) -> None:
        give_up_at = time.monotonic() + self._request["timeout"] if self._request["timeout"] else None
        while (status := program.status()) is None or self._stdout >= 0:
            wait = min(self._frames.remaining(), self._say_alive())
            if give_up_at is not None:
                wait = min(wait, give_up_at - time.monotonic())
                if wait <= 0:
                    program.kill()
                    self._hand_over()
                    self._tell({"timed_out": True})
                    return
            self._exchange(wait)
        self._hand_over()
        self._tell({"status": status, "unread": self._unread or bool(self._pending), "moved": self._moved})

    def _say_alive(self) -> float:
        """Tell the worker, when it is time, that this process is not frozen; return the seconds until the next time."""
        now = time.monotonic()
        if now >= self._next_word:
            self._next_word = now + self._frames.silence / BEATS
            # Words that wait to be taken say as much.
            if not self._complaints.pending:
                self._complaints.pending += SAID.pack(b"a", 0)
        return self._next_word - now

    def _exchange(self, wait: float) -> None:
        """Move what can be moved; return after `wait` seconds at the latest, or when the program may have ended."""
        poll = select.poll()
        # Only a tunnel's input may wait here: nothing counts its frames.
        poll.register(0, 0 if self._mode == "both" and self._pending_size > READ_AHEAD else select.POLLIN)
        poll.register(self._frames.wake, select.POLLIN)
        if self._stderr >= 0 and len(self._complaints.pending) < PIPE_SIZE:
            poll.register(self._stderr, select.POLLIN)
        if self._complaints.pending:
            poll.register(2, select.POLLOUT)
        if self._stdin >= 0 and self._pending:
            poll.register(self._stdin, select.POLLOUT)
        if self._stdout >= 0:
            poll.register(1 if self._readable else self._stdout, select.POLLOUT if self._readable else select.POLLIN)
        ready = dict(poll.poll(wait * 1000))
        if self._frames.wake in ready:
            os.read(self._frames.wake, CHUNK)
        if self._stderr in ready:
            self._take_complaints()
        if 2 in ready:
            self._complaints.write()
        if self._stdin in ready:
            self._pass_on()
        if self._stdout in ready:
            self._readable = True
        elif 1 in ready:
            self._move_output()
        if 0 in ready:
            self._take(self._frames.read())
        if self._frames.ended and not self._pending:
            self._close_stdin()

    def _take(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._pending.append(memoryview(frame))
            self._pending_size += len(frame)

    def _pass_on(self) -> None:
        try:
            written = os.write(self._stdin, self._pending[0])
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._unread = True
            self._close_stdin()
            return
        self._pending_size -= written
        self._pending[0] = self._pending[0][written:]
        if not self._pending[0]:
            self._pending.popleft()
            self._acknowledge()

    def _close_stdin(self) -> None:
        if self._stdin >= 0:
            os.close(self._stdin)
            self._stdin = -1
        # Whatever still comes is taken and thrown away: the worker must come to the end, where it is told.
        while self._pending:
            self._pending_size -= len(self._pending.popleft())
            self._acknowledge()

    def _acknowledge(self) -> None:
        if self._mode == "feed":
            os.write(1, b".")

    def _move_output(self) -> None:
        try:
            if hasattr(os, "splice"):  # from Python 3.10 on; the bytes do not pass through this process
                moved = os.splice(self._stdout, 1, PIPE_SIZE, flags=os.SPLICE_F_NONBLOCK)
            else:
                chunk = os.read(self._stdout, CHUNK)
                self._output.flush(chunk)
                moved = len(chunk)
        except BlockingIOError:
            self._readable = False
            return
        self._moved += moved
        if not moved:
            os.close(self._stdout)
            self._stdout = -1

    def _take_complaints(self) -> bool:
        try:
            chunk = os.read(self._stderr, CHUNK)
        except BlockingIOError:
            return False
        if chunk:
            self._complaints.pending += SAID.pack(b"e", len(chunk)) + chunk
        else:
            os.close(self._stderr)
            self._stderr = -1
        return bool(chunk)

    def _hand_over(self) -> None:
        """Hand over what the ended program said. What it left running may hold its stderr: nobody waits for that."""
        if self._mode == "run":
            self._moved += _copy(self._kept[1], self._output, b"")
            _copy(self._kept[2], self._complaints, b"e")
        before = len(self._complaints.pending)
        while self._stderr >= 0 and len(self._complaints.pending) < before + LEFT_ON_STDERR and self._take_complaints():
            pass

    def _tell(self, result: dict[str, Any]) -> None:
        text = json.dumps(result).encode()
        self._complaints.flush(SAID.pack(b"r", len(text)) + text)
        # Both: the server tells of the end of the output when nothing can be said either.
        self._output.end()
        self._complaints.end()


def _copy(descriptor: int, outlet: Outlet, kind: bytes) -> int:
    """Hand over a whole file; return its size."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    size = 0
    while chunk := os.read(descriptor, CHUNK):
        outlet.flush((SAID.pack(kind, len(chunk)) if kind else b"") + chunk)
        size += len(chunk)
    return size


def _serve(_arguments: list[bytes]) -> dict[str, Any]:
    """Read the request from stdin and do it."""
    wake, waking = os.pipe()
    for descriptor in (wake, waking):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    frames = Frames(wake)
    # Seen at the next look and not raised: a program that was just started must not be forgotten.
    signal.signal(signal.SIGTERM, lambda *_: setattr(frames, "interrupted", True))
    with suppress(LostError, OSError):
        received: list[bytes] = []
        while not received:
            received = frames.wait()
        request = json.loads(received[0])
        frames.silence = float(request["silence"])
        # What a login prints before is no output of the program.
        for descriptor in (1, 2):
            os.write(descriptor, request["mark"].encode())
        Supervisor(request, frames).run(received[1:])
    # Nothing more is said: the worker knows the result, or is gone.
    os._exit(0)


VERBS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "serve": _serve,  # stdin
    "find": find,  # PLACE…
    "relay": relay,  # PLACE
}
STREAMING = ("relay",)
