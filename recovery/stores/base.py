"""What every store promises: objects are written once, whole, and never overwritten."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recovery.errors import StoreError

Names = list[str]  # named here, because inside the classes `list` is a method

TEMPORARY = ".pulih-tmp-"  # begins the names of unfinished objects, which no object may have
LONGEST_KEY = 1024  # of S3, in bytes; so that what one store takes, another takes too
LONGEST_NAME = 255  # of common file systems, in bytes


@dataclass(frozen=True)
class ObjectInfo:
    """One object of a store: its key below the store's prefix, and its size in bytes."""

    key: str
    size: int


class Readable(Protocol):
    """An open object. `readinto` returns how many bytes it put into the buffer, and 0 at the end."""

    def readinto(self, buffer: memoryview, /) -> int: ...


class Store(Protocol):
    """A place for backup sets.

    Keys are relative, with `/` between their parts. `put_file` and `put_bytes` are write-once: a key that already
    holds the same bytes is success (the call is repeated after a crash), any other content is ObjectExistsError.
    When a put raises, nothing is under the key.

    A store with versions reads the oldest of a key, whatever was laid over it since: what was written once is what is
    read. Given the SHA-256 that the object must have, it reads the oldest version that has it; when none has, the
    oldest, so that the reader finds the difference. A store without versions does not look at the SHA-256.
    """

    name: str

    def put_file(self, key: str, path: Path) -> str:
        """Given a key and a local file, put the file's bytes under the key, durably; then read all of them back, and
        return the SHA-256 of what was read."""
        ...

    def put_bytes(self, key: str, data: bytes) -> None:
        """Given a key and bytes, put them under the key, durably."""

    def open(self, key: str, *, sha256: str = "") -> AbstractContextManager[Readable]:
        """Given a key, open its object for reading. Raises ObjectMissingError."""
        ...

    def read(self, key: str, *, limit: int = 16 << 20, sha256: str = "") -> bytes:
        """Given a key, return its object's bytes. Raises ObjectTooLargeError when there are more than `limit`."""
        ...

    def exists(self, key: str) -> bool:
        """Given a key, return whether an object is there."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Given the beginning of a key, yield every object whose key begins so, ordered by key."""
        ...

    def location(self, key: str) -> str:
        """Given a key, return where its object lies, as printed on forms."""
        ...

    def check(self) -> None:
        """Return when the store can be written; raises StoreError with the reason."""

    def sweep(self, older_than_seconds: float) -> Names:
        """Given an age, remove what interrupted puts older than that left behind, and return its names."""
        ...

    def protect(self, key: str, until: str) -> str:
        """Given a key and a moment (ISO 8601 with its zone), keep the object from being removed or replaced before it.

        Returns what the store says of it afterwards: "compliance" (nobody can remove it), "governance" (whom the
        store's owner allows can), or "none" where the store has no lock or the moment has passed. What already holds
        longer stays.
        Raises ObjectMissingError; StoreError when the settings demand a lock and it does not hold.
        """
        ...

    def lacks_lock(self, key: str, until: str) -> str:
        """Given a key and a moment, return "" when what there is keeps the object until then as far as this store and
        its settings can, else the reason in words. Changes nothing. Raises ObjectMissingError."""
        ...

    def removable(self, key: str) -> str:
        """Given a key, return "" when `remove` would work now, else in words what locks it. What is gone is removable.

        Raises StoreReadOnlyError where this account can remove nothing, locked or not, as far as the store tells.
        """
        ...

    def remove(self, key: str) -> None:
        """Given a key, remove its object with every version of it; what is gone already is success.

        Only retention calls this, on a store opened for removal. Raises StoreError when the store refuses.
        """


def check_key(key: str) -> None:
    """Given a key, return when every store can hold it. Raises StoreError: a wrong key could leave the store."""
    if not is_key(key):
        raise StoreError(
            f"{key!r} cannot be the key of an object",
            state="nothing was read or written",
            hint="check the names in the inventory; a key is made of them",
        )


def is_key(key: str) -> bool:
    """Given a key, return whether every store can hold it.

    Between slashes stand names of 1 to 255 bytes of printable UTF-8, none of them `.`, `..` or that of an
    unfinished object.
    """
    names = key.split("/")
    try:
        fits = len(key.encode()) <= LONGEST_KEY and all(0 < len(name.encode()) <= LONGEST_NAME for name in names)
    except UnicodeEncodeError:
        fits = False
    return (
        fits
        and key.isprintable()
        and "\\" not in key
        and not any(name in (".", "..") or name.startswith(TEMPORARY) for name in names)
    )
