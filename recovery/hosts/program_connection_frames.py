"""Shipped program: how a worker that is connected by SSH and the program that serves it talk to each other.

Standard library only, Python 3.9 or newer.

Stdin carries frames: four bytes of length, then so many bytes. The first is the request, the others are the program's
input up to an empty one; BEAT and DONE are words of the worker. Stdout carries, after the mark, the program's own
output, or one byte for each frame of input that it took. Stderr carries, after the mark, what the program said ("e",
length, bytes), that it has begun ("b"), that whoever keeps it is still here ("a") and last how it ended ("r", length,
JSON).
"""

from __future__ import annotations

import os
import select
import socket
import stat
import struct
import time
from contextlib import suppress

HEAD = struct.Struct(">I")
SAID = struct.Struct(">cI")
BEAT = 0xFFFFFFFF  # "I am still here"
DONE = 0xFFFFFFFE  # "I know how it ended": what the program left running in the background may stay
BEATS = 4  # words of either side within the time after which it is given up
CHUNK = 1 << 18
FIRST_SILENCE = 60.0


class LostError(Exception):
    """The worker is gone, or was silent for too long."""


class Frames:
    """What comes from the worker."""

    def __init__(self, wake: int) -> None:
        self.silence = FIRST_SILENCE
        self.interrupted = False
        self.wake = wake  # readable after every signal
        self.ended = False
        self.done = False
        self._read = bytearray()
        self._heard = time.monotonic()

    def remaining(self) -> float:
        """Return the seconds for which the worker may stay silent from now on. Raises LostError when it is over."""
        left = self._heard + self.silence - time.monotonic()
        if left <= 0 or self.interrupted:
            raise LostError
        return left

    def read(self) -> list[bytes]:
        """Read once, and return the frames of data that are complete now. Raises LostError at the end of stdin."""
        chunk = os.read(0, 4 * CHUNK)
        if not chunk:
            raise LostError
        self._heard = time.monotonic()
        self._read += chunk
        found = []
        while len(self._read) >= HEAD.size:
            (length,) = HEAD.unpack_from(self._read)
            if length in (BEAT, DONE):
                self.done = self.done or length == DONE
                del self._read[: HEAD.size]
                continue
            if len(self._read) < HEAD.size + length:
                break
            if length:
                found.append(bytes(memoryview(self._read)[HEAD.size : HEAD.size + length]))
            else:
                self.ended = True
            del self._read[: HEAD.size + length]
        return found

    def wait(self) -> list[bytes]:
        """Wait for something of the worker, and read it."""
        readable = select.select([0, self.wake], [], [], self.remaining())[0]
        if self.wake in readable:
            os.read(self.wake, CHUNK)
        self.remaining()
        return self.read() if 0 in readable else []


class Outlet:
    """Stdout or stderr, written without ever waiting for a worker that does not read."""

    def __init__(self, descriptor: int, frames: Frames) -> None:
        self.descriptor, self._frames = descriptor, frames
        self.pending = bytearray()
        os.set_blocking(descriptor, False)

    def write(self) -> None:
        """Write as much as goes."""
        with suppress(BlockingIOError):
            written = os.write(self.descriptor, self.pending[:CHUNK])
            del self.pending[:written]

    def flush(self, data: bytes = b"") -> None:
        """Write everything; the worker may take its time as long as it is there. Raises LostError."""
        self.pending += data
        while self.pending:
            readable, writable, _ = select.select([0], [self.descriptor], [], self._frames.remaining())
            if readable:
                self._frames.read()
            if writable:
                self.write()

    def end(self) -> None:
        """Let the worker see the end."""
        if stat.S_ISSOCK(os.fstat(self.descriptor).st_mode):
            # Some servers give one socket for stdin and stdout, so that closing one of them would not be noticed.
            with socket.socket(fileno=os.dup(self.descriptor)) as shared, suppress(OSError):
                shared.shutdown(socket.SHUT_WR)
        os.close(self.descriptor)
