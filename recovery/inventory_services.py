"""Rules of the inventory for services: each must have something by which its being down can be proven."""

import posixpath
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from recovery.marked_yaml import Complaint, Location
from recovery.settings import ApplicationSettings, HostSettings, ServiceSettings

NEEDED = {"command": ("start", "stop"), "supervisor": ("program", "configuration"), "systemd": ("units",)}


def service_rules(place: Location, service: ServiceSettings) -> Iterator[Complaint]:
    """Given a service and its place in the inventory, yield every rule that it breaks."""
    for field in NEEDED[service.kind]:
        if not getattr(service, field):
            yield Complaint((*place, field), f"is missing; a service of kind {service.kind!r} needs it")
    if service.configuration and not service.configuration.startswith("/"):
        yield Complaint((*place, "configuration"), "must be an absolute path")
    if service.kind != "systemd":
        for field in ("units", "sudo"):
            if getattr(service, field):
                yield Complaint((*place, field), f"is no field of a service of kind {service.kind!r}")
        if not service.health_url and service.port is None:
            # A return code proves nothing; without either, nobody could tell that the service is down (restore.4).
            yield Complaint((*place, "health_url"), "is missing; give a health_url or a port, to prove that it is down")
    for position, unit in enumerate(service.units):
        if unit in service.units[:position]:
            yield Complaint((*place, "units", position), f"{unit!r} is named twice")
        if service.sudo and "\\" in unit:
            # In sudoers a backslash takes the next character's meaning away, and what is left is another command.
            yield Complaint((*place, "units", position), "has a backslash, which no line of sudoers can name exactly")
    if service.maintenance is not None:
        yield from _maintenance((*place, "maintenance"), service)
    if service.health_url and urlsplit(service.health_url).scheme not in ("http", "https"):
        yield Complaint((*place, "health_url"), "must begin with http:// or https://")
    if service.port is not None and not 1 <= service.port <= 65535:
        yield Complaint((*place, "port"), "must be between 1 and 65535")


def flag_rules(
    applications: Mapping[int, ApplicationSettings], hosts: Mapping[int, HostSettings]
) -> Iterator[Complaint]:
    """Given all applications and hosts by position, yield each maintenance flag that two applications share.

    Services of one application may share it: they are opened together, when all are well. A restore of one application
    would open another one whose data is half exchanged.
    """
    # The same machine may stand in the inventory under two names.
    machines = {host.name: f"{host.address}:{host.port}" if host.address else "" for host in hosts.values()}
    owners: dict[tuple[str, str], str] = {}
    for index, application in applications.items():
        for position, service in enumerate(application.services):
            if service.maintenance is None:
                continue
            flag = posixpath.normpath(service.maintenance.flag)
            owner = owners.setdefault((machines.get(application.host, application.host), flag), application.name)
            if owner != application.name:
                place: Location = ("applications", index, "services", position, "maintenance", "flag")
                yield Complaint(place, f"is the flag of {owner!r}, too; a restore of one would open the other")


def _maintenance(place: Location, service: ServiceSettings) -> Iterator[Complaint]:
    if service.kind == "command":
        yield Complaint(place, "needs systemd or supervisord: nothing else knows that a service behind a page is down")
    if service.maintenance is not None and service.maintenance.url == service.health_url:
        # The page goes when the service is healthy behind it, so its health must be seen past the page.
        yield Complaint((*place, "url"), "is the health_url, which must answer 200 while the page is still shown")
