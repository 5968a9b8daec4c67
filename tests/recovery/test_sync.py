"""`pulih sync`: stores become equal, whatever one of them lacks, wherever the synchronisation was killed."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import LeaseHeldError, NotFoundError, StoreError
from recovery.guard.rounds import make_round
from recovery.installation import RELEASE
from recovery.keys_rotation import rotate_signing
from recovery.own_records import back_up_records
from recovery.procedures.backup.begin import begin_backup
from recovery.records import backups, destructions, forms, leases, ledger, ledger_heads, procedures
from recovery.retention_own_records import stored_records
from recovery.settings import StoreSettings
from recovery.sync import STAGING, Synced, sync
from tests.recovery.killed_work import Work, assert_survives, expire_leases, recall, remember
from tests.testbed.small_office import SmallOffice, attach, describe, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store, down, flip, objects

pytestmark = pytest.mark.slow

COMPONENTS = ("simpel/data", "simpel/berkas")


def build(root: Path) -> SmallOffice:
    """An office whose two components are secured in the main store alone, the form being issued."""
    office = open_office(root, running=False)
    offsite = add_offsite_store(office)
    begin_backup(office.installation, "one", schedule_name="bulanan", routine=True)
    for component in COMPONENTS:
        for number in (1, 2, 3):
            office.step(f"backup.{number}", "one", component)
        with down(offsite), pytest.raises(StoreError):
            office.step("backup.4", "one", component)
    with down(offsite):
        office.step("backup.5", "one")
    ledger_heads.anchor(office.installation.catalog, office.installation.store(MAIN), office.installation.signer)
    office.installation.catalog.dispose()
    return office


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That office, remembered."""
    root = tmp_path_factory.mktemp("sync") / "office"
    build(root)
    remember(root)
    return root


@pytest.fixture
def office(half: Path) -> Iterator[SmallOffice]:
    """That office, as this process's own."""
    recall(half)
    found = attach(half)
    yield found
    found.installation.catalog.dispose()


def test_the_own_records_are_copied_too(office: SmallOffice) -> None:
    """What a rebuild needs lies in both stores."""
    with down(office.root / "store-terpisah"):
        name = back_up_records(office.installation, "one")
    found = sync(office.installation)
    assert ("records", f"pulih/pulih/{name}", OFFSITE) in [(each.kind, each.subject, each.store) for each in found.put]
    assert () == found.troubles
    assert [] == is_complete(office.root)


def test_own_records_that_were_given_up_come_to_no_store_again(office: SmallOffice) -> None:
    """One store had lost them before: what lies in the other still is going."""
    installation = office.installation
    procedures.open_procedure(installation.catalog, "removal", "retention", parameters={}, release=RELEASE)
    name = back_up_records(installation, "one")
    (record,) = [each for each in stored_records(installation) if each.name == name]
    shutil.rmtree(office.root / "store-terpisah" / "pulih" / "pulih" / name)
    with installation.catalog.begin() as connection:
        destructions.begin(connection, "removal", record, {})
    found = sync(installation)
    assert not [each for each in found.put if each.kind == "records" and each.subject.endswith(name)]


def test_what_vouches_for_an_old_signing_key_is_in_both_stores(office: SmallOffice) -> None:
    """Else a rebuild from the other store could not verify what the old key signed; what it signed is copied, too."""
    shutil.copytree(office.root / "keys", office.root / "keys-before")
    try:
        rotate_signing(office.installation)
        shutil.rmtree(office.root / "store-terpisah" / "kunci")
        fresh = attach(office.root)
        found = sync(fresh.installation)
        fresh.installation.catalog.dispose()
        assert () == found.troubles
        assert {"head", "key", "set"} <= {missing.kind for missing in found.put if missing.store == OFFSITE}
        assert [] == is_complete(office.root)
    finally:
        shutil.rmtree(office.root / "keys")
        (office.root / "keys-before").rename(office.root / "keys")


def stores(office: SmallOffice) -> tuple[dict[str, bytes], dict[str, bytes]]:
    return objects(office.root / "store"), objects(office.root / "store-terpisah")


def kinds(found: tuple[Any, ...]) -> list[str]:
    return sorted({missing.kind for missing in found})


def is_complete(root: Path) -> list[str]:
    """What is wrong with an office whose stores were made equal; [] when all is well."""
    office = attach(root)
    installation = office.installation
    main, offsite = stores(office)
    wrong = [] if main == offsite else [f"the stores differ: {sorted(main.keys() ^ offsite.keys())}"]
    with installation.catalog.read() as connection:
        for backup in backups.list_backups(connection):
            if (backup.state, set(backup.stores)) != ("secured", {MAIN, OFFSITE}):
                wrong.append(f"{backup.name} is {backup.state} in {backup.stores}")
        for name in (MAIN, OFFSITE):
            heads = ledger_heads.read_heads(installation.store(name), installation.signer.trusted_pem)
            wrong += ledger.verify(connection, heads)
        secured = [entry.component for entry in ledger.entries(connection, kind="set.secured")]
        wrong += [] if sorted(COMPONENTS) == sorted(secured) else [f"secured entries: {secured}"]
        # One that a dead process left and nobody wanted since has run out, and keeps nobody out.
        held = [lease for lease in leases.list_leases(connection) if not lease["expired"]]
        wrong += [f"the lease of {lease['resource']}" for lease in held]
    wrong += [f"left behind: {path}" for path in (root / "state" / "staging").glob(f"{STAGING}*")]
    installation.catalog.dispose()
    return wrong


