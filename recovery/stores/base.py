"""What every store promises: objects are written once, whole, and never overwritten."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


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
    """

    name: str

    def put_file(self, key: str, path: Path) -> None:
        """Given a key and a local file, put the file's bytes under the key, durably."""

    def put_bytes(self, key: str, data: bytes) -> None:
        """Given a key and bytes, put them under the key, durably."""

    def open(self, key: str) -> AbstractContextManager[Readable]:
        """Given a key, open its object for reading. Raises ObjectMissingError."""
        ...

    def read(self, key: str, *, limit: int = 16 << 20) -> bytes:
        """Given a key, return its object's bytes. Raises StoreError when there are more than `limit`."""
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

    def sweep(self, older_than_seconds: float) -> list[str]:
        """Given an age, remove what interrupted puts older than that left behind, and return its names."""
        ...
