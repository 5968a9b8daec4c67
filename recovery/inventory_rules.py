"""Rules of the inventory that look at several values at once: names, references, separation of duties, the SOP."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from recovery.cron import check_cron, months_covered
from recovery.errors import ConfigurationError
from recovery.inventory_hosts import host_rules
from recovery.inventory_places import place_rules
from recovery.inventory_services import flag_rules, service_rules
from recovery.marked_yaml import Complaint, Location
from recovery.naming import parse_name, render_name
from recovery.settings import (
    SERVER_PORTS,
    ApplicationSettings,
    ComponentSettings,
    HostSettings,
    KeySettings,
    OfficeSettings,
    OfficialSettings,
    ScheduleSettings,
    StoreSettings,
)

# `pulih apply` gives this name to the deployment for backups out of schedule.
RESERVED_SCHEDULE_NAME = "di-luar-jadwal"
# Folders of a store that hold something else than sets of applications; the first is that of the records.
RESERVED_FOLDERS = ("pulih", "formulir", "buku-besar", "kunci")
SAMPLE_MOMENT = datetime(2026, 11, 20, 15, 0, 3, tzinfo=UTC)
MARIADB_FIELDS = ("lock_nontransactional", "write_binlog")
SERVER_FIELDS = (
    *("database", "server", "port", "user", "password", "restore_user", "restore_password"),
    "scratch_server",
)
SYSTEM_DATABASES = {
    "postgresql": ("postgres", "template0", "template1"),
    "mariadb": ("mysql", "information_schema", "performance_schema", "sys"),
}
LONGEST_DATABASE_NAME = 42
_REFERENCE = re.compile(r"^(file|env|credential):.+$")


@dataclass(frozen=True)
class Parts:
    """The well-formed parts of an inventory by their position, and all names that it mentions."""

    office: OfficeSettings | None
    keys: KeySettings | None
    hosts: dict[int, HostSettings]
    stores: dict[int, StoreSettings]
    applications: dict[int, ApplicationSettings]
    schedules: dict[int, ScheduleSettings]
    officials: dict[int, OfficialSettings]
    host_names: frozenset[str]
    store_names: frozenset[str]
    application_names: frozenset[str]
    scheduled_names: frozenset[str]
    nips: frozenset[str]


def broken_rules(parts: Parts, folder: Path, environment: Mapping[str, str] | None = None) -> list[Complaint]:
    """Given the parts, the inventory's folder and an environment, return every rule that is broken."""
    return [
        *_unique_names(parts),
        *_office(parts),
        *_keys(parts),
        *host_rules(parts.hosts),
        *_applications(parts, folder),
        *flag_rules(parts.applications, parts.hosts),
        *_schedules(parts),
        *_monthly_floor(parts),
        *_officials(parts),
        *place_rules(
            parts.office, parts.keys, parts.hosts, parts.stores, parts.applications, parts.schedules, environment
        ),
    ]


def _unique_names(parts: Parts) -> Iterator[Complaint]:
    yield from _unique("name", {("hosts", index, "name"): host.name for index, host in parts.hosts.items()})
    yield from _unique("name", {("stores", index, "name"): store.name for index, store in parts.stores.items()})
    yield from _unique(
        "name", {("applications", index, "name"): each.name for index, each in parts.applications.items()}
    )
    yield from _unique("name", {("schedules", index, "name"): each.name for index, each in parts.schedules.items()})
    yield from _unique("NIP", {("officials", index, "nip"): each.nip for index, each in parts.officials.items()})
    for index, application in parts.applications.items():
        place: Location = ("applications", index)
        yield from _unique(
            "name", {(*place, "components", i, "name"): each.name for i, each in enumerate(application.components)}
        )
        yield from _unique(
            "name", {(*place, "services", i, "name"): each.name for i, each in enumerate(application.services)}
        )


def _unique(what: str, values: Mapping[Location, str]) -> Iterator[Complaint]:
    first: dict[str, Location] = {}
    for location, value in values.items():
        if value in first:
            yield Complaint(location, f"the {what} {value!r} is taken by {_owner(first[value])}")
        else:
            first[value] = location


def _owner(location: Location) -> str:
    return f"{location[-3]}[{location[-2]}]"


