"""pulih retention and pulih hold, and what the other verbs say of sets that were destroyed."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery.procedures.retention import begin_retention, conclude_retention, destroy, draw_up_record
from recovery.records import ledger, procedures, schema
from recovery.records.backups import Backup
from tests.cli.conftest import Pulih, write_inventory
from tests.recovery.procedures.test_retention import shorten, taken
from tests.testbed.old_backups import set_directory
from tests.testbed.small_office import KABID, SmallOffice, open_office


@pytest.fixture
def old_office(tmp_path: Path) -> Iterator[tuple[SmallOffice, list[Backup]]]:
    """An office with five weekly backups, three of which are past their retention, and its inventory."""
    built = open_office(tmp_path / "office", running=False)
    shorten(built)
    made = taken(built)
    write_inventory(built)
    yield built, made
    built.installation.catalog.dispose()


def run_retention(office: SmallOffice) -> str:
    procedure_id = str(uuid.uuid4())
    assert begin_retention(office.installation, procedure_id) is None
    draw_up_record(office.installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(office.installation, procedure_id)
    conclude_retention(office.installation, procedure_id)
    return procedure_id


def test_the_plan_is_the_one_that_a_run_would_record(
    pulih: Pulih, old_office: tuple[SmallOffice, list[Backup]]
) -> None:
    """Only its time, and so its hash, is another; nothing is changed by looking."""
    office, made = old_office
    inventory = office.root / "inventory.yaml"
    ended = pulih("--inventory", inventory, "--json", "retention", "plan")
    assert 0 == ended.code
    procedure_id = str(uuid.uuid4())
    assert begin_retention(office.installation, procedure_id) is None
    with office.installation.catalog.read() as connection:
        recorded = procedures.get(connection, procedure_id).parameters["plan"]
    shown = {key: value for key, value in ended.document.items() if key not in ("keep", "sha256", "drawn_up_at")}
    assert shown == {key: value for key, value in recorded.items() if key != "drawn_up_at"}
    assert [each.id for each in made[:3]] == [each["backup_id"] for each in shown["destroy"]]
    assert [["verified", "age"]] * 2 == [each["reasons"] for each in ended.document["keep"]]


def test_the_plan_is_told_to_people_with_every_reason(
    pulih: Pulih, old_office: tuple[SmallOffice, list[Backup]]
) -> None:
    """What stays is listed on demand."""
    office, made = old_office
    inventory = office.root / "inventory.yaml"
    said = pulih("--inventory", inventory, "retention", "plan").out
    assert "past its retention, and replaced by newer verified sets" in said
    assert "3 may be destroyed" in said
    assert "0 wait for a lock, 2 stay; nothing was changed" in said
    assert str(made[4].name) not in said
    everything = pulih("--inventory", inventory, "retention", "plan", "--all").out
    assert (
        "one of the newest verified sets, which always stay; younger than the schedule's retention_days" in everything
    )
    (set_directory(office, made[4]) / "manifest.json").unlink()
    assert f"does not count as verified: {made[4].name}: " in pulih("--inventory", inventory, "retention", "plan").out


def test_a_clock_that_is_not_believed_is_said_and_nothing_else(
    pulih: Pulih, old_office: tuple[SmallOffice, list[Backup]]
) -> None:
    """The newest set is of the future."""
    office, made = old_office
    with office.installation.catalog.begin() as connection:
        table = schema.backups
        later = "2099-01-01T00:00:00.000000+00:00"
        connection.execute(update(table).where(table.c.id == made[4].id).values(moment=later))
    said = pulih("--inventory", office.root / "inventory.yaml", "retention", "plan").out
    assert said.startswith("NOTHING MAY BE DESTROYED, the clock is not believed: it is ")


def test_holds_are_added_listed_and_ended(pulih: Pulih, old_office: tuple[SmallOffice, list[Backup]]) -> None:
    """On one backup, on a component, on an application; and the plan says whose reason keeps a set."""
    office, made = old_office
    inventory = office.root / "inventory.yaml"
    assert "nothing is held\n" == pulih("--inventory", inventory, "hold", "list").out
    on_backup = pulih("--inventory", inventory, "--json", "hold", "add", str(made[0].name), "--reason", "Perkara 7")
    assert (0, made[0].id) == (on_backup.code, on_backup.document["target"])
    plan = pulih("--inventory", inventory, "retention", "plan", "--all").out
    assert "held: Perkara 7" in plan
    assert "2 may be destroyed" in plan
    own = pulih("--inventory", inventory, "--json", "hold", "add", "pulih/rekaman", "--reason", "Audit").document
    assert ("pulih", "rekaman") == (own["application"], own["component"])
    assert 0 == pulih("--inventory", inventory, "hold", "remove", own["id"], "--reason", "Selesai").code
    for target in ("simpel", "simpel/berkas"):
        added = pulih("--inventory", inventory, "--json", "hold", "add", target, "--reason", "Audit")
        assert target == added.document["target"]
    assert "0 may be destroyed" in pulih("--inventory", inventory, "retention", "plan").out
    listed = pulih("--inventory", inventory, "--json", "hold", "list").document
    assert [made[0].id, "simpel", "simpel/berkas"] == [each["target"] for each in listed]
    ended = pulih("--inventory", inventory, "--json", "hold", "remove", listed[1]["id"][:8], "--reason", "Selesai")
    assert "Selesai" == ended.document["removal_reason"]
    assert 2 == len(pulih("--inventory", inventory, "--json", "hold", "list").document)
    assert "Audit" in pulih("--inventory", inventory, "hold", "list", "--all").out
    assert "2 may be destroyed" in pulih("--inventory", inventory, "retention", "plan").out


def test_a_hold_on_what_nobody_knows_is_refused(pulih: Pulih, old_office: tuple[SmallOffice, list[Backup]]) -> None:
    """A typing mistake must not look like a hold."""
    office, _made = old_office
    for target in ("simpil", "simpel/dataa", "simpel/"):
        ended = pulih("--inventory", office.root / "inventory.yaml", "hold", "add", target, "--reason", "x")
        assert 3 == ended.code
        assert f"neither an application, nor a component, nor a backup is called {target!r}" in ended.err


def test_destroyed_sets_are_not_offered_and_known_to_be_missing(
    pulih: Pulih, old_office: tuple[SmallOffice, list[Backup]]
) -> None:
    """They are listed on demand, cannot be fetched, and verify says that nothing of them is left."""
    office, made = old_office
    inventory, name = office.root / "inventory.yaml", str(made[0].name)
    procedure_id = run_retention(office)
    assert 2 == len(pulih("--inventory", inventory, "--json", "backups").document)
    everything = pulih("--inventory", inventory, "--json", "backups", "--all").document
    assert ["destroyed"] * 3 + ["secured"] * 2 == [each["state"] for each in everything]
    verified = pulih("--inventory", inventory, "--json", "verify", name)
    assert (0, "destroyed") == (verified.code, verified.document["verdict"])
    said = pulih("--inventory", inventory, "verify", name).out
    assert f"{name}: nothing of it is left in utama" in said
    fetched = pulih("--inventory", inventory, "fetch", name, "--to", office.root / "fetched")
    assert 3 == fetched.code
    assert f"the set of {name} was destroyed by the procedure {procedure_id}" in fetched.err
    assert 0 == pulih("--inventory", inventory, "ledger", "verify").code

    directory = set_directory(office, made[0])
    directory.mkdir(parents=True)
    (directory / "manifest.json").write_bytes(b"{}")
    again = pulih("--inventory", inventory, "verify", name)
    assert 14 == again.code
    assert "1 objects of the destroyed set are there, the first is bkd/simpel/" in again.err
    store = Path(office.installation.stores["utama"].path)
    store.rename(office.root / "weg")
    assert 13 == pulih("--inventory", inventory, "verify", name).code


def test_a_set_that_was_called_destroyed_by_hand_is_found(
    pulih: Pulih, old_office: tuple[SmallOffice, list[Backup]]
) -> None:
    """And one of which an entry says so, while the catalog offers it."""
    office, made = old_office
    inventory, name = office.root / "inventory.yaml", str(made[4].name)
    table = schema.backups
    with office.installation.catalog.begin() as connection:
        connection.execute(update(table).where(table.c.id == made[4].id).values(state="destroyed"))
        facts = {"backup_id": made[3].id, "name": made[3].name, "manifest_sha256": "", "stores": []}
        ledger.append(connection, "backup.destruction_begun", facts)
    ended = pulih("--inventory", inventory, "--json", "ledger", "verify")
    assert 19 == ended.code
    by_hand = f"the catalog calls the backup {name} destroyed, and no entry says so"
    assert [
        f"an entry says that the backup {made[3].name} was destroyed, and the catalog does not",
        by_hand,
    ] == ended.document["findings"]
    verified = pulih("--inventory", inventory, "verify", name)
    assert 14 == verified.code
    assert by_hand in verified.err
    fetched = pulih("--inventory", inventory, "fetch", name, "--to", office.root / "fetched")
    assert f"the set of {name} was destroyed\n" in fetched.err or "was destroyed;" in fetched.err