def build_much(root: Path) -> None:
    """That office, with the installation's own records and what vouches for an old signing key in the main store."""
    rotate_signing(build(root).installation)
    shutil.rmtree(root / "store-terpisah" / "kunci")
    with down(root / "store-terpisah"):
        back_up_records(attach(root).installation, "one")


def play(root: Path) -> None:
    """A synchronisation in which nothing is in the way."""
    found = sync(attach(root).installation)
    assert () == found.troubles
    assert {"form", "guide", "head", "key", "records", "set"} >= set(kinds(found.put))


def play_again(root: Path) -> None:
    """Another synchronisation, after the dead one's leases have run out."""
    expire_leases(root)
    play(root)
    assert [] == (found := is_complete(root)), found


def play_after_guard(root: Path) -> None:
    """The guard makes its round first; a dead synchronisation is nothing that it could take for something else."""
    make_round(attach(root).installation, now=datetime.now(UTC) + timedelta(days=2))
    play_again(root)


WORK = Work("synchronisation", build_much, play, play_again, play_after_guard)


def test_a_synchronisation_may_die_at_any_point(tmp_path: Path) -> None:
    """SIGKILL; the next one, in another process, ends with equal stores and nothing left behind: a sample."""
    assert_survives(WORK, tmp_path)


def test_what_is_missing_is_put_and_a_second_time_nothing_is(office: SmallOffice) -> None:
    """Sets, forms, ledger heads and the guide; the dry run says the same and puts nothing."""
    before = stores(office)
    planned = sync(office.installation, dry_run=True)
    assert before == stores(office)
    assert ["form", "guide", "head", "set"] == kinds(planned.missing)
    found = sync(office.installation)
    assert (planned.missing, planned.missing, ()) == (found.missing, found.put, found.troubles)
    assert [] == is_complete(office.root)
    assert Synced(False, (), (), ()) == sync(office.installation)


def test_only_the_named_store_is_completed(office: SmallOffice) -> None:
    """The guide is missing in both; an unknown store is refused with the names of the known ones."""
    found = sync(office.installation, store_name=OFFSITE)
    assert {OFFSITE} == {missing.store for missing in found.put}
    assert [MAIN] == [
        missing.store for missing in sync(office.installation, dry_run=True).missing if missing.kind == "guide"
    ]
    with pytest.raises(NotFoundError, match="there is no store named 'awan'"):
        sync(office.installation, store_name="awan")


def test_a_new_third_store_takes_the_place_of_the_second(office: SmallOffice) -> None:
    """The schedule names another off-site store: old sets go there, and count as soon as both copies match."""
    directory = office.root / "store" / ".." / "baru"
    directory.mkdir(exist_ok=True)
    installation = office.installation
    installation.stores["baru"] = StoreSettings(name="baru", path=str(directory))
    installation.schedules["bulanan"] = installation.schedules["bulanan"].model_copy(update={"offsite_store": "baru"})
    found = sync(installation)
    assert {"baru"} == {missing.store for missing in found.put if missing.kind == "set"}
    with installation.catalog.read() as connection:
        assert [("secured", (MAIN, "baru"))] * 2 == [
            (each.state, each.stores) for each in backups.list_backups(connection)
        ]
    shutil.rmtree(directory)


def test_with_two_new_stores_a_backup_counts_only_when_both_have_it(office: SmallOffice) -> None:
    """One of them is down at first. What a killed synchronisation left behind goes with the next one."""
    installation = office.installation
    (office.root / "baru").mkdir()
    installation.stores["baru"] = StoreSettings(name="baru", path=str(office.root / "baru"))
    installation.schedules["bulanan"] = installation.schedules["bulanan"].model_copy(update={"store": "baru"})
    left = office.root / "state" / "staging" / f"{STAGING}dead"
    left.mkdir(parents=True)
    (left / "data.sqlite.zst.age").write_bytes(b"x")

    def found() -> set[tuple[str, tuple[str, ...]]]:
        with installation.catalog.read() as connection:
            return {(each.state, each.stores) for each in backups.list_backups(connection)}

    with down(office.root / "store-terpisah"):
        sync(installation)
    assert {("named", (MAIN, "baru"))} == found()
    assert not left.exists()
    sync(installation)
    assert {("secured", (MAIN, "baru", OFFSITE))} == found()
    shutil.rmtree(office.root / "baru")


def test_an_office_that_gave_its_second_store_up_waits_for_it_no_longer(office: SmallOffice) -> None:
    """The schedule names one store: its copy is looked at once more, and the backup counts."""
    installation = office.installation
    installation.schedules["bulanan"] = installation.schedules["bulanan"].model_copy(update={"offsite_store": ""})
    found = sync(installation)
    assert {MAIN} == {missing.store for missing in found.put if missing.kind == "set"}
    with installation.catalog.read() as connection:
        assert {("secured", (MAIN,))} == {(each.state, each.stores) for each in backups.list_backups(connection)}