def _office(parts: Parts) -> Iterator[Complaint]:
    if parts.office is None:
        return
    if parts.office.destruction_cron:
        yield from _cron(("office", "destruction_cron"), parts.office.destruction_cron)
    pattern = parts.office.backup_name
    objects = [(each.name, component.name) for each in parts.applications.values() for component in each.components]
    broken = [message for message in (_broken_name(pattern, *names) for names in objects) if message]
    if broken:
        yield Complaint(("office", "backup_name"), broken[0])  # the same pattern fails for the others alike
    for name, number_pattern in parts.office.numbers.model_dump().items():
        location: Location = ("office", "numbers", name)
        try:
            number = number_pattern.format(sequence=7, month_roman="XI", month=11, year=2026)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            yield Complaint(location, f"is no valid pattern ({error}); fields: sequence, month_roman, month, year")
            continue
        # The sequence begins at 1 each year, so that without the year a number would come back.
        if "7" not in number or "2026" not in number:
            yield Complaint(location, "must contain {sequence} and {year}, or numbers would repeat")


def _broken_name(pattern: str, application: str, component: str) -> str:
    try:
        name = render_name(pattern, application=application, component=component, moment=SAMPLE_MOMENT)
        parse_name(pattern, name)
    except ConfigurationError as error:
        return error.message
    return ""


def _keys(parts: Parts) -> Iterator[Complaint]:
    import pyrage

    if parts.keys is None:
        return
    for field in ("operations_recipient", "escrow_recipient"):
        try:
            pyrage.x25519.Recipient.from_str(getattr(parts.keys, field))
        except pyrage.RecipientError:
            yield Complaint(("keys", field), "is no age recipient (age1…)")
    if parts.keys.operations_recipient == parts.keys.escrow_recipient:
        yield Complaint(("keys", "escrow_recipient"), "must not be the operations recipient; escrow is a second key")
    for field in ("operations_identity", "signing_key", "enrolment_key"):
        reference = getattr(parts.keys, field)
        if reference.startswith("file:") and not reference.startswith("file:/"):
            yield Complaint(("keys", field), "must name an absolute path: file:/…")


def _applications(parts: Parts, folder: Path) -> Iterator[Complaint]:
    for index, application in parts.applications.items():
        place: Location = ("applications", index)
        for field in ("name", "owner_unit"):
            if getattr(application, field) in RESERVED_FOLDERS:
                yield Complaint((*place, field), f"{getattr(application, field)!r} is reserved: stores use that folder")
        if application.host not in parts.host_names:
            yield Complaint((*place, "host"), _unknown("host", application.host, parts.host_names))
        for position, service in enumerate(application.services):
            yield from service_rules((*place, "services", position), service)
        for position, component in enumerate(application.components):
            if component.suite and not (folder / component.suite).is_file():
                yield Complaint(
                    (*place, "components", position, "suite"), f"there is no file {folder / component.suite}"
                )
            yield from _component((*place, "components", position), component)


def _component(place: Location, component: ComponentSettings) -> Iterator[Complaint]:
    server = component.kind in SERVER_PORTS
    needed = "database" if server else "path"
    foreign = ["path"] if server else [*SERVER_FIELDS, *MARIADB_FIELDS]
    if component.kind == "postgresql":
        foreign += MARIADB_FIELDS
    if not getattr(component, needed):
        yield Complaint((*place, needed), f"is missing; a component of kind {component.kind!r} needs it")
    for field in foreign:
        if getattr(component, field) != ComponentSettings.model_fields[field].default:
            yield Complaint((*place, field), f"is no field of a component of kind {component.kind!r}")
    if component.database in SYSTEM_DATABASES.get(component.kind, ()):
        yield Complaint((*place, "database"), "is one of the server's own, which holds no application's data")
    # A copy stands beside it under this name with ".pulih-", a label of 12 characters and a mark.
    if len(component.database.encode()) > LONGEST_DATABASE_NAME:
        yield Complaint((*place, "database"), f"has more than {LONGEST_DATABASE_NAME} bytes: a copy could get no name")


