"""Rules of the inventory for stores in S3 buckets: what each needs, and that no two are the same bucket."""

import ipaddress
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from recovery.marked_yaml import Complaint, Location, field_name
from recovery.settings import StoreSettings

NEEDED = ("endpoint", "bucket", "access_key", "secret_key")
# Fields that only a store of this kind has; where they have a default, another value counts as written.
_OWN = (*NEEDED, "region", "addressing", "ca_file", "removal_access_key", "removal_secret_key", "lock", "without_lock")
_SECRETS = ("access_key", "secret_key", "removal_access_key", "removal_secret_key")


def bucket_rules(stores: Mapping[int, StoreSettings]) -> Iterator[Complaint]:
    """Given the well-formed stores by position, yield every complaint about buckets."""
    seen: dict[tuple[str, int, str], Location] = {}
    for index, store in stores.items():
        place: Location = ("stores", index)
        if store.kind != "s3":
            for field in _OWN:
                if getattr(store, field) != StoreSettings.model_fields[field].default:
                    yield Complaint((*place, field), f"is no field of a store of kind {store.kind!r}")
            continue
        for field in NEEDED:
            if not getattr(store, field):
                yield Complaint((*place, field), "is missing; a store of kind 's3' needs it")
        for field in _SECRETS:
            kind, _, name = (getattr(store, field) or "").partition(":")
            if kind == "file" and not name.startswith("/"):
                yield Complaint((*place, field), "must name an absolute path: file:/…")
        if store.path:
            yield Complaint((*place, "path"), "is no field of a store of kind 's3'; a folder in it is its prefix")
        yield from _removal_rules(place, store)
        if not (store.endpoint and store.bucket):
            continue
        identity = (*_service(store.endpoint, store.bucket), store.bucket)
        if identity in seen:
            # Whatever the prefix: one order, one mistake, one loss takes both.
            yield Complaint((*place, "bucket"), f"is the same bucket as {field_name(seen[identity])}")
        seen.setdefault(identity, (*place, "bucket"))


def secret_files(stores: Mapping[int, StoreSettings]) -> dict[str, str]:
    """Given the stores by position, return the files that lead to them, by what they are."""
    found = {}
    for store in stores.values():
        for field in _SECRETS:
            kind, _, name = (getattr(store, field) or "").partition(":")
            if kind == "file":
                found[f"the file of {field} of the store {store.name!r}"] = name
        if store.ca_file:
            found[f"the CA's certificate of the store {store.name!r}"] = store.ca_file
    return found


def _removal_rules(place: Location, store: StoreSettings) -> Iterator[Complaint]:
    for field, other in (
        ("removal_access_key", "removal_secret_key"),
        ("removal_secret_key", "removal_access_key"),
    ):
        if getattr(store, other) and not getattr(store, field):
            yield Complaint((*place, field), f"is missing; it belongs to {other}")
    if store.removal_access_key and store.removal_access_key == store.access_key:
        yield Complaint(
            (*place, "removal_access_key"), "is the backup's own; whoever backs up must not be able to remove"
        )


def _service(endpoint: str, bucket: str) -> tuple[str, int]:
    """Given an endpoint, return its host and port as one spelling of all that lead there without asking anybody."""
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").rstrip(".").removeprefix(f"{bucket}.")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        loopback = host == "localhost"
    else:
        mapped = getattr(address, "ipv4_mapped", None) or address
        host, loopback = str(mapped), mapped.is_loopback
    try:
        port = parts.port
    except ValueError:
        port = None
    # http and https of one host are one service as long as nobody writes ports.
    usual = port is None or port == {"http": 80, "https": 443}[parts.scheme]
    return "localhost" if loopback else host, 0 if usual or port is None else port
