"""What a rebuild does with rows that the copy of the catalog has only half, or otherwise than the store."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.errors import StoreError
from recovery.guard.proofs import proof_alarms
from recovery.inventory import load_inventory
from recovery.own_records import back_up_records
from recovery.procedures.backup.begin import begin_backup
from recovery.rebuild import Rebuilt, rebuild
from recovery.rebuild_catalog import fill
from recovery.rebuild_sets import take_inventory
from recovery.records import backups, destructions, procedures
from recovery.records.catalog import open_catalog
from recovery.retention_destruction import finish_begun
from recovery.stores.base import ObjectInfo
from recovery.stores.directory import DirectoryStore
from recovery.sync import sync
from tests.recovery.key_office import KeyOffice
from tests.testbed.old_backups import old_backup
from tests.testbed.small_office import open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store, down


@pytest.fixture
def office(tmp_path: Path) -> Iterator[KeyOffice]:
    built = open_office(tmp_path / "office", running=False)
    yield KeyOffice(built)
    built.installation.catalog.dispose()


def rebuilt(office: KeyOffice, store_name: str = "") -> Rebuilt:
    installation, root = office.office.installation, office.office.root
    store = installation.stores[store_name or MAIN]
    return rebuild(
        store, root.parent / "new", installation.signer.fingerprint, root / "keys" / "escrow", store_name=store_name
    )


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


@pytest.mark.parametrize("recorded", [0, 2, 3])
def test_a_backup_that_was_secured_after_the_copy_was_made_counts_from_the_store_that_is_left(
    office: KeyOffice, recorded: int
) -> None:
    """However far it had come by the records: nothing is signed that was not verified and named, and they do not say
    that a copy is missing. Nobody may have to wait for a main store that burned down."""
    installation = office.office.installation
    add_offsite_store(office.office)
    begin_backup(installation, "run", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3, 4):
        if number == recorded + 1:
            back_up_records(installation, "another")
        office.office.step(f"backup.{number}", "run", "simpel/berkas")
    with down(office.office.root / "store"):
        done = rebuilt(office, store_name=OFFSITE)
    assert done.inventory is not None
    fresh = load_inventory(done.inventory).installation()
    with fresh.catalog.read() as connection:
        found = backups.newest_verified(connection, "simpel", "berkas")
    assert found is not None
    assert (1, "secured", (OFFSITE,)) == (done.added, found.state, found.stores)
    told = f"backup {found.name}: the records do not say whether utama has a copy, too; `pulih sync` completes it"
    assert told in done.unproven
    assert () == sync(fresh).troubles
    with fresh.catalog.read() as connection:
        assert {MAIN, OFFSITE} == set(backups.get(connection, found.id).stores)


@pytest.mark.parametrize("gone", [OFFSITE, MAIN])
def test_a_backup_of_which_a_copy_is_missing_does_not_count_before_it_is_there(office: KeyOffice, gone: str) -> None:
    """What was recorded stays recorded; what the store at hand has is added to it."""
    installation = office.office.installation
    add_offsite_store(office.office)
    begin_backup(installation, "run", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3):
        office.office.step(f"backup.{number}", "run", "simpel/berkas")
    with (
        down(office.office.root / ("store" if gone == MAIN else "store-terpisah")),
        pytest.raises(StoreError, match=f"in {gone} is missing"),
    ):
        office.office.step("backup.4", "run", "simpel/berkas")
    back_up_records(installation, "another")
    if gone == MAIN:
        # The main store has a copy by now that the records do not know of, so both are there.
        shutil.copytree(office.office.root / "store-terpisah/bkd", office.office.root / "store/bkd")
    done = rebuilt(office, store_name=MAIN)
    assert done.inventory is not None
    fresh = load_inventory(done.inventory).installation()
    with fresh.catalog.read() as connection:
        (backup,) = backups.list_backups(connection)
    if gone == MAIN:
        assert ("secured", (OFFSITE, MAIN)) == (backup.state, backup.stores)
        return
    assert ("named", (MAIN,)) == (backup.state, backup.stores)
    told = (
        f"backup {backup.name}: it is not secured: by the records it has no copy in terpisah; `pulih sync` completes it"
    )
    assert told in done.unproven
    assert ["incomplete"] == [each.kind for each in proof_alarms(fresh, datetime.now(UTC)) if each.kind == "incomplete"]
    assert () == sync(fresh).troubles
    with fresh.catalog.read() as connection:
        (backup,) = backups.list_backups(connection)
    assert ("secured", {MAIN, OFFSITE}) == (backup.state, set(backup.stores))


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


def test_a_set_whose_removal_had_begun_when_the_copy_was_made_is_not_offered_again(office: KeyOffice) -> None:
    """It was approved: what is left of it goes with the next retention."""
    made = old_backup(office.office, datetime.now(UTC))
    catalog = office.office.installation.catalog
    plan = {"destroy": [{"backup_id": made.id, "component": made.key}]}
    procedures.open_procedure(catalog, "approved", "retention", parameters={"plan": plan}, release="1")
    keys = [info.key for info in office.fresh().store("utama").list("bkd/")]
    with catalog.begin() as connection:
        destructions.begin(connection, "approved", made, {"utama": keys})
    back_up_records(office.office.installation, "another")
    done = rebuilt(office)
    assert done.inventory is not None
    installation = load_inventory(done.inventory).installation()
    with installation.catalog.read() as connection:
        assert ["destroyed"] == [backup.state for backup in backups.list_backups(connection)]
        assert [] == destructions.verify(connection)
    told = (
        f"backup {made.name}: the records say that its destruction was approved and begun, and its set is in utama; it "
        "is not offered, and the next retention ends what was begun"
    )
    assert (0, [told]) == (done.added, done.unproven[:1])
    assert [] == finish_begun(installation)
    assert [] == list(installation.store("utama").list("bkd/"))


class Emptied(DirectoryStore):
    """A store from which everything named goes between listing and reading, as by a removal that was begun before."""

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        for info in [*super().list(prefix)]:
            yield info
            if info.key.endswith("_full_00000000t000000+0700/manifest.json.sig"):
                self.remove(info.key)


def test_a_set_that_goes_between_listing_and_reading_is_named(office: KeyOffice) -> None:
    """And all others are found."""
    office.back_up()
    office.back_up()
    installation = office.fresh()
    found = take_inventory(Emptied(installation.stores["utama"]), installation.signer.trusted_pem)
    assert [f"bkd/simpel/{office.names[1]}"] == list(found.sets)
    (told,) = found.unproven
    assert (
        told
        == f"bkd/simpel/{office.names[0]}: bkd/simpel/{office.names[0]}/manifest.json.sig is not in the store utama"
    )


def test_a_set_that_goes_between_the_inventory_and_the_catalog_is_named(office: KeyOffice, tmp_path: Path) -> None:
    """And all others are recorded."""
    office.back_up()
    office.back_up()
    installation = office.fresh()
    store, signer = installation.store("utama"), installation.signer
    found = take_inventory(store, signer.trusted_pem)
    store.remove(f"bkd/simpel/{office.names[0]}/quality.json")
    catalog = open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    catalog.upgrade()
    added, unproven = fill(catalog, found, "utama", signer, signer.trusted_pem, None)
    catalog.dispose()
    assert 1 == added
    (told,) = unproven
    missing = f"bkd/simpel/{office.names[0]}/quality.json is not in the store utama"
    assert told.startswith(f"backup {office.names[0]}: its verdict cannot be read ({missing}")
