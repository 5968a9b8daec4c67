"""The file of sudoers for an account without root's rights: one exact line for each command that Pulih runs."""

import re
from collections.abc import Iterable
from itertools import chain

from recovery.errors import ConfigurationError
from recovery.hosts.services_systemd import privileged_commands
from recovery.settings import ServiceSettings

# useradd(8): what an account may be called. In sudoers, ALL, digits and some signs would mean something else.
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]*")
# sudoers(5): with these in a command's arguments, a backslash goes before each.
SPECIAL = re.compile(r"([,:=\\])")


def commands_for(services: Iterable[ServiceSettings]) -> list[list[str]]:
    """Given all services of a host, return the argument lists that are run through sudo, each once."""
    found = chain.from_iterable(privileged_commands(service) for service in services)
    return [list(command) for command in dict.fromkeys(tuple(command) for command in found)]


def sudoers(host: str, account: str, commands: list[list[str]]) -> str:
    """Given a host's name, the account and argument lists, return the file. Raises ConfigurationError.

    Nothing in it is a pattern: what differs in a single word is refused, and so are other users and hosts' files.
    """
    if not ACCOUNT.fullmatch(account) or account == "root":
        raise ConfigurationError(
            f"{account!r} is no account for which a file of sudoers can be written",
            hint="name the account with which Pulih logs in on that host; root needs none",
        )
    if not commands:
        raise ConfigurationError(
            f"no service on {host} is controlled through sudo", hint="set `sudo: true` at its services of kind systemd"
        )
    lines = [f"{account} ALL=(root) NOPASSWD: {' '.join(map(_escaped, command))}" for command in commands]
    head = [
        f"# What Pulih may do as root on the host {host}. Written by `pulih sudoers {host}` from the inventory.",
        "# Install it with: visudo -cf FILE && install -o root -g root -m 0440 FILE /etc/sudoers.d/pulih",
    ]
    return "\n".join([*head, *lines]) + "\n"


def _escaped(word: str) -> str:
    return SPECIAL.sub(r"\\\1", word)
