"""The inventory: one reviewable YAML file that says what an installation consists of.

Reading it reports every error at once, each as file, line and field, and touches nothing.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError

from recovery.inventory_rules import Parts, broken_rules
from recovery.marked_yaml import Complaint, Location, MarkedDocument, read_marked
from recovery.settings import (
    ApplicationSettings,
    HostSettings,
    KeySettings,
    OfficeSettings,
    OfficialSettings,
    ScheduleSettings,
    Settings,
    StoreSettings,
)

if TYPE_CHECKING:
    from recovery.installation import Installation


class Inventory(Settings):
    """Everything that `pulih apply` writes to a server, a catalog and the stores."""

    office: OfficeSettings = Field(description="The office.")
    keys: KeySettings = Field(description="The installation's keys.")
    hosts: list[HostSettings] = Field(min_length=1, description="Machines.")
    stores: list[StoreSettings] = Field(min_length=1, description="Places where backups are kept.")
    applications: list[ApplicationSettings] = Field(min_length=1, description="What is backed up and restored.")
    schedules: list[ScheduleSettings] = Field(min_length=1, description="Jadwal Back Up.")
    officials: list[OfficialSettings] = Field(min_length=1, description="Who may do which step.")

    def installation(self) -> "Installation":
        """Return the installation that this inventory describes, as the command line uses it without a server."""
        from recovery.installation import Installation

        return Installation(
            office=self.office,
            keys=self.keys,
            hosts={host.name: host for host in self.hosts},
            stores={store.name: store for store in self.stores},
            applications={application.name: application for application in self.applications},
            schedules={schedule.name: schedule for schedule in self.schedules},
        )


# What a person should write, by the pattern that the value does not match. The value itself is never repeated: it
# may be a password that somebody wrote where a reference belongs.
_PATTERNS = {
    r"^[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?$": "must be lower case letters, digits and dashes, 42 at most",
    r"^(file|env|credential):.+$": "must be a reference to a secret: file:/path, env:NAME or credential:NAME",
    r"^/": "must be an absolute path",
    r"^[0-9]{18}$": "must be 18 digits",
}


def load_inventory(path: Path, environment: Mapping[str, str] | None = None) -> Inventory:
    """Given the path of inventory.yaml, return the inventory; paths of suites become absolute.

    `environment` is where Prefect's own database is looked up, which no application may name (default: os.environ).
    Raises ConfigurationError with one line `inventory.yaml:12: applications[0].name: …` per error.
    """
    document = read_marked(Path(path))
    folder = Path(path).resolve().parent
    complaints = list(document.complaints)
    inventory: Inventory | None = None
    try:
        inventory = Inventory.model_validate(document.value)
    except ValidationError as error:
        complaints += [_complaint(document, detail) for detail in error.errors()]
    # Rules look at whatever is well-formed, so that one typing mistake does not hide the other errors.
    complaints += broken_rules(_well_formed(document.value), folder, environment)
    if complaints or inventory is None:
        raise document.error(complaints)
    for application in inventory.applications:
        for component in application.components:
            if component.suite:
                component.suite = str(folder / component.suite)
    return inventory


def _well_formed(value: Any) -> Parts:
    sections = value if isinstance(value, dict) else {}

    def one(section: str, model: type[Any]) -> Any:
        try:
            return model.model_validate(sections.get(section))
        except ValidationError:
            return None  # reported by the validation of the whole

    def many(section: str, model: type[Any]) -> dict[int, Any]:
        found = {}
        items = sections.get(section)
        for index, item in enumerate(items if isinstance(items, list) else []):
            try:
                found[index] = model.model_validate(item)
            except ValidationError:
                continue  # reported by the validation of the whole
        return found

    def names(section: str, key: str = "name") -> frozenset[str]:
        items = sections.get(section)
        return frozenset(
            item[key]
            for item in (items if isinstance(items, list) else [])
            if isinstance(item, dict) and isinstance(item.get(key), str)
        )

    return Parts(
        office=one("office", OfficeSettings),
        keys=one("keys", KeySettings),
        hosts=many("hosts", HostSettings),
        stores=many("stores", StoreSettings),
        applications=many("applications", ApplicationSettings),
        schedules=many("schedules", ScheduleSettings),
        officials=many("officials", OfficialSettings),
        host_names=names("hosts"),
        store_names=names("stores"),
        application_names=names("applications"),
        scheduled_names=_scheduled(sections.get("schedules")),
        nips=names("officials", "nip"),
    )


def _scheduled(schedules: Any) -> frozenset[str]:
    """Names in schedules that are not well-formed: nothing is said about those applications until they are."""
    found: set[str] = set()
    for schedule in schedules if isinstance(schedules, list) else []:
        try:
            ScheduleSettings.model_validate(schedule)
        except ValidationError:
            names = schedule.get("applications") if isinstance(schedule, dict) else None
            found.update(name for name in (names if isinstance(names, list) else []) if isinstance(name, str))
    return frozenset(found)


def _complaint(document: MarkedDocument, detail: Any) -> Complaint:
    location: Location = detail["loc"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            message = "is missing"
        case "extra_forbidden":
            message = "unknown key" + _nearest(str(location[-1]), _fields_at(location[:-1]))
        case "string_pattern_mismatch":
            message = _PATTERNS.get(context["pattern"], f"does not match {context['pattern']}")
        case "string_type" if isinstance(detail["input"], int | float) or detail["input"] is None:
            message = "must be text; put it in quotes"
        case "literal_error":
            choices = [str(choice) for choice in _choices_at(location)]
            message = f"must be one of {context['expected']}" + _nearest(str(detail["input"]), choices)
        case "model_type" | "dict_type" | "model_attributes_type":
            message = "must be a section with keys" if document.value is not None else "the file is empty"
        case "list_type":
            message = "must be a list; write each entry with a dash"
        case "too_short":
            message = "must have at least one entry"
        case _:
            text = str(detail["msg"]).removeprefix("Input ").removeprefix("Value error, ")
            message = text[:1].lower() + text[1:]
    return Complaint(location, message)


def _nearest(word: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else f"; known are {', '.join(known)}" if known else ""


def _fields_at(location: Location) -> list[str]:
    model = _type_at(location)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _choices_at(location: Location) -> tuple[Any, ...]:
    return get_args(_type_at(location))


def _type_at(location: Location) -> Any:
    """Given a location, return the type that the models say stands there."""
    found: Any = Inventory
    for part in location:
        found = get_args(found)[0] if isinstance(part, int) else found.model_fields[part].annotation
        if NoneType in get_args(found) and get_origin(found) is not None:
            found = next(each for each in get_args(found) if each is not NoneType)
    return found
