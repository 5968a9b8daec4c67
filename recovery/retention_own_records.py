"""The installation's own records as one more component of the retention plan: no catalog lists their sets, so the
stores are asked."""

from typing import Any

from recovery.errors import SetError
from recovery.installation import Installation
from recovery.manifest import Manifest
from recovery.own_records import COMPONENT, RECORDS, RESERVED, open_records, stored_records_of
from recovery.records.backups import Backup
from recovery.retention import Policy
from recovery.stores.base import Store

KEY = f"{RESERVED}/{COMPONENT}"


def stored_records(installation: Installation) -> list[Backup]:
    """Given an installation, return the sets of its own records of which a whole copy lies in a store.

    Each is to lie in every store, so one that is missing somewhere counts as verified no more than a damaged one.
    Raises StoreError when a store cannot be looked at.
    """
    holders: dict[str, list[Store]] = {}
    for store_name in sorted(installation.stores):
        store = installation.store(store_name)
        for prefix in stored_records_of(info.key for info in store.list(RECORDS)):
            holders.setdefault(prefix, []).append(store)
    found = []
    for prefix, stores in sorted(holders.items()):
        manifest = _manifest(installation, prefix, stores)
        if manifest is not None:
            name = prefix.rpartition("/")[2]
            sequence = int(manifest.snapshot.get("ledger_sequence", 0))
            size = manifest.part("data").stored_size
            places = tuple(sorted(installation.stores))
            found.append(_record(name, manifest.moment, manifest.sha256, places, size, sequence))
    return found


def planned_record(item: dict[str, Any]) -> Backup:
    """Given a set of records as it stands in a plan, return it like a backup."""
    stores = tuple(item["stores"])
    return _record(item["name"], item["moment"], item["manifest_sha256"], stores, item["bytes"], 0)


def policy(installation: Installation) -> Policy:
    """Return what the inventory promises of them."""
    settings = installation.office.records
    return Policy(retention_days=settings.days, verified=settings.newest)


def _manifest(installation: Installation, prefix: str, stores: list[Store]) -> Manifest | None:
    """The manifest of the first copy that is whole; None when there is none: such a set is left alone."""
    for store in stores:
        try:
            return open_records(installation, store, prefix).manifest
        except SetError:
            continue
    return None


def _record(name: str, moment: str, sha256: str, stores: tuple[str, ...], size: int, sequence: int) -> Backup:
    return Backup(
        id=name,
        procedure_id="",
        application=RESERVED,
        component=COMPONENT,
        unit=RESERVED,
        kind="files",
        state="secured",
        moment=moment,
        name=name,
        staging="",
        facts={"digests": {"cipher_size": size}, "ledger_sequence": sequence},
        verdict="pass",
        manifest_sha256=sha256,
        stores=stores,
        retention_until=None,
        created_at=moment,
    )
