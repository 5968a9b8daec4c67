"""The inventory: one reviewable YAML file that says what an installation consists of.

Reading it reports every error at once, each as file, line and field, and touches nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError

from recovery.errors import ConfigurationError
from recovery.inventory_rules import Parts, broken_rules
from recovery.marked_model import validate_marked
from recovery.marked_yaml import read_marked
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


def load_inventory(path: Path, environment: Mapping[str, str] | None = None) -> Inventory:
    """Given the path of inventory.yaml, return the inventory; paths of suites become absolute.

    `environment` is where Prefect's own database is looked up, which no application may name (default: os.environ).
    Raises ConfigurationError with one line `inventory.yaml:12: applications[0].name: …` per error.
    """
    document = read_marked(Path(path))
    folder = Path(path).resolve().parent
    inventory, complaints = validate_marked(document, Inventory)
    # Rules look at whatever is well-formed, so that one typing mistake does not hide the other errors.
    complaints += broken_rules(_well_formed(document.value), folder, environment)
    if complaints or inventory is None:
        raise document.error(complaints)
    for application in inventory.applications:
        for component in application.components:
            if component.suite:
                component.suite = str(folder / component.suite)
    return inventory


def readable_office(path: Path) -> OfficeSettings | None:
    """Given the path of an inventory that cannot be used, return its section `office` when that much of it is whole."""
    try:
        return _well_formed(read_marked(Path(path)).value).office
    except ConfigurationError:
        return None


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
