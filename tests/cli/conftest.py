"""One real installation with one real backup for all tests of the command line, and copies of it to be broken."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import run
from recovery.inventory import Inventory
from recovery.records import backups, officials
from recovery.records.catalog import Catalog, open_catalog
from recovery.settings import OfficialSettings
from tests.cli import documents
from tests.testbed.small_office import SmallOffice, open_office


@dataclass(frozen=True)
class Ended:
    """How a call of `pulih` ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The one JSON object on standard error."""
        found: dict[str, Any] = json.loads(self.err)
        return found


Pulih = Callable[..., Ended]


@dataclass(frozen=True)
class Office:
    """An installation that can be broken: its inventory, its places, and the name of its backup of the database."""

    root: Path
    procedure_id: str
    name: str

    @property
    def inventory(self) -> Path:
        """The inventory that the command reads."""
        return self.root / "inventory.yaml"

    @property
    def store(self) -> Path:
        """The directory of the store."""
        return self.root / "store"

    @property
    def set(self) -> Path:
        """Where the backup's set lies in the store."""
        return self.store / "bkd" / "simpel" / self.name

    @property
    def catalog(self) -> Catalog:
        """The catalog."""
        return open_catalog(f"sqlite:///{self.root / 'state' / 'catalog.sqlite'}")

    def change_inventory(self, change: Callable[[dict[str, Any]], Any]) -> None:
        """Change the inventory's plain data."""
        data = yaml.safe_load(self.inventory.read_text(encoding="utf-8"))
        change(data)
        self.inventory.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")


@pytest.fixture(scope="session")
def running_office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallOffice]:
    """A small office that has backed up once. It takes seconds, so there is one; tests only look at it."""
    built = open_office(tmp_path_factory.mktemp("kantor") / "office")
    built.approve_schedule()
    built.back_up("11111111-2222-3333-4444-555555555555")
    write_inventory(built)
    yield built
    built.stop_service_for_good()
    built.installation.catalog.dispose()


def write_inventory(built: SmallOffice) -> None:
    """Write the inventory that describes an office beside it, for the command to read."""
    installation = built.installation
    with installation.catalog.read() as connection:
        people = officials.list_all(connection)
    shared = OfficialSettings.model_fields
    inventory = Inventory(
        office=installation.office,
        keys=installation.keys,
        hosts=list(installation.hosts.values()),
        stores=list(installation.stores.values()),
        applications=list(installation.applications.values()),
        schedules=list(installation.schedules.values()),
        officials=[
            OfficialSettings(**{name: value for name, value in vars(official).items() if name in shared})
            for official in people
        ],
    )
    text = yaml.safe_dump(inventory.model_dump(mode="json"), sort_keys=False)
    (built.root / "inventory.yaml").write_text(text, encoding="utf-8")


def _office(root: Path, built: SmallOffice) -> Office:
    with built.installation.catalog.read() as connection:
        (found,) = [each for each in backups.list_backups(connection, "simpel") if each.component == "data"]
    return Office(root, found.procedure_id, str(found.name))


@pytest.fixture
def office(running_office: SmallOffice) -> Office:
    """The installation as it is, with its application and service. Do not break it."""
    return _office(running_office.root, running_office)


@pytest.fixture
def broken(running_office: SmallOffice, tmp_path: Path) -> Office:
    """A copy of catalog, store, keys and inventory, to be broken. The application is the one that runs."""
    copy = _office(tmp_path / "copy", running_office)
    for folder in ("state", "store", "keys"):
        shutil.copytree(running_office.root / folder, copy.root / folder)
    text = running_office.root.joinpath("inventory.yaml").read_text(encoding="utf-8")
    for folder in ("state", "store", "keys"):
        text = text.replace(f"{running_office.root}/{folder}", f"{copy.root}/{folder}")
    copy.inventory.write_text(text, encoding="utf-8")
    return copy


@pytest.fixture
def pulih(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Pulih:
    """A function that calls the command line in this process; its JSON documents must be what their schemas say."""
    monkeypatch.delenv("PULIH_INVENTORY", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)

    def call(*arguments: str | Path) -> Ended:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        ended = Ended(code, captured.out, captured.err)
        verb = documents.schema_of([str(argument) for argument in arguments])
        if "--json" in arguments and verb:
            if ended.out:
                documents.check(verb, ended.document)
            if ended.err:
                documents.check("error", ended.error)
        return ended

    return call