def _schedules(parts: Parts) -> Iterator[Complaint]:
    for index, schedule in parts.schedules.items():
        place: Location = ("schedules", index)
        if schedule.name == RESERVED_SCHEDULE_NAME:
            yield Complaint((*place, "name"), f"{RESERVED_SCHEDULE_NAME!r} is reserved for backups out of schedule")
        yield from _cron((*place, "cron"), schedule.cron)
        if schedule.drill.cron:
            yield from _cron((*place, "drill", "cron"), schedule.drill.cron)
        for position, name in enumerate(schedule.applications):
            if name not in parts.application_names:
                yield Complaint(
                    (*place, "applications", position), _unknown("application", name, parts.application_names)
                )
            if name in schedule.applications[:position]:
                yield Complaint((*place, "applications", position), f"{name!r} is named twice")
        for field, name in (("store", schedule.store), ("offsite_store", schedule.offsite_store)):
            if name and name not in parts.store_names:
                yield Complaint((*place, field), _unknown("store", name, parts.store_names))
        if schedule.offsite_store == schedule.store:
            yield Complaint((*place, "offsite_store"), "is the main store; a copy beside the first is no second copy")
        yield from _people(parts, place, schedule)
        yield from _date((*place, "valid_from"), schedule.valid_from)


def _cron(location: Location, cron: str) -> Iterator[Complaint]:
    try:
        check_cron(cron)
    except ConfigurationError as error:
        yield Complaint(location, error.message)


def _people(parts: Parts, place: Location, schedule: ScheduleSettings) -> Iterator[Complaint]:
    if schedule.executor == schedule.reviewer:
        yield Complaint((*place, "reviewer"), "must not be the executor; nobody reviews his own work")
    if schedule.executor == schedule.approved_by:
        yield Complaint((*place, "approved_by"), "must not be the executor; nobody approves his own schedule")
    roles = {official.nip: official.roles for official in parts.officials.values()}
    for field, nip, role in (
        ("executor", schedule.executor, "pelaksana"),
        ("reviewer", schedule.reviewer, "kabid"),
        ("approved_by", schedule.approved_by, ""),
    ):
        if nip and nip not in parts.nips:
            yield Complaint((*place, field), f"there is no official with the NIP {nip!r}")
        elif nip and role and nip in roles and role not in roles[nip]:
            yield Complaint((*place, field), f"the official {nip!r} does not have the role {role!r}")


def _monthly_floor(parts: Parts) -> Iterator[Complaint]:
    """SOP, warning 2: "Proses Back UP dilakukan setiap sebulan sekali" — a month without a backup is an omission."""
    for index, application in parts.applications.items():
        if application.name in parts.scheduled_names:
            continue
        covered: set[int] = set()
        scheduled = [each for each in parts.schedules.values() if application.name in each.applications]
        for schedule in scheduled:
            try:
                covered |= months_covered(schedule.cron)
            except ConfigurationError:
                covered |= set(range(1, 13))  # reported at the schedule
        missing = sorted(set(range(1, 13)) - covered)
        if missing:
            which = "in any month" if len(missing) == 12 else f"in month {', '.join(map(str, missing))}"
            yield Complaint(
                ("applications", index, "name"),
                f"no schedule backs {application.name!r} up {which}; the SOP asks for one backup a month",
            )


def _officials(parts: Parts) -> Iterator[Complaint]:
    for index, official in parts.officials.items():
        place: Location = ("officials", index)
        yield from _date((*place, "valid_from"), official.valid_from)
        yield from _date((*place, "valid_until"), official.valid_until)
        if official.valid_from and official.valid_until and official.valid_until < official.valid_from:
            yield Complaint((*place, "valid_until"), "lies before valid_from")
        if official.contact and not _REFERENCE.match(official.contact):
            yield Complaint(
                (*place, "contact"), "must be a reference to a secret: file:/path, env:NAME or credential:NAME"
            )


def _date(location: Location, text: str) -> Iterator[Complaint]:
    try:
        if text and date.fromisoformat(text).isoformat() != text:
            raise ValueError
    except ValueError:
        yield Complaint(location, "must be a date such as 2026-11-20")


def _unknown(what: str, name: str, known: frozenset[str]) -> str:
    return f"there is no {what} {name!r}; known are {', '.join(sorted(known)) or '(none)'}"
