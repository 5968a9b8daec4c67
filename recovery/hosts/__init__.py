"""Machines on which components and services live, and the services on them."""

from recovery.hosts.base import Host
from recovery.settings import HostSettings


def open_host(settings: HostSettings) -> Host:
    """Given a host's settings, return the host. Nothing is contacted yet."""
    if settings.kind == "ssh":
        from recovery.hosts.ssh import SshHost

        return SshHost(settings)
    from recovery.hosts.local import LocalHost

    return LocalHost(settings.name, settings.title)
