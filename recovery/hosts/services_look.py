"""What was seen of a service at one time, by its manager, its port, its answers and its maintenance page."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# What a web server answers for an application that is not there.
GATEWAY = (502, 503, 504)
UNAVAILABLE = 503


@dataclass(frozen=True)
class Managed:
    """What a service's manager says.

    `word`: "stopped", "running", its words for anything between, or "" when it cannot tell. `units`: the state of each
    unit. `lives`: what changes when one of them is started anew.
    """

    word: str
    units: dict[str, str] = field(default_factory=dict)
    lives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """What was seen at one time. Manager, port and health may each be unknown ("" or None), but not all three.

    `page` and `flag` are None without a maintenance page.
    """

    managed: Managed
    port: str
    health: dict[str, Any] | None
    page: dict[str, Any] | None = None
    flag: bool | None = None

    @property
    def silent(self) -> bool:
        """Nothing says that the application runs."""
        return (
            self.managed.word in ("stopped", "")
            and self.port in ("closed", "")
            and (not self.health or not self.health["status"] or self._is_gateway(self.health["status"]))
        )

    @property
    def closed(self) -> bool:
        """Nobody gets to the application through the web server: the page is shown, or nothing answers there."""
        if self.page is None:
            return True
        return bool(self.flag) and (self.shows_page or bool(self.page["refused"]))

    @property
    def shows_page(self) -> bool:
        """The web server answers with the maintenance page."""
        return self.page is not None and self.page["status"] == UNAVAILABLE and bool(self.page["marked"])

    @property
    def down(self) -> bool:
        """It is proven that nobody can work with the application."""
        return self.silent and self.closed

    @property
    def well(self) -> bool:
        """The application runs and is healthy, whether people get to it or not."""
        return self.managed.word in ("running", "") and self.port in ("open", "") and self.healthy

    @property
    def healthy(self) -> bool:
        """The health URL, if there is one, answers 200."""
        return self.health is None or self.health["status"] == 200

    @property
    def up(self) -> bool:
        """The application is healthy and people get to it."""
        return self.well and (self.page is None or (not self.flag and 200 <= self.page["status"] < 500))

    def _is_gateway(self, status: int) -> bool:
        # A web server stays before a closed application, so here it is the manager who says that it is stopped.
        return self.page is not None and status in GATEWAY

    def words(self) -> str:
        """Return all of it in words."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        if self.managed.word:
            yield f"manager: {self.managed.word}"
        if self.port:
            yield f"port: {self.port}"
        if self.health is not None:
            yield f"health: {_told(self.health)}"
        if self.page is not None:
            yield f"maintenance page: {self._page_word()}"

    def _page_word(self) -> str:
        if self.page is None:
            return "none"
        if self.shows_page:
            return "shown"
        return f"{_told(self.page)} {'in spite of' if self.flag else 'without'} its flag"

    def evidence(self, name: str, begun: float, watched: dict[str, Any]) -> dict[str, Any]:
        """Given the service's name, when the work on it began and where it was looked at, return the evidence."""
        return {
            "service": name,
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "seconds": math.ceil(time.monotonic() - begun),  # whole: records hold no floats
            "state": self.managed.word or "unknown",
            "port": self.port or "none",
            "health": "none" if self.health is None else _told(self.health),
            "units": self.managed.units,
            "page": self._page_word(),
            "watched": watched,
        }


def _told(answer: dict[str, Any]) -> str:
    return str(answer["status"] or answer["reason"])
