"""Object Lock: keeping a version until a moment, and saying what really holds; and removal, which waits for its end.

Every lock is read back, because several services accept what they do not do. Headers at upload are not used: Ceph
ignores them there. A lock is never set past the moment that is asked for, since nobody could take it back.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from recovery.errors import StoreError, StoreReadOnlyError
from recovery.stores.s3_bucket import REFUSED, Bucket, Version

NONE = "none"
# What services without locks, and buckets without them, answer.
CANNOT = frozenset(
    {
        "InvalidRequest",
        "NotImplemented",
        "MethodNotAllowed",
        "MissingContentMD5",  # the MinIO gateway's, which asks for a header that no client sends any more
        "NoSuchObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "InvalidBucketState",
    }
)
_STRENGTH = {NONE: 0, "governance": 1, "compliance": 2}


def protect(bucket: Bucket, version: Version, until: datetime, what: str) -> str:
    """Given a version, a moment, and its name for people, lock it until then as the settings say.

    Returns what is read back: "compliance", "governance" or, where settings or service know no lock or the moment has
    passed, "none". Raises StoreError when it must be locked and is not.
    """
    demanded = bucket.settings.lock
    if demanded == NONE:
        return NONE
    holds, held_until = retention(bucket, version, what)
    # S3 knows no fractions of a second, and rounding up would lock longer than was asked for.
    wanted = until.astimezone(UTC).replace(microsecond=0)
    now = clock(bucket)
    if wanted <= now:
        # A set that is kept beyond its retention: services refuse a lock that ends before it begins.
        return holds if held_until is not None and held_until > now else NONE
    if not _suffices(holds, held_until, demanded, wanted):
        answer = bucket.call(
            "put_object_retention",
            f"the lock of {what}",
            state="it is stored and not locked as it should be",
            allowed=CANNOT,
            Key=version.key,
            VersionId=version.id,
            Retention={"Mode": demanded.upper(), "RetainUntilDate": max(wanted, held_until or wanted)},
        )
        if answer.get(REFUSED) in CANNOT:
            return _unlocked(bucket, what, f"the service cannot lock it ({answer[REFUSED]})")
        holds, held_until = retention(bucket, version, what)
    if not _suffices(holds, held_until, demanded, wanted):
        told = _told(holds, held_until)
        return _unlocked(bucket, what, f"the service took the lock and did not keep it: {told}")
    return holds


def retention(bucket: Bucket, version: Version, what: str) -> tuple[str, datetime | None]:
    """Given a version, return which lock it has now, and until when. Raises StoreError."""
    answer = bucket.call(
        "get_object_retention", f"the lock of {what}", allowed=CANNOT, Key=version.key, VersionId=version.id
    )
    kept = {} if REFUSED in answer else answer.get("Retention", {})
    mode, until = str(kept.get("Mode") or NONE).lower(), kept.get("RetainUntilDate")
    if mode not in _STRENGTH or until is None:
        return NONE, None
    return mode, until.astimezone(UTC)


def lacks(bucket: Bucket, version: Version, until: datetime, what: str) -> str:
    """Given a version, a moment, and its name for people, return "" when it is locked until then, or need not be: the
    settings demand no lock, or accept that the service has none, or the moment has passed. Else what the service says.

    Any lock suffices: one that was set before the settings demanded a harder one is not missing.
    """
    settings = bucket.settings
    holds, held_until = retention(bucket, version, what)
    wanted = until.astimezone(UTC).replace(microsecond=0)
    if settings.lock == NONE or _suffices(holds, held_until, "governance", wanted) or wanted <= clock(bucket):
        return ""
    if settings.without_lock == "warn" and not _can_lock(bucket):
        return ""
    return f"{what} is not locked until {wanted.isoformat()}: {_told(holds, held_until)}"


def why_kept(bucket: Bucket, versions: list[Version], what: str) -> str:
    """Given all versions of an object, return why they cannot be removed now, or "" when they can."""
    for version in versions:
        holds, until = retention(bucket, version, what)
        if until is not None and until > clock(bucket):
            return f"locked ({holds}) until {until.isoformat(timespec='seconds')}"
        if _on_hold(bucket, version, what):
            return "a legal hold of the store lies on it"
    return ""


def remove(bucket: Bucket, key: str, what: str) -> None:
    """Given a whole key, remove every version of its object and every delete marker, the true version last.

    Raises StoreError with the reason when one stays.
    """
    versions = bucket.versions(key)
    reason = why_kept(bucket, versions, what)
    if reason:
        raise StoreError(
            f"{what} is {reason}", state="it is still in the store", hint="retention tries again after that moment"
        )
    alone = [version.id for version in versions] == ["null"]
    _delete(bucket, key, what, [*bucket.markers(key), *(version.id for version in reversed(versions))], alone=alone)
    if alone:
        # Where versions were turned on since it was put, or on and off, that laid a delete marker, over it or for it.
        _delete(bucket, key, what, [*bucket.markers(key), *(version.id for version in bucket.versions(key))])
    left = bucket.versions(key)
    if left:
        raise StoreError(
            f"{what} has {len(left)} versions after it was removed",
            state="it is still in the store",
            hint="somebody puts it there again, or the service does not do what it says",
        )


def _delete(bucket: Bucket, key: str, what: str, ids: list[str], *, alone: bool = False) -> None:
    """Delete these versions and markers. `alone`: the only version is the one that buckets without versions have; it is
    asked for without its name, which services without versions do not all know."""
    for version_id in ids:
        given = {} if alone and version_id == "null" else {"VersionId": version_id}
        try:
            bucket.call("delete_object", what, state="it is still in the store", Key=key, **given)
        except StoreReadOnlyError as error:
            # A lock that came meanwhile answers in the same words as a missing right.
            error.hint = f"{error.hint}; the removal credentials need s3:DeleteObject and s3:DeleteObjectVersion"
            raise


def clock(bucket: Bucket) -> datetime:
    """Return what time the service has, by whose clock its locks end."""
    answer: Any = bucket.call("list_objects_v2", "its clock", MaxKeys=1)
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)


def _on_hold(bucket: Bucket, version: Version, what: str) -> bool:
    answer = bucket.call(
        "get_object_legal_hold", f"the legal hold of {what}", allowed=CANNOT, Key=version.key, VersionId=version.id
    )
    return REFUSED not in answer and answer.get("LegalHold", {}).get("Status") == "ON"


def _suffices(holds: str, until: datetime | None, demanded: str, wanted: datetime) -> bool:
    return until is not None and _STRENGTH[holds] >= _STRENGTH[demanded] and until >= wanted


def _told(holds: str, until: datetime | None) -> str:
    return f"it says {holds} until {until.isoformat()}" if until else "it says that nothing is locked"


def _can_lock(bucket: Bucket) -> bool:
    answer = bucket.call("get_object_lock_configuration", "whether it can lock", allowed=CANNOT)
    kept = {} if REFUSED in answer else answer.get("ObjectLockConfiguration", {})
    return bool(kept.get("ObjectLockEnabled") == "Enabled")


def _unlocked(bucket: Bucket, what: str, reason: str) -> str:
    if bucket.settings.without_lock == "warn":
        return NONE
    raise StoreError(
        f"{what} is not locked: {reason}",
        state="it is stored, and whoever may remove objects can remove it",
        hint="make the bucket anew with Object Lock, or set without_lock to warn (docs/stores.md)",
    )
