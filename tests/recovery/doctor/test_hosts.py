"""Machines that are reached by SSH: what keeps the worker from them is found, each with how to mend it."""

import getpass
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.doctor.finding import Finding
from recovery.doctor.hosts import examine_hosts
from recovery.installation import Installation
from tests.testbed.sshd import SshServer, run_sshd

# A real sshd.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """The machine."""
    with run_sshd() as running:
        yield running


def findings(installation: Installation, server: SshServer, **changes: object) -> list[Finding]:
    """What is said of the host with other settings."""
    return list(examine_hosts(replace(installation, hosts={"server": server.settings(**changes)})))


def test_a_machine_in_order_is_told_with_its_python(installation: Installation, server: SshServer) -> None:
    """Here it is the worker's own machine, which is a warning of its own."""
    first, second = findings(installation, server)
    assert first.state == "ok"
    account = getpass.getuser()
    assert first.message.startswith(f"reached as {account}, its host key is the pinned one, Python 3.")
    assert (second.state, second.message) == ("warning", "is this machine itself")


def test_a_local_host_is_not_looked_at(installation: Installation) -> None:
    assert list(examine_hosts(installation)) == []


def test_a_host_key_that_is_not_pinned_is_told_with_the_commands_to_type(
    installation: Installation, server: SshServer, tmp_path: Path
) -> None:
    (tmp_path / "kosong").touch()
    (found,) = findings(installation, server, host_keys=str(tmp_path / "kosong"))
    assert (found.subject, found.state) == ("host server", "problem")
    assert "is not pinned" in found.message
    assert "ssh-keyscan" in found.mend


def test_a_private_key_that_others_can_read_is_a_problem(installation: Installation, server: SshServer) -> None:
    server.key.chmod(0o644)
    try:
        first, *_ = findings(installation, server)
    finally:
        server.key.chmod(0o600)
    expected = Finding("key of host server file", "problem", f"others can read {server.key}", f"chmod 600 {server.key}")
    assert first == expected


def test_pinned_keys_to_which_others_can_write_are_a_problem(installation: Installation, server: SshServer) -> None:
    server.host_keys.chmod(0o666)
    try:
        first, *_ = findings(installation, server)
    finally:
        server.host_keys.chmod(0o644)
    assert (first.subject, first.message) == (
        "pinned keys of host server",
        f"others can write to {server.host_keys}",
    )
    assert first.mend.startswith(f"chmod 644 {server.host_keys}")


def test_a_machine_that_cannot_be_reached_and_one_without_python_are_told(
    installation: Installation, server: SshServer
) -> None:
    (found,) = findings(installation, server, python="tidak-ada")
    assert "has no Python that runs the shipped programs" in found.message
    (found,) = findings(installation, server, port=1)
    assert "cannot be reached (Connection refused)" in found.message


def test_a_key_that_lies_in_no_file_has_no_rights_to_be_looked_at(
    installation: Installation, server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable, or a block of Prefect."""
    monkeypatch.setenv("KUNCI_SSH", server.key.read_text())
    assert ["host server"] * 2 == [each.subject for each in findings(installation, server, key="env:KUNCI_SSH")]
