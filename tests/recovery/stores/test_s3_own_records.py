"""What a bucket of a real Ceph did not lock at first: a backup's set and the installation's own records. It is known,
told, and locked later."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from recovery.calendar import format_date_or_moment
from recovery.doctor.finding import Finding
from recovery.doctor.records import examine_records
from recovery.errors import StoreError
from recovery.guard.copies import UNLOCKED, look_at_copies
from recovery.guard.report import Alarm, Report
from recovery.installation import RELEASE
from recovery.own_records import back_up_records
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import Conclusion, close
from recovery.records import forms, ledger, procedures
from recovery.sets import set_prefix
from recovery.stores import open_store
from recovery.sync import Synced, sync
from tests.testbed.s3 import BACKUP, OWNER, S3Server
from tests.testbed.s3_ceph import documented_policy
from tests.testbed.s3_proxy import Answer, Request, S3Proxy, s3_proxy
from tests.testbed.small_office import SmallOffice, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store, backup_of, objects

pytestmark = pytest.mark.slow

DENIED = Answer(403, [], b"<Error><Code>AccessDenied</Code></Error>")


def no_lock(request: Request) -> Answer | None:
    """A rule: nothing is locked."""
    return DENIED if request.method == "PUT" and "retention" in request.path else None


@pytest.fixture
def proxy(ceph: S3Server) -> Iterator[S3Proxy]:
    with s3_proxy(ceph.port) as running:
        yield running


@pytest.fixture
def office(ceph: S3Server, proxy: S3Proxy, tmp_path: Path) -> Iterator[SmallOffice]:
    """Its main store is a locking bucket as docs/stores.md wants it, the other one a directory."""
    built = open_office(tmp_path / "office", running=False)
    bucket = ceph.make_bucket(lock=True)
    ceph.client().put_bucket_policy(Bucket=bucket, Policy=documented_policy(bucket))
    given = {"name": MAIN, "lock": "compliance", "endpoint": proxy.endpoint, "attempts": 1}
    built.installation.stores[MAIN] = ceph.settings(tmp_path, bucket, BACKUP, **given)
    add_offsite_store(built)
    yield built
    built.installation.catalog.dispose()


def end_a_procedure(office: SmallOffice, procedure_id: str) -> str:
    """The prefix of the set of records that it put."""
    before = set(objects(office.root / "store-terpisah"))
    procedures.open_procedure(office.installation.catalog, procedure_id, "backup", parameters={}, release=RELEASE)
    assert close(office.installation, procedure_id, "berhasil", Conclusion(True, "selesai")).good
    (signature,) = [
        key for key in objects(office.root / "store-terpisah").keys() - before if key.endswith("/manifest.json.sig")
    ]
    return signature.removesuffix("/manifest.json.sig")


def alarms(office: SmallOffice, now: datetime | None = None) -> list[Alarm]:
    report = Report()
    look_at_copies(office.installation, now or datetime.now(UTC), report)
    return report.alarms


def finding(office: SmallOffice) -> Finding:
    (found,) = [each for each in examine_records(office.installation) if each.subject == f"records in {MAIN}"]
    return found


def locks(office: SmallOffice, synced: Synced) -> tuple[list[str], list[str]]:
    """Which locks of records are missing, and which of them were set."""
    assert {MAIN} >= {each.store for each in synced.missing if each.kind == "lock"}
    return (
        [each.subject for each in synced.missing if each.kind == "lock"],
        [each.subject for each in synced.put if each.kind == "lock"],
    )


def unlocked(ceph: S3Server, office: SmallOffice, prefix: str) -> set[str]:
    """The files of a set that its bucket does not lock."""
    bucket, client = office.installation.stores[MAIN].bucket, ceph.client(BACKUP)
    found = set()
    for version in client.list_object_versions(Bucket=bucket, Prefix=f"cadangan/{prefix}/")["Versions"]:
        try:
            client.get_object_retention(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        except ClientError as error:
            assert "ObjectLockConfigurationNotFoundError" == error.response["Error"]["Code"]
            found.add(version["Key"].rpartition("/")[2])
    return found


FILES = {"data.tar.zst.age", "quality.json", "manifest.json", "manifest.json.sig"}
COMPONENT = "simpel/berkas"


def begin_and_name(office: SmallOffice, procedure_id: str) -> str:
    """Do steps 1 to 3 of a backup's second component; return the prefix that its set is to have."""
    begin_backup(office.installation, procedure_id, schedule_name="bulanan", routine=True)
    for number in (1, 2, 3):
        office.step(f"backup.{number}", procedure_id, COMPONENT)
    made = backup_of(office, procedure_id, COMPONENT)
    return set_prefix(made.unit, made.application, str(made.name))


