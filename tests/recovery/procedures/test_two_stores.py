"""Two stores: a backup counts when both copies match; with one store down nothing is lost, and it is said."""

import json
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError, DigestError, StoreError
from recovery.fetching import fetch
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import conclude_backup
from recovery.records import backups, forms, leases, ledger, steps
from recovery.sync import sync
from tests.recovery.killed_work import Work, assert_survives, expire_leases
from tests.testbed.small_office import KABID, REVIEW, SmallOffice, attach, open_office
from tests.testbed.two_stores import (
    MAIN,
    OFFSITE,
    add_offsite_store,
    backup_of,
    down,
    flip,
    objects,
    part_of,
    without_its_secrets,
)

WITHOUT_SERVICE = True
COMPONENTS = ("simpel/data", "simpel/berkas")


@pytest.fixture
def offsite(office: SmallOffice) -> Path:
    return add_offsite_store(office)


def named(office: SmallOffice, procedure_id: str) -> None:
    """Open a backup and do all of it before step 4."""
    begin_backup(office.installation, procedure_id, schedule_name="bulanan", routine=True)
    for component in COMPONENTS:
        for number in (1, 2, 3):
            office.step(f"backup.{number}", procedure_id, component)


def entries(office: SmallOffice, kind: str) -> list[ledger.Entry]:
    with office.installation.catalog.read() as connection:
        return ledger.entries(connection, kind=kind)


def build(root: Path) -> None:
    """Step 4 of one component is next, and the second store is down."""
    office = open_office(root, running=False)
    add_offsite_store(office)
    named(office, "one")
    (root / "store-terpisah").rename(root / "unmounted")


def play(root: Path) -> None:
    """The step keeps the one copy and fails."""
    with pytest.raises(StoreError, match="in terpisah is missing"):
        attach(root).step("backup.4", "one", COMPONENTS[1])


def finish(root: Path) -> None:
    """The store is mended, and the run goes on."""
    expire_leases(root)
    (root / "unmounted").rename(root / "store-terpisah")
    office = attach(root)
    office.step("backup.4", "one", COMPONENTS[1])
    made = backup_of(office, "one", COMPONENTS[1])
    assert ("secured", {MAIN, OFFSITE}) == (made.state, set(made.stores))
    places = [part_of(root / name, made).parent for name in ("store", "store-terpisah")]
    assert objects(places[0]) == objects(places[1])
    with office.installation.catalog.read() as connection:
        assert [] == ledger.verify(connection)
        assert [] == [lease for lease in leases.list_leases(connection) if not lease["expired"]]


WORK = Work("backup with a store down", build, play, finish)


