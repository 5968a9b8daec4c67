"""What the sabotage tests need of a database engine: one class per engine, so that each test is for all of them."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from recovery.sources.base import Source
from tests.recovery.sabotage.proving import Failed, Original


class Loss(NamedTuple):
    """Something that a copy lost: what is done to it, and the check that must fail."""

    name: str
    statement: str
    fails: Failed


class Corpus(Protocol):
    """Databases of one engine, in a server of the tests' own."""

    # Names of shapes to what makes them; all must pass. And those that are tried every time.
    good: Mapping[str, str]
    quick: tuple[str, ...]

    @classmethod
    def serve(cls) -> "AbstractContextManager[Any]":
        """Start a server and give the corpus in it."""

    def make(self, statements: str) -> Source:
        """Make a database of its own out of statements."""

    def many_tables(self, number: int) -> Source:
        """Make a database of so many tables."""

    def rich(self) -> Source:
        """Make a database with objects of every kind."""

    def copy(self, original: Original, name: str) -> str:
        """Make a good copy of the rich database beside the live one; return its name."""

    def load(self, original: Original, copy: str, plain: bytes | None = None) -> None:
        """Load a dump, or other bytes in its place, beside the live data."""

    def losses(self) -> list[Loss]:
        """What a copy of the rich database may lose."""

    def lose(self, copy: str, statement: str) -> None:
        """Spoil a copy."""

    def archives(self, original: Original) -> dict[str, tuple[Callable[[], bytes], tuple[Failed, ...]]]:
        """Dumps that can be loaded and are not the original: what makes each, and checks that must fail for it."""

    def stale(self) -> tuple[Original, bytes]:
        """A dump, and the bytes of one that was made before the data changed."""