def form_of(office: SmallOffice, procedure_id: str) -> dict[str, str]:
    """What the form of that backup says of this component."""
    office.step("backup.5", procedure_id)
    with office.installation.catalog.read() as connection:
        (form,) = forms.list_forms(connection, procedure_id)
    tables = [block for section in form.facts["sections"] for block in section["blocks"]]
    rows = [row for table in tables if table["title"].endswith("berkas") or not table["title"] for row in table["rows"]]
    return {row["label"]: row["value"] for row in rows}


def test_a_backup_whose_main_store_took_no_lock_is_not_secured_until_a_synchronisation_locks_it(
    ceph: S3Server, proxy: S3Proxy, office: SmallOffice
) -> None:
    """The other store's copy is kept meanwhile, and the form says both."""
    prefix = begin_and_name(office, "one")
    proxy.rule = no_lock
    with pytest.raises(StoreError, match=rf"in {MAIN} is missing: .*the lock of .*\(AccessDenied\)") as raised:
        office.step("backup.4", "one", COMPONENT)
    assert raised.value.state.startswith(f"the copy in {OFFSITE} is whole and kept; the backup counts when all ")
    made = backup_of(office, "one", COMPONENT)
    assert ("named", (OFFSITE,)) == (made.state, made.stores)
    assert FILES == unlocked(ceph, office, prefix)
    told = form_of(office, "one")
    assert told["Status"].startswith("BELUM AMAN – langkah 4 gagal") and "AccessDenied" in told["Status"]
    assert ("", "–") == (told["Lokasi utama"], told["Terkunci sampai"])
    refused = sync(office.installation)
    assert (MAIN, made.name) in [(each.store, each.subject) for each in refused.troubles]
    assert "named" == backup_of(office, "one", COMPONENT).state
    proxy.rule = lambda request: None
    assert () == sync(office.installation).troubles
    mended = backup_of(office, "one", COMPONENT)
    assert ("secured", {MAIN, OFFSITE}) == (mended.state, set(mended.stores))
    assert set() == unlocked(ceph, office, prefix)
    with office.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, kind="set.copied")
    assert (MAIN, "compliance") == (entry.facts["store"], entry.facts["protection"])


