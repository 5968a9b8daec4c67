"""pulih sudoers prints, from the inventory, exactly what Pulih runs through sudo on a host."""

from typing import Any

import pytest

from tests.cli.conftest import Office, Pulih


def with_sudo(data: dict[str, Any]) -> None:
    """Let the application's service be a unit that is controlled through sudo."""
    service = {"name": "web", "kind": "systemd", "units": ["simpel.timer", "simpel.service"], "sudo": True}
    data["applications"][0]["services"] = [service]


def test_the_file_can_be_installed_as_it_is_printed(pulih: Pulih, broken: Office) -> None:
    """One line for each command, and comments that say how."""
    broken.change_inventory(with_sudo)
    who = "cadangan ALL=(root) NOPASSWD: /usr/bin/systemctl"
    ended = pulih("--inventory", broken.inventory, "sudoers", "server", "--account", "cadangan")
    assert 0 == ended.code
    assert [
        "# What Pulih may do as root on the host server. Written by `pulih sudoers server` from the inventory.",
        "# Install it with: visudo -cf FILE && install -o root -g root -m 0440 FILE /etc/sudoers.d/pulih",
        f"{who} stop simpel.timer",
        f"{who} start simpel.timer",
        f"{who} stop simpel.service",
        f"{who} start simpel.service",
        f"{who} reset-failed simpel.timer simpel.service",
    ] == ended.out.splitlines()
    document = pulih("--inventory", broken.inventory, "--json", "sudoers", "server", "--account", "cadangan").document
    assert ended.out == document["file"]
    assert ["/usr/bin/systemctl", "stop", "simpel.timer"] == document["commands"][0]


def test_the_account_is_the_one_of_the_inventory(pulih: Pulih, broken: Office) -> None:
    """With which Pulih logs in there."""

    def over_ssh(data: dict[str, Any]) -> None:
        with_sudo(data)
        data["hosts"][0] |= {
            "kind": "ssh",
            "address": "aplikasi.example",
            "user": "pulih-app",
            "key": "file:/etc/pulih/kunci",
            "host_keys": "/etc/pulih/known_hosts",
        }

    broken.change_inventory(over_ssh)
    ended = pulih("--inventory", broken.inventory, "--json", "sudoers", "server")
    assert (0, "pulih-app") == (ended.code, ended.document["account"])
    assert "pulih-app ALL=(root) NOPASSWD: /usr/bin/systemctl stop simpel.timer\n" in ended.document["file"]


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["tidak-ada"], 3, "there is no host 'tidak-ada'"),
        (["server", "--account", "root"], 2, "'root' is no account for which a file of sudoers can be written"),
        (["server", "--account", "cadangan"], 2, "no service on server is controlled through sudo"),
    ],
)
def test_what_cannot_be_written_is_an_error(
    pulih: Pulih, office: Office, arguments: list[str], code: int, error: str
) -> None:
    """Never an empty file, and never one for root."""
    ended = pulih("--inventory", office.inventory, "--json", "sudoers", *arguments)
    assert (code, error) == (ended.code, ended.error["error"])
    assert "" == ended.out
