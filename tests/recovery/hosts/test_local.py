"""The local host: status, time limit, process groups, large pipes."""

from pathlib import Path

from recovery.hosts import open_host
from recovery.hosts.local import LocalHost
from recovery.settings import HostSettings

HOST = LocalHost("mesin")


def test_the_identity_is_of_the_machine_and_does_not_show_its_machine_id():
    machine = Path("/etc/machine-id")
    identity = LocalHost("lain").identity()
    assert identity == HOST.identity()
    assert not machine.exists() or machine.read_text().strip() not in identity


def test_a_host_is_opened_from_its_settings():
    host = open_host(HostSettings(name="mesin-1", title="Peladen Kominfo"))
    assert (host.name, host.title()) == ("mesin-1", "Peladen Kominfo")