def test_a_bad_source_secures_nothing_and_the_rest_goes_on(office: SmallOffice) -> None:
    """A flipped bit in the only copy: it is told, the other set is completed."""
    (part,) = (office.root / "store").glob("*/*/*/data.tar.zst.age")
    flip(part, 300)
    found = sync(office.installation)
    (trouble,) = found.troubles
    assert "does not have the SHA-256 of the manifest" in trouble.message
    assert found.error is not None
    with office.installation.catalog.read() as connection:
        states = {each.component: each.state for each in backups.list_backups(connection)}
    assert {"data": "secured", "berkas": "named"} == states


def test_a_bad_copy_is_told_and_never_replaced(office: SmallOffice) -> None:
    """Truncated in the off-site store: the sentence says what to do."""
    sync(office.installation)
    (part,) = (office.root / "store-terpisah").glob("*/*/*/data.tar.zst.age")
    part.chmod(0o600)
    part.write_bytes(part.read_bytes()[:-7])
    damaged = part.read_bytes()
    found = sync(office.installation)
    assert ((), ()) == (found.missing, found.put)
    (trouble,) = found.troubles
    assert "bytes and not the" in trouble.message
    assert trouble.hint.startswith("nothing is ever overwritten: move the damaged copy away by hand")
    assert damaged == part.read_bytes()
    shutil.rmtree(part.parent)
    assert ["set"] == kinds(sync(office.installation).put)
    assert stores(office)[0].keys() == stores(office)[1].keys()


def test_a_signature_too_large_to_be_one_is_a_bad_copy_and_none_that_is_missing(office: SmallOffice) -> None:
    """Nothing could be put in its place, so it is said what to do."""
    sync(office.installation)
    (signature,) = (office.root / "store-terpisah").glob("*/simpel/*data*/manifest.json.sig")
    os.truncate(signature, 2048)
    found = sync(office.installation)
    assert ((), ()) == (found.missing, found.put)
    (trouble,) = found.troubles
    assert "has more than the 1024 bytes that it may have" in trouble.message
    assert trouble.hint.startswith("nothing is ever overwritten: move the damaged copy away by hand")


def test_what_lies_under_a_name_already_is_left_as_it_is(office: SmallOffice) -> None:
    """Somebody put another file under the form's key in the off-site store: it is not a missing form."""
    sync(office.installation)
    (form,) = (office.root / "store-terpisah").glob("formulir/*/*/*.pdf")
    (path,) = (office.root / "store-terpisah").glob("*/*/*/data.tar.zst.age")
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.write_bytes(b"another")
    found = sync(office.installation)
    assert b"another" == path.read_bytes()
    assert ["already holds something else"] == [
        word for trouble in found.troubles for word in ["already holds something else"] if word in trouble.message
    ]
    assert form.exists()


def test_a_form_whose_own_copy_was_changed_is_taken_from_the_other_store(office: SmallOffice) -> None:
    """The ledger's hash decides which file is the form."""
    with office.installation.catalog.read() as connection:
        (form,) = forms.list_all(connection)
    Path(form.path).write_bytes(b"changed")
    assert () == sync(office.installation).troubles
    (copied,) = (office.root / "store-terpisah").glob("formulir/*/*/*.pdf")
    assert copied.read_bytes().startswith(b"%PDF")
    copied.unlink()
    (main,) = (office.root / "store").glob("formulir/*/*/*.pdf")
    main.chmod(0o600)
    main.write_bytes(b"changed, too")
    (trouble,) = sync(office.installation).troubles
    assert "is not the form that was issued" in trouble.message
    # With one store alone, none is left to ask: it is said, and the rest is put.
    main.unlink()
    (office.root / "store" / "RESTORE.md").unlink()
    del office.installation.stores[OFFSITE]
    found = sync(office.installation)
    assert [("guide", MAIN)] == [(missing.kind, missing.store) for missing in found.put]
    (trouble,) = found.troubles
    assert f"no copy of {trouble.subject} is left" == trouble.message
    assert trouble.hint.startswith("bring it back from wherever else it is kept")


def test_a_store_that_is_down_is_said_and_nothing_else_waits_for_it(office: SmallOffice) -> None:
    """What the other lacks is still put."""
    with down(office.root / "store-terpisah"):
        found = sync(office.installation)
        assert [("guide", MAIN)] == [(missing.kind, missing.store) for missing in found.put]
        (trouble,) = found.troubles
        assert (OFFSITE, "store") == (trouble.store, trouble.subject)
        assert "of the store terpisah is not there" in trouble.message


def test_two_at_once_are_one(office: SmallOffice) -> None:
    """The second is told who works."""
    held = leases.acquire(office.installation.catalog, "sync", "sync-other", 600, "make the stores equal")
    with pytest.raises(LeaseHeldError, match="sync is held by sync-other"):
        sync(office.installation)
    leases.release(office.installation.catalog, held)
    describe(office)
