"""Processes that are killed while they put something into a bucket: what is left is swept, finished and locked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from recovery.procedures.backup.begin import begin_backup
from recovery.sets import set_prefix
from recovery.stores import open_store
from recovery.sync import sync
from tests.recovery.killed_work import PATIENCE, expire_leases
from tests.testbed.s3 import BACKUP, S3Server
from tests.testbed.s3_ceph import documented_policy
from tests.testbed.s3_proxy import Request, s3_proxy
from tests.testbed.small_office import SmallOffice, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store, backup_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
COMPONENT = "simpel/berkas"
KEY = "bkd/simpel/set/data.tar.zst.age"
MEBIBYTE = 1 << 20
FILES = {"data.tar.zst.age", "quality.json", "manifest.json", "manifest.json.sig"}

UPLOAD = """
import os, signal, sys
from pathlib import Path
from recovery.points import observe
from recovery.settings import StoreSettings
from recovery.stores import open_store

settings, key, staged, last = sys.argv[1:]
with observe(lambda point: os.kill(os.getpid(), signal.SIGKILL) if point == last else None):
    open_store(StoreSettings.model_validate_json(settings)).put_file(key, Path(staged))
"""

# The last point before the locks: the signature of a set is put, which follows its manifest.
WORK = """
import os, signal, sys
from pathlib import Path
from recovery.points import observe
from recovery.sync import sync
from tests.testbed.small_office import attach

office, seen = attach(Path(sys.argv[1])), []

def kill(point):
    if point == "store: object put" and "set: manifest put" in seen:
        os.kill(os.getpid(), signal.SIGKILL)
    seen.append(point)

with observe(kill):
    sync(office.installation) if sys.argv[2] == "sync" else office.step("backup.4", "one", sys.argv[2])
"""


def start(program: str, *arguments: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], cwd=ROOT)


@pytest.mark.parametrize("last", ["store: upload begun", "the second part is on its way", "store: parts sent"])
def test_what_a_killed_upload_left_is_swept_and_the_upload_is_repeated(
    juicefs: S3Server, tmp_path: Path, last: str
) -> None:
    staged = tmp_path / "staged"
    staged.write_bytes(os.urandom(17 * MEBIBYTE))
    with s3_proxy(juicefs.port) as proxy:
        settings = juicefs.settings(tmp_path, juicefs.make_bucket(), endpoint=proxy.endpoint)
        upload = start(UPLOAD, settings.model_dump_json(), KEY, staged, last)

        def kill(request: Request) -> None:
            if last.startswith("the second") and "partNumber=2" in request.path:
                upload.kill()

        proxy.rule = kill
        assert -9 == upload.wait(PATIENCE)
    store = open_store(settings.model_copy(update={"endpoint": juicefs.endpoint}))
    assert ([], []) == (list(store.list()), store.sweep(3600))
    assert ([KEY], []) == (store.sweep(-60), store.sweep(-60))
    store.put_file(KEY, staged)
    assert store.read(KEY, limit=17 * MEBIBYTE) == staged.read_bytes()


@pytest.fixture
def office(ceph: S3Server, tmp_path: Path) -> Iterator[SmallOffice]:
    """Its main store is a locking bucket as docs/stores.md wants it, the other one a directory."""
    built = open_office(tmp_path / "office", running=False)
    bucket = ceph.make_bucket(lock=True)
    ceph.client().put_bucket_policy(Bucket=bucket, Policy=documented_policy(bucket))
    given = {"name": MAIN, "lock": "compliance", "attempts": 1}
    built.installation.stores[MAIN] = ceph.settings(tmp_path, bucket, BACKUP, **given)
    add_offsite_store(built)
    yield built
    built.installation.catalog.dispose()


def begin_and_name(office: SmallOffice) -> str:
    """Do steps 1 to 3 of a backup's second component; return the prefix that its set is to have."""
    begin_backup(office.installation, "one", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3):
        office.step(f"backup.{number}", "one", COMPONENT)
    made = backup_of(office, "one", COMPONENT)
    return set_prefix(made.unit, made.application, str(made.name))


def locks(ceph: S3Server, office: SmallOffice, prefix: str) -> dict[str, bool]:
    """The files of a set in the bucket, and whether each is locked."""
    bucket, client, found = office.installation.stores[MAIN].bucket, ceph.client(BACKUP), {}
    for version in client.list_object_versions(Bucket=bucket, Prefix=f"cadangan/{prefix}/").get("Versions", []):
        try:
            client.get_object_retention(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            locked = True
        except ClientError:
            locked = False
        found[version["Key"].rpartition("/")[2]] = locked
    return found


def test_a_set_that_was_put_and_not_locked_before_a_process_died_is_locked_by_the_next_try(
    ceph: S3Server, office: SmallOffice
) -> None:
    prefix = begin_and_name(office)
    assert -9 == start(WORK, office.root, COMPONENT).wait(PATIENCE)
    assert dict.fromkeys(FILES, False) == locks(ceph, office, prefix)
    evidence = office.step("backup.4", "one", COMPONENT)
    assert (MAIN, "compliance") == (evidence["locations"][0]["store"], evidence["locations"][0]["protection"])
    assert dict.fromkeys(FILES, True) == locks(ceph, office, prefix)


@pytest.mark.endurance
def test_a_copy_that_was_put_and_not_locked_before_a_synchronisation_died_is_locked_by_the_next_one(
    ceph: S3Server, office: SmallOffice
) -> None:
    """The bucket became the main store after the backup."""
    schedules = office.installation.schedules
    wanted = schedules["bulanan"]
    schedules["bulanan"] = wanted.model_copy(update={"store": OFFSITE, "offsite_store": ""})
    prefix = begin_and_name(office)
    office.step("backup.4", "one", COMPONENT)
    schedules["bulanan"] = wanted
    assert -9 == start(WORK, office.root, "sync").wait(PATIENCE)
    assert dict.fromkeys(FILES, False) == locks(ceph, office, prefix)
    assert (OFFSITE,) == backup_of(office, "one", COMPONENT).stores
    expire_leases(office.root)
    assert () == sync(office.installation).troubles
    assert dict.fromkeys(FILES, True) == locks(ceph, office, prefix)
    assert {MAIN, OFFSITE} == set(backup_of(office, "one", COMPONENT).stores)
