"""An office whose stores are buckets: backup, synchronisation, drill and rebuild as with directories, on real servers.

The main store is a bucket of Ceph with Object Lock, written with credentials that may not remove, or (in `make test`)
one of JuiceFS; the off-site one is always of JuiceFS, behind a proxy that can take it down.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError

from recovery.doctor.buckets import examine_bucket
from recovery.errors import StoreError
from recovery.fetching import fetch
from recovery.installation import Installation
from recovery.inventory import load_inventory
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import conclude_backup
from recovery.procedures.drill import begin_drill, prove
from recovery.procedures.drill_conclude import conclude_drill, report
from recovery.rebuild import Rebuilt, rebuild
from recovery.records import drills, ledger, procedures, steps
from recovery.settings import StoreSettings
from recovery.sync import sync
from tests.testbed.rebuilding import office_in
from tests.testbed.s3 import BACKUP, REMOVAL, S3Server, secret
from tests.testbed.s3_ceph import documented_policy, run_ceph
from tests.testbed.s3_juicefs import run_juicefs
from tests.testbed.s3_proxy import CUT, Answer, Request, S3Proxy, s3_proxy
from tests.testbed.small_office import KABID, REVIEW, SmallOffice, describe, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, backup_of

pytestmark = pytest.mark.slow

DATA, FILES = "simpel/data", "simpel/berkas"
COMPONENTS = (DATA, FILES)
DENIED = Answer(403, [], b"<Error><Code>AccessDenied</Code></Error>")
# What a thief puts beside what is there, each larger than what belongs under such a name.
FALSE_HEAD = "buku-besar/000000999999.json"
JUNK = {
    "RESTORE-palsu.md": 17 << 20,
    "kunci/palsu.json": 17 << 20,
    FALSE_HEAD: 17 << 20,
    "bkd/simpel/palsu/manifest.json": 1,
    "bkd/simpel/palsu/manifest.json.sig": 2000,
    "catatan.txt": 1,
}


@dataclass(frozen=True)
class Vault:
    """The office, the server of its main bucket, the server of the off-site one, and the way there."""

    office: SmallOffice
    main_server: S3Server
    offsite_server: S3Server
    offsite: S3Proxy

    @property
    def installation(self) -> Installation:
        return self.office.installation

    def objects(self, name: str) -> dict[str, bytes]:
        """All that lies in a store, as whoever restores reads it."""
        store = self.installation.store(name)
        return {info.key: store.read(info.key) for info in store.list()}

    def rebuilt(self, directory: Path) -> Rebuilt:
        """An installation from the main bucket, with what an administrator has in hand: the bucket's address and
        credentials, an identity and the fingerprint on the sheet."""
        known = self.installation.stores[MAIN]
        names = ("kind", "endpoint", "bucket", "prefix", "access_key", "secret_key")
        settings = StoreSettings.model_validate({"name": "any", **{name: getattr(known, name) for name in names}})
        safe = self.office.root / "keys" / "escrow"
        return rebuild(settings, directory, self.installation.signer.fingerprint, safe, store_name=MAIN)


def drill(installation: Installation, **given: str) -> dict[str, tuple[str, str]]:
    opened = begin_drill(installation, str(uuid.uuid4()), **given)
    for key in opened["components"]:
        prove(installation, opened["id"], key)
    report(installation, opened["id"])
    conclude_drill(installation, opened["id"])
    with installation.catalog.read() as connection:
        found = drills.of_procedure(connection, opened["id"])
    return {key: (each.verdict, each.store) for key, each in found.items()}


def down(_request: Request) -> Answer:
    """A rule: nobody answers."""
    return CUT


@pytest.fixture(scope="module")
def juicefs() -> Iterator[S3Server]:
    with run_juicefs() as server:
        yield server


@pytest.fixture(scope="module")
def ceph() -> Iterator[S3Server]:
    with run_ceph() as server:
        yield server


@pytest.fixture
def everyday(juicefs: S3Server, tmp_path: Path) -> Iterator[Vault]:
    """The office before its first backup; its main bucket knows neither versions nor locks."""
    with open_vault(juicefs, juicefs, tmp_path, running=True) as vault:
        yield vault
        vault.office.stop_service_for_good()


@pytest.fixture
def locked(ceph: S3Server, juicefs: S3Server, tmp_path: Path) -> Iterator[Vault]:
    """The office before its first backup; its main bucket is as docs/stores.md wants it."""
    with open_vault(ceph, juicefs, tmp_path) as vault:
        yield vault


@contextmanager
def open_vault(main: S3Server, offsite: S3Server, directory: Path, *, running: bool = False) -> Iterator[Vault]:
    office = open_office(directory / "office", running=running)
    installation = office.installation
    with s3_proxy(offsite.port) as proxy:
        installation.stores[MAIN] = new_main(main, MAIN, directory)
        installation.stores[OFFSITE] = offsite.settings(
            directory, offsite.make_bucket(), name=OFFSITE, endpoint=proxy.endpoint, attempts=2
        )
        for name, schedule in installation.schedules.items():
            installation.schedules[name] = schedule.model_copy(update={"offsite_store": OFFSITE})
        describe(office)
        yield Vault(office, main, offsite, proxy)
        installation.catalog.dispose()


def new_main(server: S3Server, name: str, secrets: Path) -> StoreSettings:
    """A new bucket for a store; where the server can, it locks, and the backup's credentials cannot remove."""
    bucket = server.make_bucket(lock=server.versions)
    if not server.versions:
        return server.settings(secrets, bucket, name=name)
    server.client().put_bucket_policy(Bucket=bucket, Policy=documented_policy(bucket))
    keys = {"removal_access_key": secret(secrets, REMOVAL[0]), "removal_secret_key": secret(secrets, REMOVAL[1])}
    return server.settings(secrets, bucket, BACKUP, name=name, title="Pusat data", lock="compliance", **keys)


