"""The local host: status, time limit, process groups, large pipes."""

import os
import platform
import signal
from pathlib import Path

import pytest

from recovery.errors import CommandError
from recovery.hosts import open_host
from recovery.hosts.local import LocalHost
from recovery.settings import HostSettings
from tests.recovery.hosts.looking import wait_for

HOST = LocalHost("mesin")


def test_the_identity_is_of_the_machine_and_does_not_show_its_machine_id():
    machine = Path("/etc/machine-id")
    identity = LocalHost("lain").identity()
    assert identity == HOST.identity()
    assert not machine.exists() or machine.read_text().strip() not in identity


def test_a_host_is_opened_from_its_settings():
    host = open_host(HostSettings(name="mesin-1", title="Peladen Kominfo"))
    assert (host.name, host.title()) == ("mesin-1", "Peladen Kominfo")


def test_a_program_that_may_not_be_killed_is_left_and_told_as_over_time(monkeypatch, tmp_path):
    """sudo runs as root, and the worker does not."""

    def refuse(_group: int, _signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", refuse)
    monkeypatch.setattr("recovery.hosts.local.LEFT_AFTER", 0.2)
    pid = tmp_path / "pid"
    try:
        with pytest.raises(CommandError, match=r"sh on mesin did not end within 0\.5 s") as caught:
            HOST.run(["sh", "-c", f"echo $$ > {pid}; exec sleep 600"], timeout=0.5)
        assert (
            caught.value.state
            == "it was killed with everything that it had started, except what runs as another account"
        )
    finally:
        os.kill(int(wait_for(pid)), signal.SIGKILL)


def test_the_python_of_the_local_host_is_this_one() -> None:
    assert platform.python_version() == LocalHost().python()
