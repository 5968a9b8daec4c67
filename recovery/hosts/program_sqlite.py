"""Shipped program: dump, load, check and swap of SQLite databases. Standard library only, Python 3.9 or newer."""

# Names are bytes here, which pathlib does not take.
# ruff: noqa: PTH108, PTH116, PTH208

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from .program_error import ProgramError
from .program_sqlite_check import check
from .program_sqlite_content import SIDE_FILES, connect, explain, fingerprint, open_file, read_header, read_schema
from .program_sqlite_swap import ASIDE, UNDONE, live_is, prepare, swap, swap_back
from .program_system import rename, sync_directories

CHUNK = 1 << 20
PART = b"~"
# In which state the data is, and what to do.
WORTHLESS = ("what was read counts for nothing", "back up again when nothing exchanges or copies the file")


class Snapshot:
    """One state of a live database, held by two readers, while nothing can change the database file itself.

    W begins a write transaction, so that no writer moves. In WAL mode everything written so far is then copied into
    the file; a reader that begins now has nothing to look up in the WAL and takes read lock 0, which keeps every
    checkpoint away from the file. In the other modes a reader's shared lock keeps writers from the file. Then W ends:
    in WAL mode writers go on, in the other modes their commits wait until the dump has ended.
    """

    def __init__(self, path: bytes, timeout: float) -> None:
        self.path = path
        # Opened before the connections and not closed before the process ends: closing any descriptor of the file
        # drops all POSIX locks that this process has on it, those of SQLite included.
        self.descriptor = open_file(path, os.O_RDWR)
        header = read_header(self.descriptor, path)
        deadline = time.monotonic() + timeout
        self._writer, self._checkpointer, self.holder, self.reader = (connect(path, timeout) for _ in range(4))
        while not self._begin():
            if time.monotonic() > deadline:
                raise ProgramError(
                    "SourceLockedError",
                    f"a reader of {os.fsdecode(path)} has held an old state for {timeout:g} s",
                    "nothing was changed",
                    "let the program with the long read transaction finish, or allow more time (lock_timeout)",
                )
            time.sleep(0.02)
        self.page_size = int(self.holder.execute("PRAGMA page_size").fetchone()[0])
        self.page_count = int(self.holder.execute("PRAGMA page_count").fetchone()[0])
        self.mode = "wal" if header[18] == 2 else str(self.holder.execute("PRAGMA journal_mode").fetchone()[0])
        self._state = self._file_state()

    def _begin(self) -> bool:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            busy, frames, done = self._checkpointer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if busy or frames != done:
                return False
            self.holder.execute("BEGIN")
            read_schema(self.holder)
            self.reader.execute("BEGIN")
            self.schema = read_schema(self.reader)
        finally:
            self._writer.execute("ROLLBACK")
        return True

    def _file_state(self) -> tuple[int, int]:
        found = os.fstat(self.descriptor)
        by_name = os.stat(self.path)
        if (found.st_dev, found.st_ino) != (by_name.st_dev, by_name.st_ino):
            raise ProgramError("SourceError", f"{os.fsdecode(self.path)} was replaced while it was read", *WORTHLESS)
        return found.st_mtime_ns, found.st_size

    def send(self) -> None:
        """Write the bytes of the database file to stdout; raises EOFError when there are fewer than it says."""
        # Copied through a buffer and not spliced by sendfile: pages in a pipe are the file's own, so those that are
        # still unread when the snapshot ends would change with the file.
        buffer = memoryview(bytearray(CHUNK))
        position, end = 0, self.page_size * self.page_count
        os.posix_fadvise(self.descriptor, 0, end, os.POSIX_FADV_SEQUENTIAL)
        while position < end:
            count = os.preadv(self.descriptor, [buffer[: end - position]], position)
            if count == 0:
                raise EOFError
            position += count
            written = 0
            while written < count:
                written += os.write(1, buffer[written:count])

    def release(self) -> None:
        """End the snapshot; raises when the file changed although it was held."""
        if self._file_state() != self._state:
            raise ProgramError("SourceError", f"{os.fsdecode(self.path)} changed while it was read", *WORTHLESS)
        # In order: whoever closes last in WAL mode removes the side files, which must not stay behind us.
        for connection in (self.holder, self.reader, self._checkpointer, self._writer):
            connection.close()


def _dump(arguments: list[bytes]) -> dict[str, Any]:
    path, timeout = arguments[0], float(arguments[1])
    with _explained(path):
        snapshot = Snapshot(path, timeout)
        at = datetime.now(timezone.utc).isoformat(timespec="microseconds")  # noqa: UP017 - Python 3.9
        # A process and not a thread: it would wait for the interpreter's lock at every block. It inherits the open
        # file but no lock, and closing its descriptor drops none: POSIX locks belong to this process alone.
        sender = os.fork()
        if sender == 0:
            _send(snapshot)
        try:
            # Else the receiver would wait for the fingerprint before it saw the end of the data.
            os.close(1)
            content = fingerprint(snapshot.reader, snapshot.schema)
        except BaseException:
            os.kill(sender, signal.SIGKILL)
            raise
        finally:
            status = os.waitstatus_to_exitcode(os.waitpid(sender, 0)[1])
        if status != 0:
            raise ProgramError(*_SENDER_FAILURES.get(status, _NOT_SENT))
        snapshot.release()
    return {
        "fingerprint": content,
        "snapshot": {
            "at": at,
            "journal_mode": snapshot.mode,
            "page_size": snapshot.page_size,
            "page_count": snapshot.page_count,
        },
        "tools": {"sqlite": sqlite3.sqlite_version, "python": platform.python_version()},
        "warnings": [],
    }


