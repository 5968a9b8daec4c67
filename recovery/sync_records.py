"""The installation's own records in a synchronisation: sets that a store lacks, and sets that it did not lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recovery.copies import read_a_good_copy, take_copy
from recovery.installation import Installation, remove_tree
from recovery.own_records import COMPONENT, open_records
from recovery.procedures.working import hold_set
from recovery.records import destructions
from recovery.records.missed_copies import find_missed, record_mended, recording_taken
from recovery.sets import protect_set, put_copy
from recovery.sync_plan import PURPOSE


def copy_records(installation: Installation, prefix: str, target: str, directory: Path) -> None:
    """Given a set of the records, the store that lacks it and a directory of our own, copy it there from another store,
    and lock it. Raises SetError, StoreError."""
    with _held(installation, prefix, directory.name) as is_there:
        if not is_there:  # pragma: no cover - retention between looking and copying
            return
        staging, trusted_pem = directory / COMPONENT, installation.signer.trusted_pem
        others = [name for name in sorted(installation.stores) if name != target]
        (manifest, signature), _source = read_a_good_copy(
            installation,
            others,
            lambda store: take_copy(open_records(installation, store, prefix), staging),
            name=prefix,
        )
        staged = {part.file: staging / part.file for part in manifest.parts}
        facts = {"until": manifest.retention_until, "procedure_id": manifest.procedure_id}
        with recording_taken(installation.catalog, "records", prefix, target, **facts):
            put_copy(installation.store(target), prefix, staged, manifest, signature, trusted_pem)
        remove_tree(staging)
        _lock(installation, prefix, target)


def lock_records(installation: Installation, prefix: str, target: str, holder: str) -> None:
    """Given a set of the records in a store that did not lock it when it was put, lock it now. Raises SetError,
    StoreError."""
    with _held(installation, prefix, holder) as is_there:
        if not is_there:  # pragma: no cover - retention between looking and locking
            return
        _lock(installation, prefix, target)


@contextmanager
def _held(installation: Installation, prefix: str, holder: str) -> Iterator[bool]:
    """Keep retention from a set of the records; whether it had not begun to remove it before."""
    name = prefix.rpartition("/")[2]
    with hold_set(installation, name, holder, PURPOSE):
        with installation.catalog.read() as connection:
            is_there = name not in destructions.given_up(connection)
        yield is_there


def _lock(installation: Installation, prefix: str, target: str) -> None:
    """Keep what lies there from being removed, and record that it is as it should be where it was not."""
    store = installation.store(target)
    manifest = open_records(installation, store, prefix).manifest
    protection = protect_set(store, prefix, manifest)
    with installation.catalog.read() as connection:
        missed = find_missed(connection, prefix, target)
    if missed is not None:
        with installation.catalog.begin() as connection:
            keys = {"procedure_id": manifest.procedure_id, "protection": protection}
            record_mended(connection, "records", prefix, target, **keys)
