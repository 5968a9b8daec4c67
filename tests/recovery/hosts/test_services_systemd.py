"""Services made of a real systemd's units: their order, what starts them again, and what they leave behind."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from recovery.errors import ConfigurationError, ServiceError
from recovery.hosts import open_host
from recovery.hosts.base import Host
from recovery.hosts.services import Service, open_service
from recovery.settings import ServiceSettings
from tests.testbed.systemd_host import SystemdHost

# The first of a session boots the machine, and builds it where nobody has.
pytestmark = pytest.mark.timeout(900)

LOG = "/srv/urutan"
# Said before a unit counts as started, and before it counts as stopped.
SAYS = f"""\
ExecStartPre=/bin/sh -c 'echo start %n >>{LOG}'
ExecStart=/bin/sleep infinity
ExecStopPost=/bin/sh -c 'echo stop %n >>{LOG}'
"""
SLEEPS = "ExecStart=/bin/sleep infinity\n"


class Units:
    """Units made for one test, and the service that consists of them."""

    def __init__(self, machine: SystemdHost, host: Host) -> None:
        self.machine, self.host = machine, host
        self.made: list[str] = []

    def make(self, name: str, service: str = SLEEPS, *, section: str = "Service", start: bool = True) -> str:
        """Write a unit with these lines in its section, and start it."""
        self.machine.unit(name, f"[Unit]\nDescription={name}\n[{section}]\n{service}")
        self.made.append(name)
        if start:
            self.machine.systemctl("start", name)
        return name

    def service(self, *units: str, **changes: Any) -> Service:
        settings = {"name": "web", "kind": "systemd", "units": list(units), "stop_timeout": 10, "start_timeout": 10}
        return open_service(self.host, ServiceSettings.model_validate({**settings, **changes}))

    def log(self) -> list[str]:
        path = self.machine.inside(LOG)
        return path.read_text().splitlines() if path.exists() else []

    def end(self) -> None:
        machine = self.machine
        for name in self.made:
            machine.systemctl("kill", "--signal=KILL", name, ok=(0, 1))
        if self.made:
            machine.systemctl("unmask", *self.made, ok=(0, 1))
            machine.systemctl("stop", *self.made, ok=(0, 1, 5))
            for name in self.made:
                (machine.root / "etc/systemd/system" / name).unlink(missing_ok=True)
            machine.systemctl("daemon-reload")
            machine.systemctl("reset-failed")
        machine.inside(LOG).unlink(missing_ok=True)


@pytest.fixture(scope="module")
def host(machine: SystemdHost) -> Host:
    """The machine as Pulih reaches it."""
    return open_host(machine.settings("aplikasi"))


@pytest.fixture
def units(machine: SystemdHost, host: Host) -> Iterator[Units]:
    made = Units(machine, host)
    yield made
    made.end()


def test_units_are_stopped_in_their_order_and_started_in_the_opposite_one(units: Units) -> None:
    """Timers and workers go first and come last, whatever systemd would do at the same time."""
    names = [units.make(f"{name}.service", SAYS) for name in ("antrean", "php", "situs")]
    (units.machine.inside(LOG)).write_text("")
    service = units.service(*names)
    stopped = service.stop()
    assert [f"stop {name}" for name in names] == units.log()
    assert "stopped" == stopped["state"]
    assert {name: "inactive (dead)" for name in names} == stopped["units"]
    assert "stopped" == service.state()
    started = service.start()
    assert [f"start {name}" for name in reversed(names)] == units.log()[3:]
    assert {name: "active (running)" for name in names} == started["units"]
    assert service.healthy()


def test_one_unit_that_runs_is_no_stopped_service(units: Units) -> None:
    """All of them must be down together."""
    first, second = units.make("satu.service"), units.make("dua.service")
    units.machine.systemctl("stop", first)
    service = units.service(first, second)
    assert "running" == service.state()
    assert not service.healthy()
    expected = r"web is not down \(manager: satu.service inactive \(dead\); dua.service active \(running\)\)"
    with pytest.raises(ServiceError, match=expected):
        service.prove_down()


def test_a_timer_of_the_service_starts_its_unit_again_and_pulih_does_not(units: Units) -> None:
    """A nightly report must not run because a restore has ended."""
    job = units.make("laporan.service", SAYS.replace("/bin/sleep infinity", "/bin/true"), start=False)
    timer = units.make("laporan.timer", "OnActiveSec=1d\nUnit=laporan.service\n", section="Timer")
    service = units.service(timer, job)
    assert service.healthy()
    assert "inactive (dead)" == service.stop()["units"][timer]
    assert {timer: "active (waiting)", job: "inactive (dead)"} == service.start()["units"]
    assert [] == units.log()


STARTERS = {
    "timer": ("Timer", "OnActiveSec=1d\nUnit=web.service\n"),
    "socket": ("Socket", "ListenStream=127.0.0.1:8099\nService=web.service\n"),
    "path": ("Path", "PathExists=/srv/ada\nUnit=web.service\n"),
}


@pytest.mark.parametrize("kind", STARTERS)
def test_what_starts_a_unit_again_stops_nothing_and_is_named(units: Units, kind: str) -> None:
    """systemctl says 0 to the stop of such a unit, and then it is back."""
    unit = units.make("web.service")
    starter = units.make(f"web.{kind}", STARTERS[kind][1], section=STARTERS[kind][0], start=False)
    if kind == "socket":
        # A socket cannot be opened for a service that runs already.
        units.machine.systemctl("stop", unit)
    units.machine.systemctl("start", starter)
    units.machine.systemctl("start", unit)
    with pytest.raises(ServiceError, match=f"{starter} on aplikasi would start {unit} again") as caught:
        units.service(unit).stop()
    assert "nothing was changed" == caught.value.state
    assert f"put {starter} before {unit} into the service's `units`" == caught.value.hint
    assert units.machine.is_active(unit)
    # Even when the unit is down at the moment, nobody may call it so.
    units.machine.systemctl("stop", unit)
    with pytest.raises(ServiceError, match=rf"not down \(manager: {starter} starts {unit} again\)"):
        units.service(unit).prove_down()
    whole = units.service(starter, unit)
    assert "stopped" == whole.stop()["state"]
    whole.start()
    assert units.machine.is_active(starter)


def test_a_unit_that_another_one_upholds_is_not_down(units: Units) -> None:
    """Upholds= starts it again whenever it is found dead."""
    unit = units.make("web.service")
    units.machine.unit("penjaga.service", f"[Unit]\nUpholds={unit}\n[Service]\n{SLEEPS}")
    units.made.insert(0, "penjaga.service")
    units.machine.systemctl("start", "penjaga.service")
    with pytest.raises(ServiceError, match=f"penjaga.service on aplikasi would start {unit} again"):
        units.service(unit).stop()
    assert "stopped" == units.service("penjaga.service", unit).stop()["state"]


def test_a_unit_that_waits_for_its_restart_is_not_down(units: Units) -> None:
    """Killed, and about to come back."""
    unit = units.make("web.service", f"{SLEEPS}Restart=always\nRestartSec=600\n")
    units.machine.systemctl("kill", "--signal=KILL", unit)
    service = units.service(unit)
    with pytest.raises(ServiceError, match=r"web is not down \(manager: web.service activating \(auto-restart\)\)"):
        service.prove_down()
    assert not service.healthy()
    assert "stopped" == service.stop()["state"]


def test_a_unit_that_waits_for_another_one_to_start_is_not_down(units: Units) -> None:
    """Inactive, with a job that starts it as soon as the other one is ready."""
    slow = units.make("lambat.service", "Type=oneshot\nExecStart=/bin/sleep 600\n", start=False)
    units.machine.unit("web.service", f"[Unit]\nRequires={slow}\nAfter={slow}\n[Service]\n{SLEEPS}")
    units.made.append("web.service")
    units.machine.systemctl("start", "--no-block", "web.service")
    service = units.service("web.service")
    with pytest.raises(ServiceError, match=r"not down \(manager: web.service inactive \(dead, job \d+\)\)"):
        service.prove_down()
    assert {"web.service": "inactive (dead)"} == service.stop()["units"]


def test_a_unit_that_systemd_does_not_know_is_no_stopped_service(units: Units) -> None:
    """`systemctl show` calls it inactive and ends with 0."""
    known = units.make("web.service")
    for call in (Service.stop, Service.start, Service.state, Service.prove_down, Service.preflight):
        with pytest.raises(ServiceError, match=r"systemd on aplikasi does not know the unit tidak-ada.service"):
            call(units.service(known, "tidak-ada.service"))
    assert units.machine.is_active(known)


def test_a_masked_unit_is_not_stopped_and_does_not_start(units: Units) -> None:
    """What could not be started again must not be stopped."""
    unit = units.make("web.service")
    # `systemctl mask` refuses where the unit's own file lies, so its file goes first.
    (units.machine.root / "run/systemd/system").mkdir(exist_ok=True)
    units.machine.run("mv", f"/etc/systemd/system/{unit}", f"/run/systemd/system/{unit}")
    units.machine.systemctl("mask", unit)
    service = units.service(unit, start_timeout=3)
    with pytest.raises(ServiceError, match=r"web.service on aplikasi is masked, and could not be started again"):
        service.stop()
    assert units.machine.is_active(unit)
    units.machine.systemctl("stop", unit)
    assert {unit: "inactive (dead, masked)"} == service.prove_down()["units"]
    with pytest.raises(ServiceError, match=r"not healthy after 3 s \(manager: stopped; its manager said: .*masked"):
        service.start()
    units.machine.systemctl("unmask", unit)
    (units.machine.root / "run/systemd/system" / unit).unlink()


def test_a_unit_with_a_bad_configuration_is_not_stopped(units: Units) -> None:
    """It runs on what was read before; the next start would fail."""
    unit = units.make("web.service")
    units.machine.unit(unit, "[Service]\nType=simple\n")
    with pytest.raises(ServiceError, match=r"web.service on aplikasi is bad-setting, and could not be started again"):
        units.service(unit).stop()
    assert units.machine.is_active(unit)


def test_a_unit_that_is_slow_to_stop_is_an_error_within_its_time(units: Units) -> None:
    """systemctl would wait for minutes."""
    unit = units.make("web.service", f"{SLEEPS}ExecStop=/bin/sleep infinity\nTimeoutStopSec=infinity\n")
    with pytest.raises(ServiceError, match=r"not down after 1 s \(manager: web.service deactivating \(stop\); its"):
        units.service(unit, stop_timeout=1).stop()


def test_a_unit_that_fails_to_start_is_an_error(units: Units) -> None:
    """For a unit of type simple, systemctl ends with 0 all the same."""
    unit = units.make("web.service", "ExecStart=/bin/false\n", start=False)
    with pytest.raises(ServiceError, match=r"not healthy after 1 s \(manager: stopped"):
        units.service(unit, start_timeout=1).start()


def test_a_unit_that_ends_again_and_again_does_not_count_as_started(units: Units) -> None:
    """It is active most of the time."""
    lives = "ExecStart=/bin/sleep 0.4\nRestart=always\nRestartSec=0.02\nStartLimitIntervalSec=0\n"
    unit = units.make("web.service", lives, start=False)
    with pytest.raises(ServiceError, match="the service web does not stay up"):
        units.service(unit).start()


def test_a_unit_that_was_started_too_often_is_started_all_the_same(units: Units) -> None:
    """The new data's failures must not keep the service from starting on the old data."""
    unit = units.make("web.service", "ExecStart=/bin/sh -c 'test -e /srv/baik && exec sleep infinity'\n", start=False)
    folder = units.machine.root / f"etc/systemd/system/{unit}.d"
    folder.mkdir(exist_ok=True)
    (folder / "limit.conf").write_text("[Unit]\nStartLimitIntervalSec=600\nStartLimitBurst=2\n")
    units.machine.systemctl("daemon-reload")
    for _ in range(3):
        units.machine.systemctl("start", unit, ok=(0, 1))
    good = units.machine.write("/srv/baik", "")
    assert {unit: "active (running)"} == units.service(unit).start()["units"]
    good.unlink()
    (folder / "limit.conf").unlink()
    folder.rmdir()


