"""Web services of an application: stopped, started and opened, judged by what they do and never by a return code."""

import json
import posixpath
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from recovery.errors import CommandError, ConfigurationError, ServiceError
from recovery.hosts.base import Host
from recovery.hosts.services_look import Look, Managed
from recovery.hosts.services_maintenance import Maintenance
from recovery.hosts.services_managers import Commands, Manager, Permit, Supervisor, always
from recovery.hosts.services_systemd import Systemd
from recovery.points import reached
from recovery.settings import ServiceSettings

# How often a service that is stopping or starting is looked at, and how long one look may wait for an answer.
INTERVAL = 0.1
LOOK = 5.0
# One call watches for a change so long.
LONGEST = 1.0
# So long a service without port and URL must have stayed as it was before it counts as started.
SETTLE = 1.0


class Service:
    """One web service on a host.

    A `permit` is asked right before each single thing that changes something there, and what it raises passes through:
    whoever slept too long must not go on with what somebody else has taken up.
    """

    def __init__(self, host: Host, settings: ServiceSettings, manager: Manager) -> None:
        self.name = settings.name
        self._host = host
        self._settings = settings
        self._manager = manager
        self._maintenance = Maintenance(host, settings.maintenance) if settings.maintenance else None

    def preflight(self) -> None:
        """Raise ServiceError when a stop, or the start after it, is sure to fail. Changes nothing."""
        self._manager.check()
        flag = self._ask()["flag"]
        if flag is not None and not flag["writable"]:
            raise ServiceError(
                f"this account cannot put the maintenance flag of {self.name} on {self._host.name}",
                state="nothing was changed",
                hint="let it write into the flag's directory",
            )

    def stop(self, permit: Permit = always) -> dict[str, Any]:
        """Stop the service and return the evidence; raises ServiceError unless it is down within stop_timeout.

        A service that is down already is left alone: asking its manager again can only confuse it. With a maintenance
        page, that is shown first: people must meet it and not a service that is going down.
        """
        begun = time.monotonic()
        look = self._look()
        if look.down:
            return self._evidence(look, begun)
        if not look.silent:
            # What could not be started again must not be stopped.
            self._manager.check()
        if self._maintenance is not None:
            self._close(self._maintenance, look, permit)
        limit = self._settings.stop_timeout
        return self._wait(
            "down", lambda seconds: self._manager.stop(seconds, permit), limit, begun, lambda found: found.down
        )

    def start(self, permit: Permit = always) -> dict[str, Any]:
        """Start the service and return the evidence; raises ServiceError unless it is healthy within start_timeout.

        A maintenance page stays. Without one, people get in as soon as the service is up.
        """
        begun = time.monotonic()
        look = self._look()
        if look.well:
            return self._evidence(look, begun)
        limit = self._settings.start_timeout
        evidence = self._wait(
            "healthy", lambda seconds: self._manager.start(seconds, permit), limit, begun, lambda found: found.well
        )
        self._require_settled()
        return evidence

    def prove_well(self) -> dict[str, Any]:
        """Return the evidence that it is healthy now, behind its page or without one; starts and changes nothing.

        Raises ServiceError unless it is so within start_timeout: one slow answer of a busy machine says little.
        """
        limit = self._settings.start_timeout
        return self._wait("healthy", lambda _: None, limit, time.monotonic(), lambda found: found.well)

    def open(self, permit: Permit = always) -> dict[str, Any]:
        """Take the maintenance page, if there is one, from a healthy service, and return the evidence.

        Raises ServiceError unless people get to it within start_timeout. Of services that share a page all must be
        healthy before the first is opened.
        """
        begun = time.monotonic()
        if self._maintenance is not None:
            reached(f"service: before opening {self.name}")
            permit()
            self._maintenance.remove()
        limit = self._settings.start_timeout
        return self._wait("open to people", lambda _: None, limit, begun, lambda found: found.up)

    def state(self) -> Literal["running", "closed", "stopped"]:
        """Return "stopped" only when nothing at all says that it runs, "closed" when the maintenance flag is there."""
        look = self._look()
        return "stopped" if look.silent else "closed" if look.flag else "running"

    def healthy(self) -> bool:
        """Tell whether it runs, its health URL (if it has one) answers 200, and no maintenance page is before it."""
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
        return self._evidence(look, begun)

    def _close(self, maintenance: Maintenance, before: Look, permit: Permit) -> None:
        reached(f"service: before closing {self.name}")
        permit()
        maintenance.put()
        # A health URL that the page answers would be noticed only when the service can no longer be started.
        past_page = before.well and bool(self._settings.health_url)
        give_up_at = time.monotonic() + LOOK
        while not (look := self._answers()).closed or (past_page and not look.healthy):
            if time.monotonic() > give_up_at:
                if before.flag and look.page and not look.page["status"]:
                    return  # closed before, and nothing says that it is open now: the units must not run on
                permit()
                raise self._not_closed(maintenance, look, was_there=bool(before.flag))
            time.sleep(INTERVAL)

    def _not_closed(self, maintenance: Maintenance, look: Look, *, was_there: bool) -> ServiceError:
        """Remove the flag, unless somebody else had put it, and return the error to raise."""
        if not was_there:
            maintenance.remove()
        left = "the flag, which had been there before, was left" if was_there else "the flag was removed again"
        if look.closed:
            return ServiceError(
                f"the health_url of {self.name} does not answer 200 while the maintenance page is shown"
                f" ({look.words()})",
                state=f"nothing was stopped, and {left}",
                hint="give a health_url that leads past the page, such as the application's own port",
            )
        return ServiceError(
            f"the web server does not show the maintenance page of {self.name} ({look.words()})",
            state=f"nothing was stopped, and {left}",
            hint="check what the web server does when the flag file is there, and the page's `url` and `text`",
        )

    def _require_settled(self) -> None:
        """A unit counts as active the moment its process begins. Where nothing answers, staying so is the proof."""
        if self._settings.port is not None or self._settings.health_url:
            return
        before = self._manager.state()
        time.sleep(SETTLE)
        look = self._look()
        if not look.well or look.managed.lives != before.lives:
            raise ServiceError(
                f"the service {self.name} does not stay up ({look.words()})",
                state="the service may be running or not",
                hint="look at the service's own log on the host, then continue the procedure",
            )

    def _wait(
        self,
        goal: str,
        ask: Callable[[float], None],
        timeout: float,
        begun: float,
        is_reached: Callable[[Look], bool],
    ) -> dict[str, Any]:
        complaint = ""
        try:
            ask(timeout)
        except CommandError as error:
            # Its word counts for nothing, neither for success nor for failure; what the service does counts.
            complaint = error.message
        was: dict[str, Any] | None = None
        while True:
            left = timeout - (time.monotonic() - begun)
            over = left < 0
            try:
                was = self._ask() if was is None or over else self._ask_again(was, min(left, LONGEST))
                seen = _as_look(was)
                # Asking a manager is slow, so it is asked when all else has come, and for the message at the end.
                look = replace(seen, managed=self._manager.state()) if over or is_reached(seen) else seen
            except CommandError as error:
                # A machine that is busy with starting may be too slow to answer; the next look tells.
                words, was = error.message, None
            else:
                words = look.words()
                if look is not seen:
                    if is_reached(look):
                        return self._evidence(look, begun)
                    # The manager alone is waited for, and what it says does not show in the answers.
                    was = None
            if over:
                break
            if was is None:
                time.sleep(INTERVAL)
        told = f"; its manager said: {complaint}" if complaint else ""
        raise ServiceError(
            f"the service {self.name} is not {goal} after {timeout:g} s ({words}{told})",
            state="the service may be running or not",
            hint="look at the service's own log on the host, then continue the procedure",
        )

    def _look(self) -> Look:
        return replace(self._answers(), managed=self._manager.state())

    def _answers(self) -> Look:
        return _as_look(self._ask())

    def _ask(self) -> dict[str, Any]:
        return self._host.call("service", "look", *self._watched, timeout=LOOK * 4)

    def _ask_again(self, was: dict[str, Any], seconds: float) -> dict[str, Any]:
        """What is seen as soon as it is not what was seen before, or after so many seconds."""
        arguments = [*self._watched, json.dumps(was), str(seconds)]
        return self._host.call("service", "changed", *arguments, timeout=LOOK * 4 + seconds)

    @property
    def _watched(self) -> list[str]:
        port = "" if self._settings.port is None else str(self._settings.port)
        page = self._maintenance.arguments if self._maintenance else ["", "", ""]
        return [port, self._settings.health_url, *page, str(LOOK)]

    def _evidence(self, look: Look, begun: float) -> dict[str, Any]:
        watched = {"port": self._settings.port, "health_url": self._settings.health_url}
        page = self._maintenance.watched if self._maintenance else {}
        seen = {name: value for name, value in {**watched, **page}.items() if value}
        return look.evidence(self.name, begun, seen)