def back_up_with_the_offsite_server_down(vault: Vault, procedure_id: str) -> None:
    """Both components, up to the form; what the steps say, and what stays."""
    office = vault.office
    begin_backup(office.installation, procedure_id, schedule_name="bulanan", routine=True)
    vault.offsite.rule = down
    for component in COMPONENTS:
        for number in (1, 2, 3):
            office.step(f"backup.{number}", procedure_id, component)
        words = rf"(?s)in {OFFSITE} is missing: the connection to the store {OFFSITE} .* broke"
        with pytest.raises(StoreError, match=words) as raised:
            office.step("backup.4", procedure_id, component)
        assert f"the copy in {MAIN} is whole and kept; the backup counts when all copies match" == raised.value.state
        made = backup_of(office, procedure_id, component)
        assert ("named", (MAIN,)) == (made.state, made.stores)
    office.step("backup.5", procedure_id)


def complete(vault: Vault) -> None:
    """The synchronisation says that the off-site server is down, and completes it when it is back."""
    found = sync(vault.installation)
    assert [(OFFSITE, "store")] == [(trouble.store, trouble.subject) for trouble in found.troubles]
    assert set() == {missing.store for missing in found.put if missing.kind == "set"}
    vault.offsite.rule = lambda request: None
    found = sync(vault.installation)
    assert ((), found.missing) == (found.troubles, found.put)
    assert {OFFSITE} == {missing.store for missing in found.put}
    assert () == sync(vault.installation).missing
    assert vault.objects(MAIN) == vault.objects(OFFSITE)


def conclude(vault: Vault, procedure_id: str) -> None:
    vault.office.decide("backup.6", procedure_id, KABID, "sesuai", **REVIEW)
    vault.office.step("backup.6", procedure_id)
    assert conclude_backup(vault.installation, procedure_id).good


