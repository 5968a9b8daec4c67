"""An account without root's rights stops and starts exactly what its file of sudoers names, and nothing else."""

from collections.abc import Iterator

import pytest

from recovery.errors import ConfigurationError, ServiceError
from recovery.hosts import open_host
from recovery.hosts.base import Host
from recovery.hosts.services import open_service
from recovery.hosts.services_sudo import commands_for, sudoers
from recovery.settings import ServiceSettings
from tests.testbed.systemd_host import SystemdHost
from tests.testbed.systemd_root import ACCOUNT

pytestmark = pytest.mark.timeout(900)

UNITS = ("antrean@surat:masuk.service", "situs.service")
FILE = "/etc/sudoers.d/pulih"
SERVICE = ServiceSettings(name="web", kind="systemd", units=list(UNITS), sudo=True, stop_timeout=10, start_timeout=10)


@pytest.fixture(scope="module")
def account(machine: SystemdHost) -> Host:
    """The machine as an account without root's rights reaches it; with two units, and no file of sudoers yet."""
    machine.unit("antrean@.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    for name in ("situs.service", "lain.service"):
        machine.unit(name, "[Service]\nExecStart=/bin/sleep infinity\n")
    machine.systemctl("start", *UNITS, "lain.service")
    return open_host(machine.settings("aplikasi", ACCOUNT))


@pytest.fixture
def allowed(machine: SystemdHost, account: Host) -> Iterator[Host]:
    """The same, with the file installed as its first lines say."""
    text = sudoers("aplikasi", ACCOUNT, commands_for([SERVICE]))
    machine.write("/root/pulih", text)
    machine.run("visudo", "-cf", "/root/pulih")
    machine.run("install", "-o", "root", "-g", "root", "-m", "0440", "/root/pulih", FILE)
    yield account
    (machine.root / FILE.lstrip("/")).unlink()


def test_the_file_has_one_exact_line_for_each_command() -> None:
    """Nothing in it is a pattern, and what sudoers takes for a sign of its own is escaped."""
    unprivileged = ServiceSettings(name="lain", kind="systemd", units=["lain.service"])
    lines = sudoers("aplikasi", "pulih", commands_for([SERVICE, unprivileged, SERVICE])).splitlines()
    who = "pulih ALL=(root) NOPASSWD: /usr/bin/systemctl"
    assert [
        rf"{who} stop antrean@surat\:masuk.service",
        rf"{who} start antrean@surat\:masuk.service",
        f"{who} stop situs.service",
        f"{who} start situs.service",
        rf"{who} reset-failed antrean@surat\:masuk.service situs.service",
    ] == [line for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("name", ["root", "ALL", "%sudo", "a b", "", "1000", "pulih,root"])
def test_no_file_is_written_for_what_is_no_plain_account(name: str) -> None:
    """In sudoers these words mean more than one account."""
    with pytest.raises(ConfigurationError, match="is no account for which a file of sudoers can be written"):
        sudoers("aplikasi", name, commands_for([SERVICE]))


def test_no_file_is_written_for_nothing() -> None:
    """An empty file would look as if it allowed something."""
    with pytest.raises(ConfigurationError, match="no service on aplikasi is controlled through sudo"):
        sudoers("aplikasi", "pulih", [])


def test_without_the_file_nothing_is_stopped_and_the_line_is_named(account: Host, machine: SystemdHost) -> None:
    """Found before the first unit stops, not between the units."""
    service = open_service(account, SERVICE)
    for call in (service.preflight, service.stop):
        with pytest.raises(ServiceError, match="may not run `sudo /usr/bin/systemctl stop antrean@") as caught:
            call()
        assert "`pulih sudoers` prints the file that allows it" == caught.value.hint
    assert all(machine.is_active(unit) for unit in UNITS)


def test_without_sudo_an_account_stops_nothing(account: Host, machine: SystemdHost) -> None:
    """systemd asks nobody for a password here; it refuses."""
    service = open_service(account, SERVICE.model_copy(update={"sudo": False, "stop_timeout": 1}))
    with pytest.raises(ServiceError, match=r"not down after 1 s .*its manager said: "):
        service.stop()
    assert all(machine.is_active(unit) for unit in UNITS)


def test_with_the_file_the_account_stops_and_starts_the_service(allowed: Host, machine: SystemdHost) -> None:
    """Every command that Pulih runs is one that the file allows."""
    service = open_service(allowed, SERVICE)
    service.preflight()
    assert {unit: "inactive (dead)" for unit in UNITS} == service.stop()["units"]
    assert not any(machine.is_active(unit) for unit in UNITS)
    assert {unit: "active (running)" for unit in UNITS} == service.start()["units"]


@pytest.mark.parametrize(
    "command",
    [
        "systemctl stop lain.service",
        "systemctl stop situs.service lain.service",
        "systemctl stop",
        "systemctl restart situs.service",
        "systemctl edit situs.service",
        "systemctl --now stop situs.service",
        "systemctl stop situs.service --job-mode=fail",
        "systemctl start antrean@surat.service",
        "/bin/sh -c id",
        "-u nobody /usr/bin/systemctl stop situs.service",
        "cat /etc/shadow",
    ],
)
def test_everything_else_is_refused(allowed: Host, machine: SystemdHost, command: str) -> None:
    """A word more or less is another command."""
    completed = allowed.run(["sudo", "-n", *command.split()], ok=(0, 1))
    assert 1 == completed.code
    assert b"password is required" in completed.stderr or b"not allowed" in completed.stderr
    assert all(machine.is_active(unit) for unit in (*UNITS, "lain.service"))
