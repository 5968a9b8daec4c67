"""Waiting for a condition."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_SECONDS = 240

Found = TypeVar("Found")


def wait_until(look: Callable[[], Found], what: str, *, seconds: float = PATIENCE_SECONDS, every: float = 0.3) -> Found:
    """Given a look that returns something true once it is so, return that; AssertionError after `seconds`."""
    give_up_at = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up_at, f"not within {seconds} seconds: {what}"
        time.sleep(every)
    return found
