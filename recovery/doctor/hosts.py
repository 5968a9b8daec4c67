"""Machines that are reached by SSH: whether they are, by a pinned host key and a private key that nobody else knows."""

import stat
from collections.abc import Iterator
from pathlib import Path

from recovery.doctor.finding import Finding
from recovery.doctor.keys import only_the_owner_reads
from recovery.errors import PulihError
from recovery.hosts import open_host
from recovery.hosts.local import LocalHost
from recovery.installation import Installation
from recovery.settings import HostSettings


def examine_hosts(installation: Installation) -> Iterator[Finding]:
    """Yield what is to be said about every host of kind ssh."""
    for name in sorted(installation.hosts):
        settings = installation.hosts[name]
        if settings.kind == "ssh":
            yield from _files(settings)
            yield from _reached(settings)


def _files(settings: HostSettings) -> Iterator[Finding]:
    if settings.key and settings.key.startswith("file:"):
        yield from only_the_owner_reads(f"key of host {settings.name}", Path(settings.key.removeprefix("file:")))
    pinned = Path(settings.host_keys)
    if pinned.is_file() and stat.S_IMODE(pinned.stat().st_mode) & 0o022:
        # Whoever writes there decides which machine is taken for this one.
        yield Finding(
            f"pinned keys of host {settings.name}",
            "problem",
            f"others can write to {pinned}",
            f"chmod 644 {pinned}, and compare what is in it with the machine's own key",
        )


def _reached(settings: HostSettings) -> Iterator[Finding]:
    subject = f"host {settings.name}"
    try:
        host = open_host(settings)
        machine, python = host.identity(), host.python()
    except PulihError as error:
        yield Finding(subject, "problem", error.message, error.hint)
        return
    yield Finding(subject, "ok", f"reached as {settings.user}, its host key is the pinned one, Python {python}")
    if machine == LocalHost().identity():
        yield Finding(
            subject,
            "warning",
            "is this machine itself",
            "make it a host of kind local: only then is no restore target one of Pulih's own places",
        )
