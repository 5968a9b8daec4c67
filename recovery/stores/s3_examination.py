"""What a bucket is and allows, asked without leaving anything in it but the doctor's object for trying locks."""

from datetime import UTC, datetime

from recovery.stores.s3_bucket import REFUSED, Bucket
from recovery.stores.s3_lock import CANNOT, clock

# What locks are tried on. Credentials that cannot remove leave it in the bucket.
PROBE = "pulih-doctor/uji-kunci.txt"

# No object has this name and no version this id, so that whoever may remove it removes nothing.
_NOTHING = "pulih-doctor/tidak-ada"
_NO_VERSION = "0123456789abcdef0123456789abcdef"


def away_from_here(bucket: Bucket) -> float:
    """Given a bucket, return by how many seconds its service's clock is away from this machine's."""
    before = datetime.now(UTC)
    there = clock(bucket)
    # Of a slow answer, what lies between asking and hearing is no difference; the service tells whole seconds.
    return max((before - there).total_seconds() - 1, (there - datetime.now(UTC)).total_seconds(), 0.0)


def keeps_versions(bucket: Bucket) -> bool:
    """Given a bucket, return whether it keeps a version of what is overwritten or deleted."""
    answer = bucket.call("get_bucket_versioning", "whether it keeps versions", allowed=CANNOT)
    return bool(answer.get("Status") == "Enabled")


def default_retention(bucket: Bucket) -> str:
    """Given a bucket, return for how long it locks everything by itself, in words; "" when it does not."""
    answer = bucket.call("get_object_lock_configuration", "its lock by default", allowed=CANNOT)
    if REFUSED in answer:
        return ""
    kept = answer.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention", {})
    return f"{kept['Days']} days" if "Days" in kept else f"{kept['Years']} years" if "Years" in kept else ""


def can_remove_versions(bucket: Bucket) -> bool:
    """Given a bucket, return whether its credentials have the right to remove a version. Removes nothing."""
    answer = bucket.call(
        "delete_object",
        "a version that is not there",
        allowed=("AccessDenied", "NoSuchVersion", "NoSuchKey", "InvalidArgument"),
        Key=_NOTHING,
        VersionId=_NO_VERSION,
    )
    return bool(answer.get(REFUSED) != "AccessDenied")
