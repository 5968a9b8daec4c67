"""Web services of an application: stopped and started, judged by what they do and never by a return code."""

import math
import posixpath
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from recovery.errors import CommandError, ConfigurationError, ServiceError
from recovery.hosts.base import Host
from recovery.settings import ServiceSettings

# How often a service that is stopping or starting is looked at, and how long one look may wait for an answer.
INTERVAL = 0.1
LOOK = 5.0


class Manager(Protocol):
    """What starts and stops a service."""

    def stop(self, timeout: float) -> None:
        """Ask for a stop. Raises CommandError; whether the service is down is asked separately."""

    def start(self, timeout: float) -> None:
        """Ask for a start. Raises CommandError; whether the service is up is asked separately."""

    def state(self) -> str:
        """Return "stopped", the manager's word for another state, or "" when it cannot tell."""


class Service:
    """One web service on a host."""

    def __init__(self, host: Host, settings: ServiceSettings, manager: Manager) -> None:
        self.name = settings.name
        self._host = host
        self._settings = settings
        self._manager = manager

    def stop(self) -> dict[str, Any]:
        """Stop the service and return the evidence; raises ServiceError unless it is down within stop_timeout.

        A service that is down already is left alone: asking its manager again can only confuse it.
        """
        begun = time.monotonic()
        look = self._look()
        if look.down:
            return look.evidence(self.name, begun)
        return self._wait("down", self._manager.stop, self._settings.stop_timeout, begun, lambda found: found.down)

    def start(self) -> dict[str, Any]:
        """Start the service and return the evidence; raises ServiceError unless it is healthy within start_timeout."""
        begun = time.monotonic()
        look = self._look()
        if look.up:
            return look.evidence(self.name, begun)
        return self._wait("healthy", self._manager.start, self._settings.start_timeout, begun, lambda found: found.up)

    def state(self) -> Literal["running", "stopped"]:
        """Return "stopped" only when nothing at all says that it runs."""
        return "stopped" if self._look().down else "running"

    def healthy(self) -> bool:
        """Tell whether it runs and its health URL (if it has one) answers 200."""
        return self._look().up

    def prove_down(self) -> dict[str, Any]:
        """Return the evidence that the service is down now; raises ServiceError when anything says that it is not."""
        begun = time.monotonic()
        look = self._look()
        if not look.down:
            raise ServiceError(
                f"the service {self.name} is not down ({look.words()})",
                state="nothing was changed",
                hint="stop it; something may start it again by itself",
            )
        return look.evidence(self.name, begun)

    def _wait(
        self,
        goal: str,
        ask: Callable[[float], None],
        timeout: float,
        begun: float,
        reached: "Callable[[_Look], bool]",
    ) -> dict[str, Any]:
        complaint = ""
        try:
            ask(timeout)
        except CommandError as error:
            # Its word counts for nothing, neither for success nor for failure; what the service does counts.
            complaint = error.message
        while True:
            over = time.monotonic() - begun > timeout
            seen = self._answers()
            # Asking a manager is slow, so it is asked when all else has come, and for the message at the end.
            look = replace(seen, state=self._manager.state()) if over or reached(seen) else seen
            if look is not seen and reached(look):
                return look.evidence(self.name, begun)
            if over:
                break
            time.sleep(INTERVAL)
        told = f"; its manager said: {complaint}" if complaint else ""
        raise ServiceError(
            f"the service {self.name} is not {goal} after {timeout:g} s ({look.words()}{told})",
            state="the service may be running or not",
            hint="look at the service's own log on the host, then continue the procedure",
        )

    def _look(self) -> "_Look":
        return replace(self._answers(), state=self._manager.state())

    def _answers(self) -> "_Look":
        port = "" if self._settings.port is None else str(self._settings.port)
        found = self._host.call("system", "service", port, self._settings.health_url, str(LOOK), timeout=LOOK * 4)
        return _Look("", found["port"], found["health"])


