"""Points: the instants at which a state on disk, in the catalog or on a host is about to change or has just changed.

Whoever proves that a process may die at any instant observes them; in service nobody does, and they do nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Observer = Callable[[str], None]

_observer: Observer | None = None


def reached(name: str) -> None:
    """Given the name of a point, tell the observer, if there is one, that the work has come to it.

    Code calls it right before or right after a change, in whatever thread; what the observer raises passes through.
    """
    if _observer is not None:
        _observer(name)


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """Given a callback, let it see every point that this process reaches while the block runs."""
    # One for the process, because points are reached from threads, too.
    global _observer
    before, _observer = _observer, observer
    try:
        yield
    finally:
        _observer = before
