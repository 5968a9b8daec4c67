"""A service made of systemd's units: stopped in their order, started in the opposite one, judged by unit states."""

import time
from dataclasses import dataclass

from recovery.errors import CommandError, ServiceError
from recovery.hosts.base import Host
from recovery.hosts.services_look import Managed
from recovery.hosts.services_managers import Permit
from recovery.points import reached
from recovery.settings import ServiceSettings

SUDO = ["sudo", "-n"]
# In sudoers a command is known by its whole path.
SYSTEMCTL = "/usr/bin/systemctl"
# systemctl(1), "show": an answer per unit, in the order of the question. What starts a unit by itself: systemd.unit(5).
PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "InvocationID", "ControlGroup", "Job"),
    *("Triggers", "Upholds", "TriggeredBy", "UpheldBy"),
)
OVER = ("inactive", "failed")
# How long systemd may take to say something.
ANSWER = 30.0


@dataclass(frozen=True)
class _Unit:
    """One unit as systemd sees it. It starts what is in `starts`, and is started by `starters`, without being asked."""

    name: str
    load: str
    active: str
    sub: str
    invocation: str
    group: str
    job: str
    starts: tuple[str, ...]
    starters: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        # What waits for another unit is inactive and about to start; `systemctl stop` takes its job away.
        return self.active in OVER and not self.job

    def words(self) -> str:
        masked = "" if self.load == "loaded" else f", {self.load}"
        waits = f", job {self.job}" if self.job and self.active in OVER else ""
        return f"{self.active} ({self.sub}{masked}{waits})"


def privileged_commands(settings: ServiceSettings) -> list[list[str]]:
    """Given a service, return every argument list that Pulih runs through sudo for it, without sudo itself."""
    if not settings.sudo:
        return []
    controls = [[verb, unit] for unit in settings.units for verb in ("stop", "start")]
    return [[SYSTEMCTL, *words] for words in [*controls, ["reset-failed", *settings.units]]]


class Systemd:
    """One or more units."""

    def __init__(self, host: Host, settings: ServiceSettings) -> None:
        self._host, self._units, self._sudo = host, settings.units, settings.sudo
        self._privileged = privileged_commands(settings)

    def check(self) -> None:
        """See Manager.check."""
        units = self._show(self._units)
        for unit in units:
            if unit.load != "loaded":
                raise ServiceError(
                    f"the unit {unit.name} on {self._host.name} is {unit.load}, and could not be started again",
                    state="nothing was changed",
                    hint=f"see `systemctl status {unit.name}` there",
                )
        for starter, name in self._starters(units):
            raise ServiceError(
                f"{starter} on {self._host.name} would start {name} again",
                state="nothing was changed",
                hint=f"put {starter} before {name} into the service's `units`",
            )
        if self._sudo:
            self._check_sudo()

    def stop(self, timeout: float, permit: Permit) -> None:
        """See Manager.stop."""
        deadline = time.monotonic() + timeout
        for unit in self._units:
            permit()
            # One after the other: one call for all would stop them at the same time.
            self._host.run(self._control("stop", unit), timeout=_left(deadline))
            reached(f"unit: after stopping {unit}")

    def start(self, timeout: float, permit: Permit) -> None:
        """See Manager.start."""
        deadline = time.monotonic() + timeout
        permit()
        # A unit that failed, or was started often of late, is refused until that is forgotten: old data that was put
        # back must not stand still because of the new data's failures. A unit that is not loaded has nothing to forget.
        self._host.run(self._control("reset-failed", *self._units), timeout=_left(deadline), ok=range(256))
        for unit in self._started():
            permit()
            self._host.run(self._control("start", unit), timeout=_left(deadline))
            reached(f"unit: after starting {unit}")

    def state(self) -> Managed:
        """See Manager.state."""
        units = self._show(self._units)
        words = {unit.name: unit.words() for unit in units}
        lives = tuple(unit.invocation for unit in units)
        wanted = set(self._started(units))
        if all(unit.is_over for unit in units):
            strange = [f"{starter} starts {name} again" for starter, name in self._starters(units)]
            strange += [f"{name} left processes" for name in self._with_processes(units)]
            return Managed("; ".join(strange) or "stopped", words, lives)
        if all(unit.active == "active" for unit in units if unit.name in wanted):
            return Managed("running", words, lives)
        return Managed("; ".join(f"{name} {told}" for name, told in words.items()), words, lives)

    def _control(self, *words: str) -> list[str]:
        return [*SUDO, SYSTEMCTL, *words] if self._sudo else ["systemctl", *words]

    def _started(self, units: "list[_Unit] | None" = None) -> list[str]:
        """The units that are started: the last stopped first, and none that a timer or socket among them starts."""
        # Asked of those that start: a unit forgets what starts it as soon as that is stopped and unloaded.
        started = {name for unit in units or self._show(self._units) for name in unit.starts}
        return [name for name in reversed(self._units) if name not in started]

    def _starters(self, units: list[_Unit]) -> list[tuple[str, str]]:
        """What is active, not of this service, and starts one of its units; with that unit."""
        pairs = [(starter, unit.name) for unit in units for starter in unit.starters if starter not in self._units]
        if not pairs:
            return []
        over = {unit.name for unit in self._show([starter for starter, _ in pairs], known=False) if unit.is_over}
        return [(starter, name) for starter, name in pairs if starter not in over]

    def _with_processes(self, units: list[_Unit]) -> list[str]:
        """The stopped units of which processes still run, as with KillMode=process."""
        groups = {unit.group: unit.name for unit in units if unit.group}
        if not groups:
            return []
        return [groups[group] for group in self._host.call("service", "left", *groups)["groups"]]

    def _show(self, names: list[str], *, known: bool = True) -> list[_Unit]:
        # Its status says nothing: it is 0 for units that nobody has ever heard of.
        asked = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names]
        text = self._host.run(asked, timeout=ANSWER).stdout.decode(errors="replace")
        answers = text.strip("\n").split("\n\n")
        if len(answers) != len(names):  # pragma: no cover - it answers for each name, whatever that is
            raise ServiceError(
                f"systemd on {self._host.name} told of {len(answers)} units when asked for {len(names)}",
                state="nothing was changed",
                hint=f"run `systemctl show {' '.join(names)}` there",
            )
        units = [_unit(name, answer) for name, answer in zip(names, answers, strict=True)]
        for unit in units:
            if known and unit.load == "not-found":
                raise ServiceError(
                    f"systemd on {self._host.name} does not know the unit {unit.name}",
                    state="nothing was changed",
                    hint="check `units` of the service; `systemctl list-unit-files` there lists what there is",
                )
        return units

    def _check_sudo(self) -> None:
        for command in self._privileged:
            try:
                self._host.run([*SUDO, "-l", *command], timeout=ANSWER)
            except CommandError as error:
                raise ServiceError(
                    f"this account may not run `sudo {' '.join(command)}` on {self._host.name}",
                    state="nothing was changed",
                    hint="`pulih sudoers` prints the file that allows it",
                ) from error


def _unit(name: str, answer: str) -> _Unit:
    # A property that this systemd, or this type of unit, does not have is left out of its answer.
    found = dict.fromkeys(PROPERTIES, "") | dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    return _Unit(
        name,
        load=found["LoadState"],
        active=found["ActiveState"],
        sub=found["SubState"],
        invocation=found["InvocationID"],
        group=found["ControlGroup"],
        job=found["Job"] if found["Job"] != "0" else "",
        starts=tuple(f"{found['Triggers']} {found['Upholds']}".split()),
        starters=tuple(f"{found['TriggeredBy']} {found['UpheldBy']}".split()),
    )


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.1)