@dataclass(frozen=True)
class _Look:
    """What was seen at one time. Each of the three may be unknown ("" or None), but not all."""

    state: str
    port: str
    health: dict[str, Any] | None

    @property
    def down(self) -> bool:
        return (
            self.state in ("stopped", "")
            and self.port in ("closed", "")
            and (not self.health or not self.health["status"])
        )

    @property
    def up(self) -> bool:
        return (
            self.state in ("running", "")
            and self.port in ("open", "")
            and (self.health is None or self.health["status"] == 200)
        )

    def words(self) -> str:
        """Return the three in words."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        if self.state:
            yield f"manager: {self.state}"
        if self.port:
            yield f"port: {self.port}"
        if self.health is not None:
            yield f"health: {self.health['status'] or self.health['reason']}"

    def evidence(self, name: str, begun: float) -> dict[str, Any]:
        return {
            "service": name,
            "at": datetime.now(UTC).isoformat(timespec="microseconds"),
            "seconds": math.ceil(time.monotonic() - begun),  # whole: records hold no floats
            "state": self.state or "unknown",
            "port": self.port or "none",
            "health": "none" if self.health is None else str(self.health["status"] or self.health["reason"]),
        }


class _Commands:
    """A service that two configured programs start and stop; they cannot be asked for its state."""

    def __init__(self, host: Host, settings: ServiceSettings) -> None:
        self._host, self._settings = host, settings

    def stop(self, timeout: float) -> None:
        self._host.run(self._settings.stop, timeout=timeout)

    def start(self, timeout: float) -> None:
        self._host.run(self._settings.start, timeout=timeout)

    def state(self) -> str:
        return ""


class _Supervisor:
    """A program under supervisord."""

    # Words of supervisord (process states); the others mean that something runs or is about to.
    STOPPED = ("STOPPED", "EXITED", "FATAL")

    def __init__(self, host: Host, settings: ServiceSettings) -> None:
        self._host, self._program = host, settings.program
        self._command = [_supervisorctl(), "-c", settings.configuration]

    def stop(self, timeout: float) -> None:
        # Stopping what is stopped prints ERROR and still ends with 0, one of the reasons to look for ourselves.
        self._host.run([*self._command, "stop", self._program], timeout=timeout)

    def start(self, timeout: float) -> None:
        self._host.run([*self._command, "start", self._program], timeout=timeout)

    def state(self, settled: bool = False) -> str:
        # 3: not running. Any other status means that the daemon did not answer, or does not know the program.
        completed = self._host.run([*self._command, "status", self._program], timeout=30, ok=(0, 3, 4))
        words = completed.stdout.decode(errors="replace").split()
        if completed.code == 4 or len(words) < 2 or words[0] != self._program:
            raise ServiceError(
                f"supervisord cannot tell the state of {self._program}",
                state="nothing was changed",
                hint="check that supervisord runs, and the names of its configuration file and of the program",
            )
        if words[1] == "EXITED" and not settled:
            # With autorestart this state lasts until supervisord's next round, a second later.
            time.sleep(1.5)
            return self.state(settled=True)
        if words[1] in self.STOPPED:
            return "stopped"
        return "running" if words[1] == "RUNNING" else words[1].lower()


def _supervisorctl() -> str:
    # On PATH of a service account there is often no virtual environment, so first beside the running Python.
    beside = Path(sys.executable).with_name("supervisorctl")
    return str(beside) if beside.exists() else shutil.which("supervisorctl") or "supervisorctl"


def open_service(host: Host, settings: ServiceSettings) -> Service:
    """Given the host and a service's settings, return the service; raises ConfigurationError when they do not suffice.

    A service must have something by which its being down can be proven: a supervisor, a port or a health URL.
    """
    if settings.kind == "supervisor":
        if not settings.program or not posixpath.isabs(settings.configuration):
            raise ConfigurationError(
                f"the service {settings.name} lacks its program or the absolute path of supervisord's configuration",
                hint="set `program` and `configuration`",
            )
        return Service(host, settings, _Supervisor(host, settings))
    if not settings.start or not settings.stop:
        raise ConfigurationError(
            f"the service {settings.name} lacks its start or stop command", hint="set `start` and `stop`"
        )
    if settings.port is None and not settings.health_url:
        raise ConfigurationError(
            f"nothing tells whether the service {settings.name} is down", hint="set `port`, `health_url` or both"
        )
    return Service(host, settings, _Commands(host, settings))
