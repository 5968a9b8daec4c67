"""Rules about where things lie: no restore target may be, hold or lie in what the restore itself depends on."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from recovery.errors import KeyMissingError
from recovery.inventory_stores import bucket_rules, secret_files
from recovery.marked_yaml import Complaint, Location, field_name
from recovery.secrets import resolve
from recovery.settings import (
    SERVER_PORTS,
    ApplicationSettings,
    ComponentSettings,
    HostSettings,
    KeySettings,
    OfficeSettings,
    ScheduleSettings,
    StoreSettings,
)

# Where a server is when the inventory does not say it.
DEFAULT_SERVERS = {"postgresql": "/run/postgresql", "mariadb": "/run/mysqld/mysqld.sock"}
PREFECT_TITLE = "Prefect's database"
PREFECT_DATABASES = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")


def place_rules(
    office: OfficeSettings | None,
    keys: KeySettings | None,
    hosts: Mapping[int, HostSettings],
    stores: Mapping[int, StoreSettings],
    applications: Mapping[int, ApplicationSettings],
    schedules: Mapping[int, ScheduleSettings],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Complaint]:
    """Given the well-formed parts of an inventory by position, yield every complaint about places that overlap."""
    yield from _stores(stores, schedules)
    machines = _machines(hosts)
    yield from _databases(applications, machines)
    yield from _scratch_servers(applications, machines)
    yield from own_places(office, keys, hosts, stores, applications, environment)
    seen: list[tuple[str, Path, Location]] = []
    for index, application in applications.items():
        machine = machines.get(application.host, application.host)
        for position, component in enumerate(application.components):
            if not component.path:
                continue  # a database of a server, or reported as missing
            location: Location = ("applications", index, "components", position, "path")
            path = _path(machine, component)
            for other_machine, other_path, other_location in seen:
                if machine == other_machine and _overlap(path, other_path):
                    yield Complaint(location, f"{_relation(path, other_path)} {field_name(other_location)}")
            seen.append((machine, path, location))


def own_places(
    office: OfficeSettings | None,
    keys: KeySettings | None,
    hosts: Mapping[int, HostSettings],
    stores: Mapping[int, StoreSettings],
    applications: Mapping[int, ApplicationSettings],
    environment: Mapping[str, str] | None = None,
) -> Iterator[Complaint]:
    """Given the parts of a configuration, yield a complaint about every component that is, holds or lies in what a
    restore itself depends on: records, keys, stores, Prefect's database. Design §10: such a one is never restored."""
    machines = _machines(hosts)
    protected = {**protected_places(office, keys, environment), **_ways_to_hosts(hosts)}
    protected |= {title: _real(path) for title, path in secret_files(stores).items()}
    protected |= {
        f"the store {store.name!r}": _real(store.path) for store in stores.values() if store.kind == "directory"
    }
    databases = _own_databases(office, environment)
    for index, application in applications.items():
        machine = machines.get(application.host, application.host)
        for position, component in enumerate(application.components):
            location: Location = ("applications", index, "components", position)
            title = databases.get((component.database, component.server_port))
            if component.kind in SERVER_PORTS and title:
                # Whatever the server is called here and there: two servers with such a name are not worth the risk.
                message = f"has name and port of {title}; it can never be a restore target"
                yield Complaint((*location, "database"), message)
            if machine or not component.path:
                continue
            path = _path(machine, component)
            for title, place in protected.items():
                if _overlap(path, place):
                    message = f"{_relation(path, place)} {title} ({place}); it can never be a restore target"
                    yield Complaint((*location, "path"), message)


def _machines(hosts: Mapping[int, HostSettings]) -> dict[str, str]:
    """Two names for one address are one machine, and all local hosts are this one, which is called ""."""
    return {host.name: (host.address or host.name) if host.kind == "ssh" else "" for host in hosts.values()}


def _path(machine: str, component: ComponentSettings) -> Path:
    return Path(os.path.normpath(component.path)) if machine else _real(component.path)


def protected_places(
    office: OfficeSettings | None, keys: KeySettings | None, environment: Mapping[str, str] | None = None
) -> dict[str, Path]:
    """Given the settings and an environment, return the local places that no restore may touch, by what they are.

    Design §10: catalog, ledger and Prefect's database are backup-only. The catalog's URL is looked at only where its
    reference can be resolved, which is the worker; elsewhere the inventory can still be reviewed.
    """
    places: dict[str, Path] = {}
    if office is not None:
        places["the state directory"] = _real(office.state_directory)
        for title, reference in (("the catalog and ledger", office.catalog), (PREFECT_TITLE, office.prefect_database)):
            # Only the worker can read it; there it is looked at.
            with suppress(KeyMissingError):
                database = sqlite_file(resolve(reference).decode()) if reference else None
                if database:
                    places[title] = database
    if keys is not None:
        for field in ("operations_identity", "signing_key", "enrolment_key"):
            kind, _, name = getattr(keys, field).partition(":")
            if kind == "file":
                places[f"the key file of {field}"] = _real(name)
    settings = os.environ if environment is None else environment
    places["Prefect's home"] = _real(settings.get("PREFECT_HOME") or "~/.prefect")
    for name in PREFECT_DATABASES:
        database = sqlite_file(settings.get(name, ""))
        if database:
            places[PREFECT_TITLE] = database
    return places


def _ways_to_hosts(hosts: Mapping[int, HostSettings]) -> dict[str, Path]:
    places = {}
    for host in hosts.values():
        if host.kind == "ssh":
            kind, _, name = (host.key or "").partition(":")
            if kind == "file":
                places[f"the key file of the host {host.name!r}"] = _real(name)
            if host.host_keys:
                places[f"the pinned keys of the host {host.name!r}"] = _real(host.host_keys)
    return places


