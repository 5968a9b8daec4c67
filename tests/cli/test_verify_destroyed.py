"""What is said of sets whose copies lie in a store that no record names, or that left the inventory."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.settings import StoreSettings
from tests.cli.conftest import Pulih, write_inventory
from tests.recovery.procedures.test_retention import run, shorten, taken
from tests.testbed.old_backups import old_backup, set_directory
from tests.testbed.small_office import SmallOffice, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    """An office with a second store."""
    built = open_office(tmp_path / "office", running=False)
    (tmp_path / "terpisah").mkdir()
    built.installation.stores["terpisah"] = StoreSettings(name="terpisah", path=str(tmp_path / "terpisah"))
    yield built
    built.installation.catalog.dispose()


def test_what_is_left_of_a_destroyed_set_is_found_in_a_store_that_no_record_names(
    pulih: Pulih, office: SmallOffice
) -> None:
    """As after a synchronisation that was killed before it had recorded its copy."""
    shorten(office)
    made = taken(office)
    write_inventory(office)
    inventory, name = office.root / "inventory.yaml", str(made[0].name)
    shutil.copytree(set_directory(office, made[0]), office.root / "kept")
    run(office)
    said = pulih("--inventory", inventory, "verify", name)
    assert 0 == said.code
    assert f"{name}: nothing of it is left in terpisah" in said.out
    shutil.copytree(office.root / "kept", set_directory(office, made[0], "terpisah"))
    again = pulih("--inventory", inventory, "verify", name)
    assert 14 == again.code
    assert f"{name}: nothing of it is left in utama" in again.out
    assert "4 objects of the destroyed set are there, the first is bkd/simpel/" in again.err


def test_the_plan_says_where_a_copy_stays_because_its_store_left_the_inventory(
    pulih: Pulih, office: SmallOffice
) -> None:
    """Of each set that may go."""
    shorten(office, offsite_store="terpisah")
    made = taken(office)
    shorten(office, offsite_store="")
    for seconds in (1, 2):
        old_backup(office, datetime.now(UTC) + timedelta(seconds=seconds))
    del office.installation.stores["terpisah"]
    write_inventory(office)
    said = pulih("--inventory", office.root / "inventory.yaml", "retention", "plan")
    assert [f"stays in terpisah, which the inventory names no more: {each.name}" for each in made[:3]] == [
        line for line in said.out.splitlines() if line.startswith("stays in ")
    ]