def test_a_unit_that_left_processes_is_not_down(units: Units) -> None:
    """With KillMode=process the children of what was stopped go on working."""
    children = "ExecStart=/bin/sh -c 'sleep infinity & wait'\nKillMode=process\n"
    unit = units.make("web.service", children)
    with pytest.raises(ServiceError, match=r"not down after 1 s \(manager: web.service left processes\)"):
        units.service(unit, stop_timeout=1).stop()


def test_a_unit_that_is_started_meanwhile_is_not_proven_down(units: Units) -> None:
    """A watchful administrator starts it during the restore."""
    unit = units.make("web.service")
    service = units.service(unit)
    service.stop()
    service.prove_down()
    units.machine.systemctl("start", unit)
    with pytest.raises(ServiceError, match=r"web is not down \(manager: running\)"):
        service.prove_down()


@contextmanager
def listener(machine: SystemdHost) -> Iterator[int]:
    """The port of a program that listens in the machine's network and is no unit."""
    program = (
        "import socket, sys\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\nsys.stdin.read()"
    )
    argv = ["nsenter", f"--target={machine.pid}", "--net", sys.executable, "-c", program]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


def test_a_port_that_something_else_serves_is_not_closed(units: Units) -> None:
    """The unit is down, and people still get answers."""
    unit = units.make("web.service")
    with listener(units.machine) as port:
        service = units.service(unit, port=port, stop_timeout=1)
        with pytest.raises(ServiceError, match=r"not down after 1 s \(manager: stopped, port: open\)"):
            service.stop()
    assert {"port": port} == service.stop()["watched"]


def test_a_service_without_units_is_refused() -> None:
    """There would be nothing to stop."""
    from recovery.hosts.local import LocalHost

    with pytest.raises(ConfigurationError, match="the service web names no unit of systemd"):
        open_service(LocalHost(), ServiceSettings(name="web", kind="systemd"))