def vandalise(vault: Vault, keys: Iterable[str]) -> None:
    """What can be done to a bucket with the backup's credentials; and with its owner's, short of removing versions."""
    bucket, thief = vault.installation.stores[MAIN].bucket, vault.main_server.client(BACKUP)
    for key in keys:
        there = {"Bucket": bucket, "Key": f"cadangan/{key}"}
        thief.put_object(**there, Body=b"ransom")
        with pytest.raises(ClientError, match="AccessDenied"):
            thief.delete_object(**there)
        vault.main_server.client().delete_object(**there)
    for key, size in JUNK.items():
        thief.put_object(Bucket=bucket, Key=f"cadangan/{key}", Body=b"x" * size)


def states(vault: Vault, procedure_id: str) -> set[tuple[str, frozenset[str]]]:
    found = [backup_of(vault.office, procedure_id, component) for component in COMPONENTS]
    return {(made.state, frozenset(made.stores)) for made in found}


def interrupt(vault: Vault) -> None:
    """A refused object is told by its set's name and keeps nothing else from being put; a service that stops answering
    in the middle is told by the store's."""
    name = backup_of(vault.office, "one", FILES).name
    vault.offsite.rule = lambda request: DENIED if f"{name}/manifest.json" in unquote(request.path) else None
    bucket = vault.installation.stores[OFFSITE].bucket
    vault.offsite_server.client().delete_object(Bucket=bucket, Key="cadangan/RESTORE.md")
    found = sync(vault.installation)
    assert [("guide", OFFSITE)] == [(missing.kind, missing.store) for missing in found.put]
    (trouble,) = found.troubles
    assert (OFFSITE, name) == (trouble.store, trouble.subject)
    assert "does not allow it to its credentials" in trouble.message
    vault.offsite.rule = lambda request: CUT if "manifest.json" in request.path or "uploads" in request.path else None
    found = sync(vault.installation, dry_run=True)
    assert [(OFFSITE, "store")] == [(trouble.store, trouble.subject) for trouble in found.troubles]
    vault.offsite.rule = lambda request: None


def test_a_bucket_is_synchronised_drilled_rebuilt_and_restored_from(everyday: Vault, tmp_path: Path) -> None:
    """The off-site server is down at first: the backup keeps what it has, and counts from the synchronisation on."""
    vault = everyday
    back_up_with_the_offsite_server_down(vault, "one")
    complete(vault)
    assert {("secured", frozenset({MAIN, OFFSITE}))} == states(vault, "one")
    conclude(vault, "one")
    interrupt(vault)
    assert {FILES: ("pass", OFFSITE)} == drill(vault.installation, component=FILES, store_name=OFFSITE)
    rebuilt = vault.rebuilt(tmp_path / "home")
    assert ([], 2, 0) == (rebuilt.unproven, rebuilt.sets, rebuilt.added)
    assert rebuilt.inventory is not None
    installation = load_inventory(rebuilt.inventory).installation()
    name = str(backup_of(vault.office, "one").name)
    fetched = fetch(installation, name, tmp_path / "fetched", encrypted=False)
    assert MAIN == fetched.store
    assert vault.office.rows() == vault.office.rows_of_copy(str(fetched.directory / "data.sqlite"))
    restore_from_the_bucket(vault, installation)
    installation.catalog.dispose()


def restore_from_the_bucket(vault: Vault, rebuilt: Installation) -> None:
    """The whole procedure, by an installation that has only what it was rebuilt from."""
    office = office_in(vault.office, rebuilt)
    before = office.rows(), office.files()
    office.damage()
    assert before != (office.rows(), office.files())
    procedure_id = office.restore()
    assert before == (office.rows(), office.files()) and office.service_running()
    with rebuilt.catalog.read() as connection:
        evidence = steps.evidence_of(connection, procedure_id, "restore.3") or {}
        closed = procedures.get(connection, procedure_id)
    assert dict.fromkeys(COMPONENTS, MAIN) == {key: each["store"] for key, each in evidence["rehearsal"].items()}
    assert ("closed", "berhasil") == (closed.state, closed.outcome)


