"""Reading the files of a directory store, and those that are put into it, so that every way of failing is named; and
that a file cannot be removed."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from recovery.errors import StoreError, StoreReadOnlyError

PIECE = 1 << 20


class StoredFile:
    """An object that is being read."""

    def __init__(self, descriptor: int, what: str) -> None:
        self._descriptor = descriptor
        self._what = what

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer as far as one read does; return the number of bytes, 0 at the end. Raises StoreError."""
        try:
            return os.readv(self._descriptor, [buffer])
        except OSError as error:
            raise unreadable(error, self._what) from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[int]:
    """Given a path, open its file for the time of a `with`. Raises StoreError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise unreadable(error, str(path)) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def pieces(descriptor: int, what: str) -> Iterator[bytes]:
    """Given an open file and its name for people, yield its bytes from the beginning. Raises StoreError."""
    position = 0
    while True:
        try:
            piece = os.pread(descriptor, PIECE, position)
        except OSError as error:
            raise unreadable(error, what) from error
        if not piece:
            return
        position += len(piece)
        yield piece


def read_exactly(descriptor: int, size: int, what: str) -> bytes:
    """Given an open file and its name for people, return that many of its next bytes, fewer at its end.

    Raises StoreError.
    """
    found = []
    try:
        while size and (piece := os.read(descriptor, size)):
            found.append(piece)
            size -= len(piece)
    except OSError as error:
        raise unreadable(error, what) from error
    return b"".join(found)


def unreadable(error: OSError, what: str) -> StoreError:
    """Given the system's error while reading `what`, return the error to raise."""
    return StoreError(
        f"{what} cannot be read ({error.strerror})",
        state="nothing was changed",
        hint="look at the disk, its mount, and the permissions of the worker's account",
    )


def unremovable(folder: Path, where: str) -> StoreReadOnlyError:
    """Given a folder from which this account can remove nothing, and its store, return the error to raise."""
    return StoreReadOnlyError(
        f"this account cannot remove files from {folder} in {where}",
        state="nothing was removed",
        hint="let the worker that destroys run as the account that writes there (docs/operations.md), and see that the "
        "file system is mounted for writing",
    )