def open_service(host: Host, settings: ServiceSettings) -> Service:
    """Given the host and a service's settings, return the service; raises ConfigurationError when they do not suffice.

    A service must have something by which its being down can be proven: a manager that knows, a port or a health URL.
    """
    return Service(host, settings, _manager(host, settings))


def _manager(host: Host, settings: ServiceSettings) -> Manager:
    if settings.kind == "systemd":
        if not settings.units:
            raise ConfigurationError(f"the service {settings.name} names no unit of systemd", hint="set `units`")
        return Systemd(host, settings)
    if settings.kind == "supervisor":
        if not settings.program or not posixpath.isabs(settings.configuration):
            raise ConfigurationError(
                f"the service {settings.name} lacks its program or the absolute path of supervisord's configuration",
                hint="set `program` and `configuration`",
            )
        return Supervisor(host, settings)
    if not settings.start or not settings.stop:
        raise ConfigurationError(
            f"the service {settings.name} lacks its start or stop command", hint="set `start` and `stop`"
        )
    if settings.port is None and not settings.health_url:
        raise ConfigurationError(
            f"nothing tells whether the service {settings.name} is down", hint="set `port`, `health_url` or both"
        )
    if settings.maintenance is not None:
        raise ConfigurationError(
            f"nothing tells whether the service {settings.name} is down behind its maintenance page",
            hint="control it through systemd or supervisord",
        )
    return Commands(host, settings)


def _as_look(found: dict[str, Any]) -> Look:
    flag = None if found["flag"] is None else bool(found["flag"]["present"])
    return Look(Managed(""), found["port"], found["health"], found["page"], flag)