_SHORT, _GONE = 4, 5
_SENDER_FAILURES = {
    _SHORT: (
        "SourceCorruptError",
        "the database file is shorter than the database says, or cannot be read",
        "nothing was changed",
        "restore it from a backup set",
    ),
    _GONE: ("SourceError", "the receiver of the dump has gone", "nothing was changed", "back up again"),
}
_NOT_SENT = ("SourceError", "the database was not sent to its end", "what was sent counts for nothing", "back up again")


def _send(snapshot: Snapshot) -> None:
    """Write the database to stdout and end this process; its status tells how it went."""
    status = 1
    try:
        snapshot.send()
        status = 0
    except BrokenPipeError:
        status = _GONE
    except (EOFError, OSError):
        status = _SHORT
    finally:
        # At once: the connections are the parent's, and nothing here may touch them.
        os._exit(status)


def _preflight(arguments: list[bytes]) -> dict[str, Any]:
    path, timeout = arguments[0], float(arguments[1])
    descriptor = open_file(path, os.O_RDWR)
    read_header(descriptor, path)
    warnings = []
    if os.fstat(descriptor).st_nlink > 1:
        warnings.append(f"{os.fsdecode(path)} has other names (hard links), which a restore does not change")
    with _explained(path):
        connection = connect(path, timeout)
        read_schema(connection)
        # Takes the lock that a dump begins with.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        connection.close()
    return {"warnings": warnings}


def _load(arguments: list[bytes]) -> dict[str, Any]:
    # Under a name of its own until `keep`: the end of the input does not say whether the sender was done or died.
    path = arguments[0] + PART
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    buffer = memoryview(bytearray(CHUNK))
    size = 0
    while count := os.readv(0, [buffer]):
        written = 0
        while written < count:
            written += os.write(descriptor, buffer[written:count])
        size += count
    os.fsync(descriptor)
    os.close(descriptor)
    return {"size": size}


def _keep(arguments: list[bytes]) -> dict[str, Any]:
    path, size = arguments[0], int(arguments[1])
    if os.stat(path + PART).st_size != size:
        raise ProgramError(
            "SourceError",
            "the copy is shorter than what was sent",
            "it was not kept",
            "see whether that file system has room, then continue",
        )
    rename(path + PART, path)
    return {}


def _drop(arguments: list[bytes]) -> dict[str, Any]:
    for path in arguments:
        # The copy itself last: as long as anything of it is left, it is still listed.
        for name in [path + PART, *_belongings(path), path]:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    sync_directories(*arguments)
    return {}


def _belongings(path: bytes) -> list[bytes]:
    return [path + middle + side for middle in (b"", ASIDE, UNDONE) for side in SIDE_FILES]


def _list(arguments: list[bytes]) -> dict[str, Any]:
    directory, prefix = os.path.split(arguments[0])
    found = sorted(name for name in os.listdir(directory) if name.startswith(prefix))
    return {"names": [os.fsdecode(os.path.join(directory, name)) for name in found]}


def _fingerprint(arguments: list[bytes]) -> dict[str, Any]:
    path, timeout = arguments[0], float(arguments[1])
    with _explained(path), _reading(path, timeout, arguments[2] == b"copy") as connection:
        connection.execute("BEGIN")
        return fingerprint(connection, read_schema(connection))


def _check(arguments: list[bytes]) -> dict[str, Any]:
    path, timeout = arguments[0], float(arguments[1])
    with _explained(path), _reading(path, timeout, arguments[2] == b"copy") as connection:
        return check(connection, path)


@contextlib.contextmanager
def _reading(path: bytes, timeout: float, copy: bool) -> Iterator[sqlite3.Connection]:
    descriptor = open_file(path)
    read_header(descriptor, path)
    os.close(descriptor)
    with contextlib.closing(connect(path, timeout, immutable=copy)) as connection:
        yield connection


@contextlib.contextmanager
def _explained(path: bytes) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except UnicodeError:
        # Names stand in SQL, and SQLite quotes them in its messages. Not `from`: the text itself may be data.
        raise ProgramError(
            "SourceCorruptError",
            f"{os.fsdecode(path)} names a table or column in bytes that are no UTF-8",
            "nothing was changed",
            "if the application works with it, rename that table or column; else restore it from a backup set",
        ) from None


def _swapping(function: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[list[bytes]], dict[str, Any]]:
    def verb(arguments: list[bytes]) -> dict[str, Any]:
        receipt = json.loads(arguments[0])
        with _explained(os.fsencode(receipt["live"])):
            return function(receipt)

    return verb


STREAMING = ("dump",)
VERBS: dict[str, Callable[[list[bytes]], dict[str, Any]]] = {
    "dump": _dump,  # PATH TIMEOUT; the database on stdout
    "preflight": _preflight,  # PATH TIMEOUT
    "load": _load,  # COPY; the database on stdin
    "keep": _keep,  # COPY SIZE
    "drop": _drop,  # COPY…
    "list": _list,  # PREFIX
    "fingerprint": _fingerprint,  # PATH TIMEOUT live|copy
    "check": _check,  # PATH TIMEOUT live|copy
    "prepare": lambda arguments: prepare(arguments[0], arguments[1]),  # LIVE COPY
    "swap": _swapping(swap),  # RECEIPT
    "swap_back": _swapping(swap_back),  # RECEIPT
    "live_is": _swapping(lambda receipt: {"live": live_is(receipt)}),  # RECEIPT
}
