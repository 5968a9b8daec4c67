"""Threads that pass buffers to each other over bounded channels, and stop together at the first error."""

import io
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

BUFFER_SIZE = 1 << 20
# Of Python's lock, in seconds. pyrage keeps it while it encrypts; with Python's own 5 ms the others wait too long for
# it: a tree's backup takes 5 % longer (bench_step1.py).
TURN = 0.0005
BUFFERS = 4  # between two threads: enough to ride out a stall of either, and still only 4 MiB

Item = TypeVar("Item")


class StoppedError(Exception):
    """Another thread failed; its error is the one to raise."""


class Channel(Generic[Item]):
    """A bounded queue between two threads that can be closed by its writer and stopped by the line."""

    def __init__(self, capacity: int, items: Sequence[Item] = ()) -> None:
        self._items = deque(items)
        self._capacity = capacity
        self._changed = threading.Condition()
        self._closed = False
        self._stopped = False

    def put(self, item: Item) -> None:
        with self._changed:
            while len(self._items) >= self._capacity and not self._stopped:
                self._changed.wait()
            if self._stopped:
                raise StoppedError
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> Item | None:
        """Return the next item, or None when the writer has closed the channel and all were taken."""
        with self._changed:
            while not self._items and not self._closed and not self._stopped:
                self._changed.wait()
            if self._stopped:
                raise StoppedError
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def take(self) -> Item:
        """Return the next item of a pool, which is never closed."""
        item = self.get()
        if item is None:  # pragma: no cover - for the type checker: nobody closes a pool
            raise StoppedError
        return item

    def __iter__(self) -> Iterator[Item]:
        while (item := self.get()) is not None:
            yield item

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


class _ShorterTurns:
    """For as long as any pass lasts, and no longer: they make whatever else is done in threads dearer."""

    def __init__(self) -> None:
        self._deciding = threading.Lock()
        self._passes = 0
        self._before = 0.0

    def begin(self) -> None:
        with self._deciding:
            if self._passes == 0:
                self._before = sys.getswitchinterval()
                sys.setswitchinterval(TURN)
            self._passes += 1

    def end(self) -> None:
        with self._deciding:
            self._passes -= 1
            if self._passes == 0:
                sys.setswitchinterval(self._before)


_shorter_turns = _ShorterTurns()


class Line:
    """The threads of one pass. The first error anywhere stops all of them and is raised in the caller's thread."""

    def __init__(self) -> None:
        self._channels: list[Channel[Any]] = []
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._deciding = threading.Lock()

    def pool(self) -> Channel[memoryview]:
        """Return a channel filled with reusable buffers: take one, pass it on, and the last user puts it back."""
        return self.channel([memoryview(bytearray(BUFFER_SIZE)) for _ in range(BUFFERS)])

    def channel(self, items: Sequence[Item] = ()) -> Channel[Item]:
        """Return a channel that stops with the line."""
        channel: Channel[Item] = Channel(BUFFERS, items)
        self._channels.append(channel)
        return channel

    def start(self, name: str, body: Callable[[], None]) -> None:
        def run() -> None:
            try:
                body()
            except BaseException as error:  # noqa: BLE001 - carried to the caller's thread, whatever it is
                self._fail(error)

        # Daemon: a second interrupt while we wait for a thread must be able to end the process.
        thread = threading.Thread(target=run, name=f"stream-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def finish(self) -> None:
        """Wait for every thread to end by itself."""
        for thread in self._threads:
            thread.join()
        if self._error is not None:
            raise StoppedError

    def _fail(self, error: BaseException) -> None:
        with self._deciding:
            if self._error is None:
                self._error = error
        for channel in self._channels:
            channel.stop()

    def __enter__(self) -> "Line":
        _shorter_turns.begin()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        _shorter_turns.end()
        if error is None:
            return
        self._fail(error)
        for thread in self._threads:
            thread.join()
        first = self._error
        if first is not None and first is not error:
            raise first from first.__cause__


class ChannelReader(io.RawIOBase):
    """What comes through a channel, as a file; every used buffer goes back to its pool."""

    def __init__(self, channel: Channel[memoryview], pool: Channel[memoryview] | None = None) -> None:
        self._channel = channel
        self._pool = pool
        self._block = memoryview(b"")
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._position == len(self._block) and not self._next():
            return 0
        count = min(len(buffer), len(self._block) - self._position)
        buffer[:count] = self._block[self._position : self._position + count]
        self._position += count
        return count

    def _next(self) -> bool:
        if self._pool is not None and len(self._block):
            self._pool.put(whole(self._block))
        block = self._channel.get()
        self._block, self._position = block if block is not None else memoryview(b""), 0
        return block is not None

    def skip_rest(self) -> None:
        """Take everything that is still to come, so that the thread before us sees the end."""
        while self._next():
            pass


class ChannelWriter:
    """A file whose bytes are gathered into pooled buffers and sent through a channel; `finish` sends the last."""

    def __init__(self, channel: Channel[memoryview], pool: Channel[memoryview]) -> None:
        self._channel = channel
        self._pool = pool
        self._block = memoryview(b"")
        self._filled = 0

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            if self._filled == len(self._block):
                self._send()
                self._block, self._filled = self._pool.take(), 0
            count = min(len(rest), len(self._block) - self._filled)
            self._block[self._filled : self._filled + count] = rest[:count]
            self._filled += count
            rest = rest[count:]
        return len(data)

    def flush(self) -> None:
        """Nothing is sent early: only whole buffers keep the threads apart."""

    def finish(self) -> None:
        """Send what is gathered, and close the channel."""
        self._send()
        self._channel.close()

    def _send(self) -> None:
        if self._filled:
            self._channel.put(self._block[: self._filled])
            self._filled = 0
            self._block = memoryview(b"")


def whole(block: memoryview) -> memoryview:
    """Given a part of a pooled buffer, return the whole buffer again."""
    return memoryview(block.obj)