def _databases(applications: Mapping[int, ApplicationSettings], machines: Mapping[str, str]) -> Iterator[Complaint]:
    """A database of a server is named once."""
    seen: dict[tuple[str, str, int, str], Location] = {}
    for index, application in applications.items():
        for position, component in enumerate(application.components):
            if component.kind not in SERVER_PORTS:
                continue
            location: Location = ("applications", index, "components", position, "database")
            machine = machines.get(application.host, application.host)
            key = (machine, component.server, component.server_port, component.database)
            if key in seen:
                yield Complaint(location, f"is the same database as {field_name(seen[key])}")
            seen.setdefault(key, location)


def _scratch_servers(
    applications: Mapping[int, ApplicationSettings], machines: Mapping[str, str]
) -> Iterator[Complaint]:
    """No proof loads into a live server, and no two of one engine load what has one name there."""
    live: dict[tuple[str, str], Location] = {}
    proven: dict[tuple[str, str], Location] = {}
    found: list[tuple[Location, ComponentSettings]] = []
    for index, application in applications.items():
        for position, component in enumerate(application.components):
            if component.kind not in SERVER_PORTS:
                continue
            location: Location = ("applications", index, "components", position)
            machine = machines.get(application.host, application.host)
            address = _address(component.kind, component.server, component.server_port)
            # What a name or a socket means on another machine cannot be known here; proofs compare the servers.
            if machine == "" or not address.startswith(("/", "localhost:", "127.")):
                live.setdefault((component.kind, address), location)
            if component.scratch_server is not None:
                found.append((location, component))
    for location, component in found:
        scratch = component.scratch_server
        assert scratch is not None  # noqa: S101 - looked at above
        address = _address(component.kind, scratch.server, scratch.port or component.server_port)
        other = live.get((component.kind, address))
        if other:
            message = f"is the live server of {field_name(other)}; a proof never loads there"
            yield Complaint((*location, "scratch_server", "server"), message)
        name = (address, component.database)
        if component.kind == "mariadb" and name in proven:
            message = f"proves a database of the same name as {field_name(proven[name])}; two cannot be there at once"
            yield Complaint((*location, "scratch_server", "server"), message)
        proven.setdefault(name, location)


def _address(kind: str, server: str, port: int) -> str:
    server = server or DEFAULT_SERVERS[kind]
    if not server.startswith("/"):
        return f"{server}:{port}"
    # One directory may hold sockets of several PostgreSQL servers.
    return f"{os.path.realpath(server)}:{port if kind == 'postgresql' else 0}"


def _own_databases(office: OfficeSettings | None, environment: Mapping[str, str] | None) -> dict[tuple[str, int], str]:
    urls = {}
    if office is not None:
        for title, reference in (("the catalog and ledger", office.catalog), (PREFECT_TITLE, office.prefect_database)):
            # Only the worker can read it; there it is looked at.
            with suppress(KeyMissingError):
                urls[title] = resolve(reference).decode() if reference else ""
    settings = os.environ if environment is None else environment
    for name in PREFECT_DATABASES:
        urls[f"Prefect's database ({name})"] = settings.get(name, "")
    found = {}
    for title, url in urls.items():
        parts = urlsplit(url)
        if parts.scheme.startswith("postgresql"):
            found[unquote(parts.path.strip("/")), _port(parts)] = title
    return found


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or int(dict(parse_qsl(parts.query)).get("port", "5432"))
    except ValueError:
        return 5432


def sqlite_file(url: str) -> Path | None:
    """Given an SQLAlchemy URL, return the file of an SQLite database, or None for any other kind."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("sqlite") or not parts.path.strip("/"):
        return None
    return _real(unquote(parts.path.removeprefix("/")))


def _stores(stores: Mapping[int, StoreSettings], schedules: Mapping[int, ScheduleSettings]) -> Iterator[Complaint]:
    yield from bucket_rules(stores)
    seen: list[tuple[Path, Location]] = []
    for index, store in stores.items():
        location: Location = ("stores", index, "path")
        if store.kind == "directory" and not store.path.startswith("/"):
            yield Complaint(location, "must be an absolute path")
            continue
        if store.prefix.startswith("/") or ".." in store.prefix.split("/"):
            yield Complaint(("stores", index, "prefix"), "must be a relative folder without '..'")
            continue
        if store.kind != "directory":
            continue
        path = _real(os.path.join(store.path, store.prefix))
        for other_path, other_location in seen:
            if _overlap(path, other_path):
                yield Complaint(location, f"{_relation(path, other_path)} {field_name(other_location)}")
        seen.append((path, location))
    by_name = {store.name: store for store in stores.values()}
    for index, schedule in schedules.items():
        main, offsite = by_name.get(schedule.store), by_name.get(schedule.offsite_store)
        if main is None or offsite is None or main is offsite or {main.kind, offsite.kind} != {"directory"}:
            continue
        here, there = _real(main.path), _real(offsite.path)
        if here == there:
            yield Complaint(("schedules", index, "offsite_store"), "lies in the same directory as the main store")
        elif _overlap(here, there):
            # Whatever their prefixes: one of them is below the other's mount, and goes with it.
            words = f"{_relation(there, here)} the directory of the main store"
            yield Complaint(("schedules", index, "offsite_store"), words)


def _real(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _overlap(one: Path, other: Path) -> bool:
    return one == other or one in other.parents or other in one.parents


def _relation(one: Path, other: Path) -> str:
    if one == other:
        return "is the same place as"
    return "holds" if one in other.parents else "lies in"
