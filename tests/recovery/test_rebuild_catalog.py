"""What a rebuild does with rows that the copy of the catalog has only half, or otherwise than the store."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.inventory import load_inventory
from recovery.own_records import back_up_records
from recovery.procedures.backup.begin import begin_backup
from recovery.rebuild import Rebuilt, rebuild
from recovery.records import backups, procedures
from tests.recovery.key_office import KeyOffice
from tests.testbed.small_office import open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[KeyOffice]:
    built = open_office(tmp_path / "office", running=False)
    yield KeyOffice(built)
    built.installation.catalog.dispose()


def rebuilt(office: KeyOffice) -> Rebuilt:
    installation, root = office.fresh(), office.office.root
    store = installation.stores["utama"]
    return rebuild(store, root.parent / "new", installation.signer.fingerprint, root / "keys" / "escrow")


def test_what_was_under_way_when_the_copy_was_made_is_finished_or_named(office: KeyOffice) -> None:
    """The set came after the copy: it counts. Its procedure will never go on: it is closed, and people look."""
    begin_backup(office.office.installation, "run", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3):
        office.office.step(f"backup.{number}", "run", "simpel/berkas")
    back_up_records(office.office.installation, "another")
    office.office.step("backup.4", "run", "simpel/berkas")
    done = rebuilt(office)
    assert done.inventory is not None
    with load_inventory(done.inventory).installation().catalog.read() as connection:
        (backup,) = backups.list_backups(connection)
        procedure = procedures.get(connection, "run")
    assert ("secured", ("utama",), "pass") == (backup.state, backup.stores, backup.verdict)
    assert ("closed", "ditutup") == (procedure.state, procedure.outcome)
    assert 1 == done.added
    told = "procedure run (backup bulanan) was open when the copy was made, and is closed now: "
    assert [told + "look at its application and services yourself"] == done.unproven


def test_a_name_that_the_records_give_to_another_backup_is_named(office: KeyOffice) -> None:
    office.back_up()
    begin_backup(office.office.installation, "run", schedule_name="bulanan", routine=True)
    with office.office.installation.catalog.begin() as connection:
        now = datetime.now(UTC).isoformat()
        names = {"application": "simpel", "component": "data", "unit": "bkd", "kind": "sqlite"}
        backups.insert_staged(connection, backup_id="x", procedure_id="run", moment=now, staging="", facts={}, **names)
        backups.mark_verified(connection, "x", {})
        backups.mark_named(connection, "x", office.names[0])
    back_up_records(office.office.installation, "another")
    done = rebuilt(office)
    assert 0 == done.added
    assert f"backup {office.names[0]}: the records have another backup of this name" in done.unproven


def test_a_verdict_that_was_exchanged_is_named(office: KeyOffice) -> None:
    """Of the same size, so that only reading it tells."""
    office.back_up()
    back_up_records(office.office.installation, "another")
    (path,) = office.office.root.glob("store/bkd/simpel/*/quality.json")
    path.chmod(0o640)
    path.write_bytes(b"[]")
    done = rebuilt(office)
    assert 0 == done.added
    (told,) = done.unproven
    assert told.startswith(f"backup {office.names[0]}: its verdict cannot be read (")
