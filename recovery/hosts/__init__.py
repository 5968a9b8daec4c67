"""Machines on which components and services live, and the services on them."""

from recovery.errors import ConfigurationError
from recovery.hosts.base import Host
from recovery.settings import HostSettings

NEEDED_BY_SSH = ("address", "user", "key", "host_keys")


def open_host(settings: HostSettings) -> Host:
    """Given a host's settings, return the host; raises ConfigurationError when they do not suffice.

    Nothing is contacted yet.
    """
    if settings.kind == "ssh":
        missing = [name for name in NEEDED_BY_SSH if not getattr(settings, name)]
        if missing:
            raise ConfigurationError(
                f"the host {settings.name} of kind ssh lacks {', '.join(missing)}",
                state="nothing was contacted",
                hint="complete it in the inventory, then: pulih apply",
            )
        from recovery.hosts.ssh import SshHost

        return SshHost(settings)
    from recovery.hosts.local import LocalHost

    return LocalHost(settings.name, settings.title)
