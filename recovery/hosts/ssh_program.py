"""One program on a machine that is reached by SSH: its input, its output, what it says, and how it ended.

On the machine it is kept by recovery/hosts/program_connection.py, which kills it with all that it started as soon as
this side leaves, falls silent or is cut off. The words that both exchange stand in program_connection_frames.py.
"""

import json
import secrets
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

from recovery.errors import HostError, PulihError
from recovery.hosts.base import Argument, Completed, command_failed, describe, ended_early, not_started, out_of_time
from recovery.hosts.program_connection_frames import BEAT, DONE, HEAD, SAID
from recovery.hosts.ssh_connection import SshConnection

FRAME = 1 << 18
# Frames that the program has not taken yet; program_connection.py keeps them in memory.
FRAMES_AHEAD = 12
# Kept of what a program says on stderr: the end, where its result is; a chatty program must not fill memory.
STDERR_KEPT = 16 << 20


class RemoteProgram:
    """A program that runs there. Both an OutputStream and an InputStream, by `mode`."""

    def __init__(
        self,
        connection: SshConnection,
        mode: Literal["run", "stream", "feed", "both"],
        argv: Sequence[Argument],
        ok: Collection[int] = (0,),
        env: Mapping[str, str] | None = None,
        timeout: float = 0,
    ) -> None:
        self._connection = connection
        self._host, self._limit = connection.settings.name, connection.settings.answer_timeout
        self._mode, self._argv, self._ok, self._timeout = mode, argv, ok, timeout
        self._mark = secrets.token_hex(16).encode()
        self._result: dict[str, Any] | None = None
        self._completed: Completed | None = None
        self._stderr, self._noise = bytearray(), bytearray()
        self._marked = self._started = False
        self.heard = time.monotonic()
        self._output = b""
        self._received = self._sent = self._taken = 0
        self._lock = threading.Lock()
        self._sending = True
        self._begun, self._told = threading.Event(), threading.Event()
        request = {
            "mode": mode,
            "argv": [_text(argument) for argument in argv],
            "env": dict(env or {}),
            "timeout": timeout,
            "silence": self._limit,
            "mark": self._mark.decode(),
        }
        self._channel, self._link = connection.begin()
        # Whoever waits for so long asks whether the program's supervisor was heard meanwhile.
        self._channel.settimeout(self._limit)
        self._listener = threading.Thread(target=self._listen, name="stderr", daemon=True)
        self._listener.start()
        self._link.attend(self)
        try:
            self._send_frame(json.dumps(request).encode())
            if mode != "run":
                if not self._begun.wait(2 * self._limit):
                    raise self._lost()  # the machine answers, its supervisor does not
                if not self._started:
                    self.finish()  # raises: it was not started, or the connection was lost
        except BaseException:
            self.abandon()
            raise

    # --- output ------------------------------------------------------------------------------------------------

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """See OutputStream.readinto."""
        chunk = self._output or self._receive(len(buffer))
        count = min(len(chunk), len(buffer))
        buffer[:count] = chunk[:count]
        self._output = chunk[count:]
        self._received += count
        return count

    def read_all(self) -> bytes:
        """Return the whole output."""
        data = bytearray()
        while chunk := self._receive(FRAME):
            data += chunk
        self._received += len(data)
        return bytes(data)

    # --- input -------------------------------------------------------------------------------------------------

    def write(self, data: bytes | memoryview) -> int:
        """See InputStream.write."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), FRAME):
            while self._mode == "feed" and self._sent - self._taken >= FRAMES_AHEAD:
                taken = self._receive(FRAMES_AHEAD)
                if not taken:
                    self.finish()
                    raise ended_early(self._host, self._argv)
                self._taken += len(taken)
            self._send_frame(bytes(view[start : start + FRAME]))
            self._sent += 1
        return len(view)

    def end_input(self) -> None:
        """Tell that all input was given; without this nothing of it counts as whole."""
        self._send_frame(b"")

    # --- the end -----------------------------------------------------------------------------------------------

    def finish(self) -> Completed:
        """See OutputStream.finish and InputStream.finish."""
        if self._completed is None:
            self._completed = self._conclude()
        if self._completed.code not in self._ok:
            raise command_failed(self._host, self._argv, self._completed)
        return self._completed

    def abandon(self) -> None:
        """Unless it was finished, kill the program with all that it started, and wait until it is gone."""
        if self._completed is None:
            self._stop_sending()
            # Set by the server's last word on the program, or by the end of the connection.
            self._channel.status_event.wait(self._limit)
        self._link.leave(self)
        self._channel.close()
        self._listener.join(5)

    def beat(self) -> None:
        """Tell the machine that the worker is still here."""
        from paramiko import SSHException

        # Whoever is in the midst of sending is heard anyway.
        if self._lock.acquire(blocking=False):
            try:
                # One that has just ended need not hear it, and must not end the connection of the others.
                with suppress(OSError, EOFError, SSHException):
                    if self._sending and self._channel.send_ready():
                        self._channel.sendall(HEAD.pack(BEAT))
            finally:
                self._lock.release()

    def _conclude(self) -> Completed:
        if self._mode == "feed" and self._result is None:
            with suppress(HostError):  # told below, with the reason
                self.end_input()
        if self._mode == "stream":
            while chunk := self._output or self._receive(FRAME):
                self._output = b""
                self._received += len(chunk)
        while not self._told.wait(self._limit):
            self._require_heard()
        result = self._result
        if result is None:
            raise self._lost()
        with suppress(HostError):  # it is known how the program ended
            self._send(HEAD.pack(DONE))
        stderr = bytes(self._stderr)
        if "not_started" in result:
            raise not_started(self._argv, result["not_started"])
        if "timed_out" in result:
            raise out_of_time(self._host, self._argv, self._timeout, stderr)
        if self._mode in ("run", "stream") and result["moved"] != self._received:
            raise self._lost()
        completed = Completed(result["status"], b"", stderr)
        if self._mode == "feed" and result["unread"] and completed.code in self._ok:
            raise ended_early(self._host, self._argv)
        return completed

    def _require_heard(self) -> None:
        """Raise HostError when the program's supervisor says nothing any more, as one that is frozen.

        Only for whoever has taken all that came: its words cannot pass output for which there is no room.
        """
        # Before it has begun a program it waits for input, and says nothing.
        limit = self._limit if self._started else self._timeout + 2 * self._limit
        if time.monotonic() - self.heard > limit:
            raise self._lost(f"the supervisor there said nothing for {limit:g} s")

    def _lost(self, reason: str = "") -> PulihError:
        said = (self._noise.decode(errors="replace").strip().rpartition("\n")[2])[:300]
        if self._result is None and not self._marked:
            self._connection.forget_installed()
        reason = self._link.reason or reason or ("" if self._marked else said)
        return HostError(
            f"the connection to {self._host} was lost while {describe(self._argv)} ran there"
            + (f" ({reason})" if reason else ""),
            state="it is killed there with everything that it had started, and what came of it counts for nothing",
            hint="see whether the machine and the network are well, then run it again",
        )

    # --- the channel -------------------------------------------------------------------------------------------

    def _receive(self, size: int) -> bytes:
        """Return some of the output, without what a login printed before it; empty at the end."""
        while not self._marked:
            chunk = self._recv(1 << 16)
            if not chunk:
                return b""
            self._noise += chunk
            before, found, after = bytes(self._noise).partition(self._mark)
            if found:
                self._marked, self._noise = True, bytearray(before)
                if after:
                    return after
        return self._recv(size)

    def _recv(self, size: int) -> bytes:
        from paramiko import SSHException

        while True:
            try:
                chunk = bytes(self._channel.recv(size))
            except TimeoutError:
                self._require_heard()
                continue
            except (OSError, EOFError, SSHException):  # pragma: no cover - met by a read or by a write, as chance will
                # Reading writes too: it tells the server how much was taken, and finds the connection gone.
                raise self._lost() from None
            self.heard = time.monotonic() if chunk else self.heard
            return chunk

    def _send_frame(self, data: bytes) -> None:
        self._send(HEAD.pack(len(data)) + data)

    def _send(self, data: bytes) -> None:
        from paramiko import SSHException

        with self._lock:
            if not self._sending:
                raise HostError(f"the stream of {describe(self._argv)} is already finished")
            while data:
                try:
                    data = data[self._channel.send(data) :]
                except TimeoutError:
                    self._require_heard()
                except (OSError, EOFError, SSHException) as error:
                    raise self._lost() from error

    def _stop_sending(self) -> None:
        with self._lock:
            self._sending = False
            # The connection may be dead already, which says the same.
            with suppress(OSError, EOFError):
                self._channel.shutdown_write()

    def _listen(self) -> None:
        """Read what the program says, and how it ended."""
        from paramiko import SSHException

        received, marked = bytearray(), False
        try:
            while chunk := self._recv_stderr():
                received += chunk
                self.heard = time.monotonic()
                if not marked:
                    _noise, found, after = bytes(received).partition(self._mark)
                    if not found:
                        continue
                    marked, received = True, bytearray(after)
                self._take(received)
            if not marked:
                self._noise += received
        except (OSError, EOFError, SSHException):  # pragma: no cover - breaks while paramiko acknowledges what it read
            return  # the connection is gone; told by whoever waits
        finally:
            self._told.set()
            self._begun.set()

    def _recv_stderr(self) -> bytes:
        while True:
            # Whether silence means anything, only who waits for output or for the end can tell.
            with suppress(TimeoutError):
                return bytes(self._channel.recv_stderr(1 << 16))

    def _take(self, received: bytearray) -> None:
        while len(received) >= SAID.size:
            kind, length = SAID.unpack_from(received)
            if len(received) < SAID.size + length:
                return
            content = bytes(received[SAID.size : SAID.size + length])
            del received[: SAID.size + length]
            if kind == b"r":
                self._result = json.loads(content)
                self._told.set()
            self._started = self._started or kind == b"b"
            self._begun.set()
            if kind == b"e":
                self._stderr += content
                if len(self._stderr) > 2 * STDERR_KEPT:
                    del self._stderr[:-STDERR_KEPT]


def _text(argument: Argument) -> str:
    return argument.decode("utf-8", "surrogateescape") if isinstance(argument, bytes) else argument
