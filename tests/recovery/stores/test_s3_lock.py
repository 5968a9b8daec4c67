"""Immutability on a real Ceph: what a thief with the backup machine's credentials tries, and what is read after it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from recovery.errors import StoreError, StoreReadOnlyError
from recovery.sets import open_set, protect_set, put_set, set_prefix
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.s3 import S3Store
from tests.recovery.test_sets import CONTENT, IDENTITY, SIGNER, stage
from tests.testbed.s3 import BACKUP, OWNER, REMOVAL, S3Server, secret
from tests.testbed.s3_ceph import documented_policy
from tests.testbed.s3_proxy import Answer, s3_proxy

pytestmark = pytest.mark.slow

KEY = "bkd/simpel/set/manifest.json"
WHOLE = f"cadangan/{KEY}"


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@pytest.fixture
def bucket(ceph: S3Server) -> str:
    """A lockable bucket with the policy that docs/stores.md prints."""
    name = ceph.make_bucket(lock=True)
    ceph.client().put_bucket_policy(Bucket=name, Policy=documented_policy(name))
    return name


@pytest.fixture
def settings(ceph: S3Server, bucket: str, tmp_path: Path) -> StoreSettings:
    removal = {"removal_access_key": secret(tmp_path, REMOVAL[0]), "removal_secret_key": secret(tmp_path, REMOVAL[1])}
    return ceph.settings(tmp_path, bucket, BACKUP, lock="compliance", **removal)


def attacks(client: Any, bucket: str, key: str) -> dict[str, Callable[[], object]]:
    """Everything that a thief would try on one object."""
    versions = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"]
    version = [each for each in versions if each["Key"] == key][-1]["VersionId"]
    soon = datetime.now(UTC) + timedelta(seconds=2)
    there = {"Bucket": bucket, "Key": key, "VersionId": version}
    return {
        "overwrite": lambda: client.put_object(Bucket=bucket, Key=key, Body=b"ransom"),
        "copy over": lambda: client.copy_object(
            Bucket=bucket, Key=key, CopySource=f"{bucket}/{key}", MetadataDirective="REPLACE"
        ),
        "delete": lambda: client.delete_object(Bucket=bucket, Key=key),
        "delete the version": lambda: client.delete_object(**there),
        "delete and bypass": lambda: client.delete_object(**there, BypassGovernanceRetention=True),
        "shorten": lambda: client.put_object_retention(
            **there, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": soon}
        ),
        "shorten and bypass": lambda: client.put_object_retention(
            **there, Retention={"Mode": "GOVERNANCE", "RetainUntilDate": soon}, BypassGovernanceRetention=True
        ),
        "unlock": lambda: client.put_object_retention(**there, Retention={}, BypassGovernanceRetention=True),
        "stop versions": lambda: client.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
        "expire": lambda: client.put_bucket_lifecycle_configuration(
            Bucket=bucket,
            LifecycleConfiguration={
                "Rules": [
                    {"ID": "x", "Status": "Enabled", "Prefix": "", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
                ]
            },
        ),
        "delete the bucket": lambda: client.delete_bucket(Bucket=bucket),
        "allow itself": lambda: client.put_bucket_policy(Bucket=bucket, Policy="{}"),
    }


def tried(attempts: dict[str, Callable[[], object]]) -> set[str]:
    """Make every attempt, and return those that the service let pass."""
    passed = set()
    for name, attempt in attempts.items():
        try:
            attempt()
        except ClientError:
            continue
        passed.add(name)
    return passed


@pytest.mark.parametrize("lock", ["governance", "compliance"])
def test_a_set_survives_whatever_the_backups_own_credentials_can_do(
    ceph: S3Server, bucket: str, settings: StoreSettings, tmp_path: Path, lock: str
) -> None:
    settings = settings.model_copy(update={"lock": lock})
    store = open_store(settings)
    store.check()
    manifest, staged = stage(tmp_path / "staging")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    put_set(store, prefix, staged, manifest, SIGNER)
    assert protect_set(store, prefix, manifest) == lock
    objects = list(store.list())
    for info in objects:
        passed = tried(attacks(ceph.client(BACKUP), bucket, f"cadangan/{info.key}"))
        assert passed <= {"overwrite", "copy over"}, info.key
        # The owner of the bucket can do more, and still not remove a version: a delete marker is laid over it.
        ceph.client().delete_object(Bucket=bucket, Key=f"cadangan/{info.key}")
        ceph.client().put_object(Bucket=bucket, Key=f"cadangan/{info.key}", Body=b"ransom")
    fresh = open_store(settings)
    assert list(fresh.list()) == objects
    for known in (manifest.sha256, None):
        found = open_set(
            fresh, prefix, SIGNER.public_pem, application="simpel", component="data", manifest_sha256=known
        )
        data = bytearray()
        found.restore("data", IDENTITY, data.extend)
        assert bytes(data) == CONTENT
        assert found.read("quality") == b'{"state":"pass"}'
    # And a repeated step 4 sees nothing else than it put.
    put_set(fresh, prefix, staged, manifest, SIGNER)
    assert protect_set(fresh, prefix, manifest) == lock


def test_not_even_the_owner_of_the_bucket_removes_a_compliance_lock(
    ceph: S3Server, bucket: str, settings: StoreSettings
) -> None:
    store = open_store(settings)
    store.put_bytes(KEY, b"words")
    assert store.protect(KEY, in_days(30)) == "compliance"
    owner = attacks(ceph.client(OWNER), bucket, WHOLE)
    harmless = {"overwrite", "copy over", "delete", "expire", "allow itself"}
    assert tried({name: attempt for name, attempt in owner.items() if name not in harmless}) == set()
    assert tried({name: owner[name] for name in ("overwrite", "delete")}) == {"overwrite", "delete"}
    assert store.exists(KEY)
    assert store.read(KEY) == b"words"


def test_no_lock_is_asked_for_until_a_moment_that_has_passed(settings: StoreSettings) -> None:
    """Services refuse it, and a set that is kept beyond its retention is to be copied all the same. What holds longer
    is said."""
    for demanded in (settings, settings.model_copy(update={"without_lock": "warn"})):
        store = open_store(demanded)
        store.put_bytes(KEY, b"words")
        assert store.protect(KEY, in_days(-1)) == "none"
    assert store.protect(KEY, in_days(1)) == "compliance"
    assert store.protect(KEY, in_days(-1)) == "compliance"


def test_a_governance_lock_holds_against_all_but_its_bypass(ceph: S3Server, settings: StoreSettings) -> None:
    governed = settings.model_copy(update={"lock": "governance"})
    store, remover = open_store(governed), open_store(governed, for_removal=True)
    store.put_bytes(KEY, b"words")
    assert store.protect(KEY, in_days(30)) == "governance"
    with pytest.raises(StoreError, match=r"is locked \(governance\) until .*; it is still in the store"):
        remover.remove(KEY)
    # Ceph makes no harder lock of it for those who may not bypass this one: then it is not as demanded.
    with pytest.raises(StoreReadOnlyError, match=r"the lock of .* \(AccessDenied\); it is stored and not locked as"):
        open_store(settings).protect(KEY, in_days(31))
    assert open_store(governed).protect(KEY, in_days(31)) == "governance"


def test_the_lock_ends_with_the_retention_and_not_later(ceph: S3Server, bucket: str, settings: StoreSettings) -> None:
    store = open_store(settings)
    store.put_bytes(KEY, b"words")
    until = "2099-11-20T22:00:03.999999+07:00"
    for _ in range(2):
        assert store.protect(KEY, until) == "compliance"
        lock = ceph.client(BACKUP).get_object_retention(Bucket=bucket, Key=WHOLE)["Retention"]
        assert lock["RetainUntilDate"] == datetime(2099, 11, 20, 15, 0, 3, tzinfo=UTC)
    # What holds longer already stays: nobody can shorten it, and nothing fails by it.
    assert store.protect(KEY, in_days(1)) == "compliance"
    assert ceph.client(BACKUP).get_object_retention(Bucket=bucket, Key=WHOLE)["Retention"] == lock
    assert open_store(settings).removable(KEY) == "locked (compliance) until 2099-11-20T15:00:03+00:00"


def test_only_the_removal_credentials_remove_and_every_version_goes(
    ceph: S3Server, bucket: str, settings: StoreSettings
) -> None:
    store, remover = open_store(settings), open_store(settings, for_removal=True)
    store.put_bytes(KEY, b"words")
    store.put_bytes(KEY + ".sig", b"other")
    ceph.client().delete_object(Bucket=bucket, Key=WHOLE)
    ceph.client(BACKUP).put_object(Bucket=bucket, Key=WHOLE, Body=b"ransom")
    with pytest.raises(
        StoreReadOnlyError, match=r"(?s)does not allow it to its credentials: .*need s3:DeleteObject and"
    ):
        store.remove(KEY)
    assert store.read(KEY) == b"words"
    with pytest.raises(StoreReadOnlyError, match="does not allow it to its credentials"):
        remover.put_bytes("new", b"words")
    assert remover.removable(KEY) == ""
    remover.remove(KEY)
    remover.remove(KEY)
    left = ceph.client().list_object_versions(Bucket=bucket)
    assert [each["Key"] for each in left["Versions"]] == [WHOLE + ".sig"]
    assert "DeleteMarkers" not in left


@pytest.mark.parametrize("then", ["Enabled", "Suspended"])
def test_what_was_put_before_the_bucket_kept_versions_is_removed(ceph: S3Server, tmp_path: Path, then: str) -> None:
    """A deletion that names no version lays a marker there, and the object stays below it."""
    bucket = ceph.make_bucket()
    removal = {"removal_access_key": secret(tmp_path, OWNER[0]), "removal_secret_key": secret(tmp_path, OWNER[1])}
    settings = ceph.settings(tmp_path, bucket, **removal)
    store, remover = open_store(settings), open_store(settings, for_removal=True)
    for key in (KEY, KEY + ".sig"):
        store.put_bytes(key, b"words")
    ceph.version(bucket)
    ceph.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": then})
    # A removal that was killed in between has left such a marker.
    ceph.client().delete_object(Bucket=bucket, Key=WHOLE + ".sig")
    for key in (KEY, KEY + ".sig", KEY):
        remover.remove(key)
    left = ceph.client().list_object_versions(Bucket=bucket)
    assert ([], []) == (left.get("Versions", []), left.get("DeleteMarkers", []))


def test_a_lock_that_ends_is_waited_for_and_a_legal_hold_too(
    ceph: S3Server, bucket: str, settings: StoreSettings
) -> None:
    store, remover = open_store(settings), open_store(settings, for_removal=True)
    store.put_bytes(KEY, b"words")
    policy = ceph.client().get_bucket_policy(Bucket=bucket)["Policy"]
    ceph.client().put_bucket_policy(
        Bucket=bucket, Policy=policy.replace("s3:PutObjectRetention", 's3:PutObjectRetention", "s3:PutObjectLegalHold')
    )
    assert store.protect(KEY, in_days(3 / 86400)) == "compliance"
    while reason := remover.removable(KEY):
        assert reason.startswith("locked (compliance) until ")
    ceph.client(BACKUP).put_object_legal_hold(Bucket=bucket, Key=WHOLE, LegalHold={"Status": "ON"})
    assert remover.removable(KEY) == "a legal hold of the store lies on it"
    ceph.client(BACKUP).put_object_legal_hold(Bucket=bucket, Key=WHOLE, LegalHold={"Status": "OFF"})
    remover.remove(KEY)
    assert not remover.exists(KEY)


@pytest.mark.parametrize("kind", ["juicefs", "ceph"])
def test_a_bucket_without_locks_is_refused_or_warned_of(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    server: S3Server = request.getfixturevalue(kind)
    settings = server.settings(tmp_path, server.make_bucket(), lock="compliance")
    store = open_store(settings)
    store.put_bytes(KEY, b"words")
    words = rf"{KEY} in the store gudang is not locked: the service cannot lock it \(\w+\); it is stored, and whoever"
    with pytest.raises(StoreError, match=words):
        store.protect(KEY, in_days(1))
    assert open_store(settings.model_copy(update={"without_lock": "warn"})).protect(KEY, in_days(1)) == "none"
    assert store.removable(KEY) == ""


def test_a_lock_that_the_service_takes_and_does_not_keep_is_found(
    ceph: S3Server, bucket: str, settings: StoreSettings
) -> None:
    with s3_proxy(ceph.port) as proxy:
        proxy.rule = lambda request: Answer(200) if request.method == "PUT" and "retention" in request.path else None
        store = open_store(settings.model_copy(update={"endpoint": proxy.endpoint}))
        store.put_bytes(KEY, b"words")
        words = "the service took the lock and did not keep it: it says that nothing is locked"
        with pytest.raises(StoreError, match=words):
            store.protect(KEY, in_days(1))
        assert open_store(settings).protect(KEY, in_days(1)) == "compliance"
        with pytest.raises(
            StoreError, match=r"did not keep it: it says compliance until 20\d\d-.*\+00:00; it is stored"
        ):
            store.protect(KEY, in_days(2))


def test_a_missing_right_to_lock_is_never_taken_for_a_store_without_locks(
    ceph: S3Server, bucket: str, settings: StoreSettings
) -> None:
    store = open_store(settings.model_copy(update={"without_lock": "warn"}))
    store.put_bytes(KEY, b"words")
    ceph.client().delete_bucket_policy(Bucket=bucket)
    with pytest.raises(StoreReadOnlyError, match="does not allow it to its credentials"):
        store.protect(KEY, in_days(1))


def test_a_store_without_removal_credentials_removes_nothing(settings: StoreSettings) -> None:
    lacking = settings.model_copy(update={"removal_secret_key": None})
    with pytest.raises(StoreError, match="the store gudang has no credentials for removal; nothing was removed"):
        open_store(lacking, for_removal=True).remove(KEY)
    with pytest.raises(StoreError, match="the store gudang has no credentials; the store was not asked") as raised:
        open_store(settings.model_copy(update={"access_key": None})).read(KEY)
    assert raised.value.hint == "set access_key and secret_key of the store"


def test_what_the_documentation_allows_is_enough_to_sweep(ceph: S3Server, bucket: str, settings: StoreSettings) -> None:
    """An upload that ends while it is looked at is no trouble."""
    store, thief = open_store(settings), ceph.client(BACKUP)
    upload = thief.create_multipart_upload(Bucket=bucket, Key=WHOLE)["UploadId"]
    thief.upload_part(Bucket=bucket, Key=WHOLE, UploadId=upload, PartNumber=1, Body=b"half")
    assert (store.sweep(3600), store.sweep(-60), store.sweep(-60)) == ([], [KEY], [])
    with s3_proxy(ceph.port) as proxy:
        proxy.rule = lambda request: Answer(404, [], b"<Error><Code>NoSuchUpload</Code></Error>")
        gone = S3Store(settings.model_copy(update={"endpoint": proxy.endpoint}))
        assert [] == list(gone.bucket.parts(WHOLE, upload))


def test_what_a_policy_without_the_right_to_look_at_uploads_lacks_is_named(
    ceph: S3Server, bucket: str, settings: StoreSettings
) -> None:
    """On Ceph whoever began an upload may look at it all the same, unless that is denied; other services ask for the
    right. Until there is an upload, nothing is asked that it forbids. The guard tells it with this hint."""
    policy = json.loads(documented_policy(bucket))
    (rights,) = [each for each in policy["Statement"] if "s3:ListMultipartUploadParts" in each["Action"]]
    policy["Statement"].append({**rights, "Effect": "Deny", "Action": ["s3:ListMultipartUploadParts"]})
    ceph.set_policy(bucket, policy)
    assert [] == open_store(settings).sweep(-60)
    upload = ceph.client(BACKUP).create_multipart_upload(Bucket=bucket, Key=WHOLE)["UploadId"]
    ceph.client(BACKUP).upload_part(Bucket=bucket, Key=WHOLE, UploadId=upload, PartNumber=1, Body=b"half")
    with pytest.raises(
        StoreReadOnlyError, match=f"does not allow it to its credentials: the parts of {WHOLE} "
    ) as raised:
        open_store(settings).sweep(-60)
    assert (
        "compare the bucket's policy and the credentials' rights with docs/stores.md; the backup's credentials need "
        "s3:ListMultipartUploadParts"
    ) == raised.value.hint


def test_what_stands_behind_a_thousand_others_is_still_found(ceph: S3Server, tmp_path: Path) -> None:
    """More than a service tells in one answer."""
    bucket = ceph.make_bucket(lock=True)
    store = open_store(ceph.settings(tmp_path, bucket))
    for key in ("a/first", "a/last"):
        store.put_bytes(key, b"words")
    for hundred in range(0, 1200, 600):
        markers = [{"Key": f"cadangan/a/g-{number:04}"} for number in range(hundred, hundred + 600)]
        ceph.client().delete_objects(Bucket=bucket, Delete={"Objects": markers})
    assert [info.key for info in store.list()] == ["a/first", "a/last"]
    assert len(store.bucket.markers("cadangan/a/g-1199")) == 1  # type: ignore[attr-defined]