@pytest.mark.endurance
def test_one_backup_lands_in_both_buckets_and_each_copy_is_drilled(locked: Vault, tmp_path: Path) -> None:
    """Locked where the service locks; with the off-site server down the next one is kept, and completed later."""
    vault = locked
    vault.office.back_up("one")
    assert {("secured", frozenset({MAIN, OFFSITE}))} == states(vault, "one")
    with vault.installation.catalog.read() as connection:
        evidence = [steps.evidence_of(connection, "one", "backup.4", component) or {} for component in COMPONENTS]
    protection = [(place["store"], place["protection"]) for each in evidence for place in each["locations"]]
    assert [(MAIN, "compliance"), (OFFSITE, "none")] * 2 == protection
    assert vault.objects(MAIN) == vault.objects(OFFSITE)
    back_up_with_the_offsite_server_down(vault, "two")
    assert {("named", frozenset({MAIN}))} == states(vault, "two")
    complete(vault)
    assert {("secured", frozenset({MAIN, OFFSITE}))} == states(vault, "two")
    conclude(vault, "two")
    for store in (MAIN, OFFSITE, MAIN):
        assert dict.fromkeys(COMPONENTS, ("pass", store)) == drill(vault.installation)
    # The other way round: what only the off-site bucket holds is put into the locking one, and locked there.
    vault.installation.stores["baru"] = new_main(vault.main_server, "baru", tmp_path)
    schedule = vault.installation.schedules["bulanan"]
    vault.installation.schedules["bulanan"] = schedule.model_copy(update={"store": "baru"})
    found = sync(vault.installation)
    assert () == found.troubles
    made = backup_of(vault.office, "two")
    with vault.installation.catalog.read() as connection:
        copied = ledger.entries(connection, kind="set.copied")
    assert {("baru", "compliance")} == {
        (each.facts["store"], each.facts["protection"]) for each in copied if each.facts["store"] == "baru"
    }
    assert "baru" in made.stores
    assert vault.objects(MAIN) == vault.objects("baru")


@pytest.mark.endurance
def test_a_thief_with_the_machines_credentials_keeps_nothing_from_being_restored(locked: Vault, tmp_path: Path) -> None:
    """He overwrites every object, lays delete markers where a policy lets him, and puts what nobody can read. With the
    other server down and the whole installation gone, the bucket, an identity and the sheet give it all back."""
    vault = locked
    vault.office.back_up("one")
    assert {"ok"} == {found.state for found in examine_bucket(vault.installation.stores[MAIN])}
    before = vault.objects(MAIN)
    vandalise(vault, before)
    store = vault.installation.store(MAIN)
    assert before == {info.key: store.read(info.key) for info in store.list() if info.key not in JUNK}
    vault.offsite.rule = down
    assert dict.fromkeys(COMPONENTS, ("pass", MAIN)) == drill(vault.installation, store_name=MAIN)
    (vault.office.root / "state").rename(tmp_path / "gone")
    rebuilt = vault.rebuilt(tmp_path / "home")
    assert (2, 0) == (rebuilt.sets, rebuilt.added)
    told = "\n".join(rebuilt.unproven)
    assert {True} == {name.partition("/manifest")[0] in told for name in JUNK}, told
    assert len(JUNK) - 1 == len(rebuilt.unproven), told  # of the false set one sentence
    assert rebuilt.inventory is not None
    installation = load_inventory(rebuilt.inventory).installation()
    # What a later backup is to have, nobody had to know by heart.
    assert vault.installation.stores[MAIN].model_dump() == installation.stores[MAIN].model_dump()
    assert dict.fromkeys(COMPONENTS, ("pass", MAIN)) == drill(installation, store_name=MAIN)
    vault.offsite.rule = lambda request: None
    found = sync(installation)
    assert {"head", "key", "guide", "form", "records"} == {missing.kind for missing in found.put}
    assert [(OFFSITE, FALSE_HEAD)] == [(trouble.store, trouble.subject) for trouble in found.troubles]
    installation.catalog.dispose()
