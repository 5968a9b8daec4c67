"""Rules of the inventory for hosts: one that is reached by SSH needs a pinned key and a key of its own."""

import re
from collections.abc import Iterator, Mapping

from recovery.hosts import NEEDED_BY_SSH
from recovery.marked_yaml import Complaint, Location
from recovery.settings import HostSettings

SHARED_FIELDS = ("name", "kind", "title")
# No letter that a shell, a command line or Fabric's own shorthand could take for something else.
ADDRESS = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_%-]*")
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def host_rules(hosts: Mapping[int, HostSettings]) -> Iterator[Complaint]:
    """Given the well-formed hosts by position, yield every rule that they break."""
    for index, host in hosts.items():
        place: Location = ("hosts", index)
        if host.kind == "local":
            for name, field in HostSettings.model_fields.items():
                if name not in SHARED_FIELDS and getattr(host, name) != field.default:
                    yield Complaint((*place, name), "is no field of a host of kind 'local'")
            continue
        for name in NEEDED_BY_SSH:
            if not getattr(host, name):
                yield Complaint((*place, name), "is missing; a host of kind 'ssh' needs it")
        if host.address and not ADDRESS.fullmatch(host.address):
            yield Complaint((*place, "address"), "must be a host name or an IP address")
        elif host.address.count(":") == 1:
            yield Complaint((*place, "address"), "must not hold the port, which has a field of its own")
        if host.user and not USER.fullmatch(host.user):
            yield Complaint((*place, "user"), "must be the name of an account")
        if host.host_keys and not host.host_keys.startswith("/"):
            yield Complaint((*place, "host_keys"), "must be an absolute path")
        if host.key and host.key.startswith("file:") and not host.key.startswith("file:/"):
            yield Complaint((*place, "key"), "must name an absolute path: file:/…")