def test_a_backup_that_is_locked_says_so_in_its_evidence_and_on_its_form(
    ceph: S3Server, office: SmallOffice, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it is, and where it is not: a store that accepts that it cannot lock warns in the run and on the form."""
    accepting = {"name": OFFSITE, "lock": "compliance", "without_lock": "warn"}
    office.installation.stores[OFFSITE] = ceph.settings(tmp_path, ceph.make_bucket(), OWNER, **accepting)
    prefix = begin_and_name(office, "one")
    evidence = office.step("backup.4", "one", COMPONENT)
    places = [(place["store"], place["protection"]) for place in evidence["locations"]]
    assert ([(MAIN, "compliance"), (OFFSITE, "none")], set()) == (places, unlocked(ceph, office, prefix))
    (warned,) = [record.message for record in caplog.records if "WARNING" == record.levelname]
    assert warned.startswith(f"{prefix.rpartition('/')[2]} is not locked in terpisah, where compliance is demanded: ")
    told = form_of(office, "one")
    until = format_date_or_moment(evidence["retention_until"])
    assert ("BERHASIL", evidence["locations"][0]["location"]) == (told["Status"], told["Lokasi utama"])
    assert f"{until} (hanya lokasi utama)" == told["Terkunci sampai"]
    sentence = "simpel/berkas: tidak terkunci di terpisah, yang tidak dapat mengunci (without_lock: warn)"
    assert [sentence] == [line for line in told["Kendala"].splitlines() if "terkunci" in line]


def test_records_that_were_not_locked_are_told_until_a_synchronisation_locks_them(
    ceph: S3Server, proxy: S3Proxy, office: SmallOffice
) -> None:
    """Also when it could not the first time. Those that are locked are left alone."""
    locked = end_a_procedure(office, "one")
    assert (set(), [], "ok") == (unlocked(ceph, office, locked), alarms(office), finding(office).state)
    proxy.rule = no_lock
    prefix = end_a_procedure(office, "two")
    assert FILES == unlocked(ceph, office, prefix)
    (alarm,) = alarms(office)
    assert ("store", f"{prefix} in the store {MAIN}", UNLOCKED) == (alarm.kind, alarm.subject, alarm.mend)
    told = "the set of the installation's own records lies there without a lock: the store utama ("
    assert alarm.message.startswith(told) and alarm.message.endswith("(AccessDenied)")
    assert [] == alarms(office, datetime.now(UTC) + timedelta(days=91)), "a lock is not wanted beyond its retention"
    found = finding(office)
    assert found.state == "problem"
    assert found.message.startswith(f"{prefix}/manifest.json.sig in the store {MAIN} is not locked until ")
    assert found.message.endswith(": it says that nothing is locked")
    assert ([prefix], []) == locks(office, sync(office.installation, dry_run=True))
    refused = sync(office.installation)
    assert ([prefix], []) == locks(office, refused)
    assert [(MAIN, prefix)] == [(each.store, each.subject) for each in refused.troubles]
    assert [alarm] == alarms(office)
    proxy.rule = lambda request: None
    mended = sync(office.installation)
    assert ([prefix], [prefix], ()) == (*locks(office, mended), mended.troubles)
    assert (set(), [], "ok") == (unlocked(ceph, office, prefix), alarms(office), finding(office).state)
    with office.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, kind="records.copied")
    assert {"key": prefix, "store": MAIN, "protection": "compliance"} == entry.facts
    assert ((), ()) == (sync(office.installation).missing, sync(office.installation).troubles)


def test_records_that_were_put_and_not_locked_before_a_process_died_are_found_in_the_store(
    ceph: S3Server, proxy: S3Proxy, office: SmallOffice, tmp_path: Path
) -> None:
    """Nothing is on record of them. So are those of a time in which the inventory wanted no lock; a damaged set, and
    one that cannot be read, are told and keep nothing else from being locked."""
    installation = office.installation
    locking = installation.stores[MAIN]
    installation.stores[MAIN] = locking.model_copy(update={"lock": "none"})
    prefix = end_a_procedure(office, "one")
    assert ([], "ok") == (alarms(office), finding(office).state)
    assert ([], []) == locks(office, sync(installation))
    installation.stores[MAIN] = locking
    assert (FILES, "problem") == (unlocked(ceph, office, prefix), finding(office).state)
    junk, hidden = "pulih/pulih/rekaman_palsu", end_a_procedure(office, "two")
    ceph.client(BACKUP).put_object(Bucket=locking.bucket, Key=f"cadangan/{junk}/manifest.json.sig", Body=b"x")
    proxy.rule = lambda request: DENIED if f"{hidden}/manifest.json" in request.path else None
    found = sync(installation)
    assert ([prefix], [prefix]) == locks(office, found)
    told = [(each.store, each.subject) for each in found.troubles]
    assert sorted([(MAIN, junk), (MAIN, hidden), (OFFSITE, junk)]) == sorted(told)
    assert set() == unlocked(ceph, office, prefix)


def test_a_single_store_that_does_not_lock_fails_the_run_and_is_told_all_the_same(
    ceph: S3Server, proxy: S3Proxy, office: SmallOffice
) -> None:
    """And when the inventory wants no lock any more, none is missing."""
    installation = office.installation
    del installation.stores[OFFSITE]
    proxy.rule = no_lock
    with pytest.raises(StoreError, match="it is stored and not locked as it should be"):
        back_up_records(installation, "one")
    assert 1 == len(alarms(office))
    locking = installation.stores[MAIN]
    installation.stores[MAIN] = locking.model_copy(update={"lock": "none"})
    assert [] == alarms(office)
    installation.stores[MAIN] = locking
    proxy.rule = lambda request: None
    missing, put = locks(office, sync(installation))
    assert (1, missing, []) == (len(missing), put, alarms(office))


def test_a_lock_is_missing_only_where_one_is_wanted_and_possible(ceph: S3Server, tmp_path: Path) -> None:
    """Until when counts; which kind of lock does not. A bucket that cannot lock lacks none where that is accepted."""
    day, week = [(datetime.now(UTC) + timedelta(days=days)).isoformat() for days in (1, 7)]
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    able = ceph.settings(tmp_path, ceph.make_bucket(lock=True), lock="governance", without_lock="warn")
    store, harder = open_store(able), open_store(able.model_copy(update={"lock": "compliance"}))
    store.put_bytes("a", b"words")
    wanted = "a in the store gudang is not locked until "
    assert store.lacks_lock("a", day).startswith(wanted) and "nothing is locked" in store.lacks_lock("a", day)
    assert "" == store.lacks_lock("a", past)
    assert "" == open_store(able.model_copy(update={"lock": "none"})).lacks_lock("a", day)
    store.protect("a", day)
    assert ("", "") == (store.lacks_lock("a", day), harder.lacks_lock("a", day))
    assert store.lacks_lock("a", week).startswith(wanted) and "it says governance until" in store.lacks_lock("a", week)
    unable = ceph.settings(tmp_path, ceph.make_bucket(), lock="governance", without_lock="warn")
    open_store(unable).put_bytes("a", b"words")
    assert "" == open_store(unable).lacks_lock("a", day)
    strict = open_store(unable.model_copy(update={"without_lock": "refuse"}))
    assert strict.lacks_lock("a", day).startswith(wanted)