@pytest.mark.slow
def test_a_step_that_finds_a_store_down_may_die_at_any_point(tmp_path: Path) -> None:
    """Then the mended store gets its copy: a sample."""
    assert_survives(WORK, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("which", [pytest.param(MAIN, marks=pytest.mark.endurance), OFFSITE])
def test_one_store_down_keeps_the_other_copy_and_sync_completes_the_backup(
    office: SmallOffice, offsite: Path, which: str
) -> None:
    """The step, the form, the catalog and the conclusion say it; from the synchronisation on the backup counts."""
    installation, main = office.installation, office.root / "store"
    gone, other = (main, OFFSITE) if which == MAIN else (offsite, MAIN)
    named(office, "one")
    with down(gone):
        for component in COMPONENTS:
            with pytest.raises(StoreError, match=f"in {which} is missing: the directory") as raised:
                office.step("backup.4", "one", component)
        assert f"the copy in {other} is whole and kept; the backup counts when all copies match" == raised.value.state
        assert "then `pulih sync` completes the backup" in raised.value.hint
        half = backup_of(office, "one")
        assert ("named", (other,)) == (half.state, half.stores)
        with installation.catalog.read() as connection:
            assert backups.newest_verified(connection, "simpel", "data") is None
            assert steps.newest_failure(connection, "simpel/data") is not None
        office.step("backup.5", "one")
        with installation.catalog.read() as connection:
            text = json.dumps(forms.list_forms(connection, "one")[0].facts, ensure_ascii=False)
        assert "BELUM AMAN" in text and "dilengkapi dengan sinkronisasi penyimpanan" in text
        found = sync(installation, dry_run=True)
        assert [which] == [trouble.store for trouble in found.troubles]
        assert [] == [missing for missing in found.missing if missing.store == other and missing.kind == "set"]
        with installation.catalog.read() as connection:
            number = forms.list_forms(connection, "one")[0].number
        again = {"schedule_name": "bulanan", "routine": False, "cites": number}
        opened = begin_backup(installation, "two", **again)
        assert list(COMPONENTS) == opened["components"]
    assert [which] == [each for entry in entries(office, "form.copies_missing") for each in entry.facts["stores"]]
    planned = sync(installation, dry_run=True)
    assert 2 == sum(missing.kind == "set" for missing in planned.missing)
    done = sync(installation)
    assert (planned.missing, planned.missing, ()) == (done.missing, done.put, done.troubles)
    whole = backup_of(office, "one")
    assert ("secured", {MAIN, OFFSITE}) == (whole.state, set(whole.stores))
    assert half.manifest_sha256 == whole.manifest_sha256
    assert [whole.name] == [
        each.facts["name"] for each in entries(office, "set.secured") if each.component == whole.key
    ]
    with installation.catalog.read() as connection:
        assert backups.newest_verified(connection, "simpel", "data") == whole
        assert steps.newest_failure(connection, "simpel/data") is None
    with pytest.raises(ConfigurationError, match="nothing failed under"):
        begin_backup(installation, "three", **again)
    assert opened == begin_backup(installation, "two", **again), "what it did is still to be reviewed and closed"
    office.decide("backup.6", "one", KABID, "sesuai", **REVIEW)
    office.step("backup.6", "one")
    assert conclude_backup(installation, "one").good
    with installation.catalog.read() as connection:
        text = json.dumps(forms.list_forms(connection, "one")[1].facts, ensure_ascii=False)
    assert "BERHASIL – salinan yang belum ada pada langkah 4 sudah dilengkapi" in text
    assert objects(main) == objects(offsite)
    assert () == sync(installation).missing


@pytest.mark.slow
def test_a_retry_completes_the_backup_when_the_stores_are_back(office: SmallOffice, offsite: Path) -> None:
    """Both down: there is no copy to keep, and both reasons are told. One down, then none: the staged bytes wait."""
    begin_backup(office.installation, "one", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3):
        office.step(f"backup.{number}", "one", "simpel/data")
    with down(offsite), down(office.root / "store"), pytest.raises(StoreError, match="is not there") as raised:
        office.step("backup.4", "one", "simpel/data")
    assert "utama: the directory" in raised.value.hint and "terpisah: the directory" in raised.value.hint
    assert () == backup_of(office, "one").stores
    # A bucket whose CA is missing on this machine keeps the other store from nothing, either.
    with without_its_secrets(office.installation, MAIN, "ca_file"), pytest.raises(StoreError, match="in utama is miss"):
        office.step("backup.4", "one", "simpel/data")
    assert (OFFSITE,) == backup_of(office, "one").stores
    with down(offsite), pytest.raises(StoreError, match="in terpisah is missing"):
        office.step("backup.4", "one", "simpel/data")
    evidence = office.step("backup.4", "one", "simpel/data")
    assert [(MAIN, "none"), (OFFSITE, "none")] == [
        (place["store"], place["protection"]) for place in evidence["locations"]
    ]
    assert "secured" == backup_of(office, "one").state


@pytest.mark.slow
def test_a_bad_copy_is_passed_over_by_restore_and_fetch_and_named(
    office: SmallOffice, offsite: Path, tmp_path: Path
) -> None:
    """A flipped bit in the main store: the other copy is restored, and the ledger says why. Both bad: nothing is."""
    rows = office.rows()
    for service in office.installation.services("simpel"):
        service.start()
    made = backup_of(office, office.back_up())
    flip(part_of(office.root / "store", made), 400)
    fetched = fetch(office.installation, str(made.name), tmp_path / "a", encrypted=False)
    assert OFFSITE == fetched.store
    with without_its_secrets(office.installation, MAIN, "access_key"):
        assert OFFSITE == fetch(office.installation, str(made.name), tmp_path / "c", encrypted=False).store
    office.damage()
    restore = office.restore()
    assert rows == office.rows()
    with office.installation.catalog.read() as connection:
        evidence = steps.evidence_of(connection, restore, "restore.3")
    assert evidence is not None
    assert OFFSITE == evidence["rehearsal"]["simpel/data"]["store"]
    assert MAIN == evidence["rehearsal"]["simpel/berkas"]["store"]
    passed = entries(office, "set.copy_passed_over")
    assert [*[(made.procedure_id, MAIN, OFFSITE)] * 2, (restore, MAIN, OFFSITE)] == [
        (entry.procedure_id, entry.facts["store"], entry.facts["used"]) for entry in passed
    ]
    flip(part_of(offsite, made), 400)
    with pytest.raises(DigestError) as raised:
        fetch(office.installation, str(made.name), tmp_path / "b", encrypted=False)
    assert "no copy serves: utama: " in raised.value.hint and "; terpisah: " in raised.value.hint
