"""How far the proof of a component is, for people who wait for it: told while data passes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Progress:
    """Of a component's copy: bytes that are loaded ("load"), or tables or directories that are measured ("measure")."""

    component: str
    kind: str
    phase: Literal["load", "measure"]
    done: int
    total: int


Tell = Callable[[Progress], None]


def to_nobody(progress: Progress) -> None:
    """Tell nobody."""


class Proof:
    """Tells of one component's proof: hands its writes and measurements on, and says how far they are."""

    def __init__(self, component: str, kind: str, tell: Tell = to_nobody) -> None:
        self._component, self._kind, self._tell = component, kind, tell

    def counted(self, write: Callable[[memoryview], Any], total: int) -> Callable[[memoryview], Any]:
        """Given what takes a copy's bytes and how many there will be, return what does the same and tells of it."""
        done = 0
        self._say("load", 0, total)

        def counting(data: memoryview) -> Any:
            nonlocal done
            taken = write(data)
            done += len(data) if taken is None else taken
            self._say("load", done, total)
            return taken

        return counting

    def measured(self, done: int, total: int) -> None:
        """Tell how many tables or directories have been measured."""
        self._say("measure", done, total)

    def _say(self, phase: Literal["load", "measure"], done: int, total: int) -> None:
        self._tell(Progress(self._component, self._kind, phase, done, total))
