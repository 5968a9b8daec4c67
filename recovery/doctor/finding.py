"""One thing that was looked at, and looking without stopping at what is wrong."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from recovery.errors import PulihError

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `mend` says what to do when it is not ok."""

    subject: str
    state: State
    message: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return asdict(self)


def attempt(subject: str, look: Callable[[], Any], good: str) -> Finding:
    """Given a look, return that it was good; or the problem that it met."""
    try:
        look()
    except PulihError as error:
        return Finding(subject, "problem", error.message, error.hint)
    return Finding(subject, "ok", good)
