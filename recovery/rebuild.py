"""Recovery from nothing: a store, an identity and the fingerprint on the escrow sheet give a working installation.

Everything is made in one new directory; the catalog comes last, so that a call that died is simply repeated.
"""

import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recovery.crypto import identity_that_opens, read_identities
from recovery.durable import NewFile
from recovery.errors import KeyMissingError, ObjectMissingError, SetError
from recovery.installation import private_directory, remove_tree
from recovery.keys import read_file
from recovery.own_records import CATALOG
from recovery.points import reached
from recovery.rebuild_catalog import fill, put_in_place, refuse_used_catalog
from recovery.rebuild_forms import fetch_forms
from recovery.rebuild_places import Keys, choose_store_name, prepare_keys, write_inventory
from recovery.rebuild_sets import take_inventory
from recovery.rebuild_trust import find_trusted_keys
from recovery.records import ledger
from recovery.records.catalog import Catalog, open_catalog
from recovery.restore_guide import put_restore_guide
from recovery.sets import BackupSet
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import Store

STATE = "state"
RECORDS = "records"
FROM_MANIFESTS = "manifests alone"


@dataclass
class Rebuilt:
    """What was rebuilt: from which set of records (or FROM_MANIFESTS), where to, and all that could not be proven."""

    source: str
    directory: Path
    inventory: Path | None
    fingerprint: str
    sets: int
    added: int
    forms: int
    ledger_sequence: int
    to_do: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        inventory = "" if self.inventory is None else str(self.inventory)
        return {**vars(self), "directory": str(self.directory), "inventory": inventory}


def rebuild(
    settings: StoreSettings, directory: Path, fingerprint: str, identity_file: Path, *, store_name: str = ""
) -> Rebuilt:
    """Given a store, a new directory, the fingerprint on the escrow sheet and the file of an identity (operations or
    escrow), make an installation there: catalog, ledger, inventory, keys and forms; return what is proven and what not.

    `store_name` is what the inventory calls the store; needed where it names several. The store gets the new signing
    key's statement, guide and head. Raises ConflictError for a catalog that is not empty, SignatureError when no key
    has the fingerprint, KeyMissingError when the identity does not open the newest records, StoreError, SetError.
    """
    directory = directory.absolute()
    catalog_path = directory / STATE / CATALOG
    refuse_used_catalog(catalog_path)
    store = open_store(settings)
    trusted_pem, successions, unproven = find_trusted_keys(store, fingerprint)
    identities = read_identities(read_file(identity_file), str(identity_file))
    found = take_inventory(store, trusted_pem)
    unproven += found.unproven
    private_directory(directory / STATE)
    records = directory / RECORDS
    source = _unpack_newest(found.records, identities, records, unproven)
    reached("rebuild: records unpacked")
    document = None if source is None else records
    keys = prepare_keys(directory, trusted_pem, successions, identity_file, document)
    name = choose_store_name(document, store_name)
    inventory = None if document is None else write_inventory(directory, document, keys, settings, name)
    reached("rebuild: keys and inventory written")
    for statement in keys.successions:
        store.put_bytes(statement.key, statement.to_bytes())
    put_restore_guide(store, keys.signer.public_pem)
    unfinished = catalog_path.with_name(f"{CATALOG}.unfinished")
    catalog = _begin(unfinished, None if source is None else records / CATALOG)
    origin = FROM_MANIFESTS if source is None else source.manifest.name
    try:
        added, more = fill(catalog, found, name, keys.signer, keys.signer.trusted_pem, origin)
        unproven += more
        kept = fetch_forms(store, catalog, found.forms, directory / STATE / "formulir", unproven)
    finally:
        catalog.dispose()
    reached("rebuild: catalog filled")
    put_in_place(unfinished, catalog_path)
    reached("rebuild: catalog in place")
    head = _anchor(catalog_path, store, keys)
    return Rebuilt(
        source=origin,
        directory=directory,
        inventory=inventory,
        fingerprint=keys.signer.fingerprint,
        sets=len(found.sets),
        added=added,
        forms=kept,
        ledger_sequence=head.sequence,
        to_do=keys.to_do,
        unproven=unproven,
    )


def _unpack_newest(
    records: list[BackupSet], identities: list[Any], directory: Path, unproven: list[str]
) -> BackupSet | None:
    """Unpack the newest set of records that is whole, and return it; None when there is none."""
    for backup_set in reversed(records):
        manifest = backup_set.manifest
        # An identity that opens nothing is a mistake of whoever called: what it would cost must not come unnoticed.
        identity = identity_that_opens(identities, manifest.recipients, "the identity file")
        remove_tree(directory)
        private_directory(directory)
        archive = directory / "data.tar"
        try:
            with NewFile(archive) as file:
                backup_set.restore("data", identity, file.write)
        except (SetError, KeyMissingError, ObjectMissingError) as error:
            unproven.append(f"the records {manifest.name}: {error.message}; an older set was taken")
            continue
        with tarfile.open(archive) as tar:
            tar.extractall(directory, filter="data")
        archive.unlink()
        return backup_set
    remove_tree(directory)
    return None


def _begin(unfinished: Path, copy: Path | None) -> Catalog:
    """Make the catalog that is to be filled, of this release: from a copy, or a new one."""
    for leftover in ("", "-wal", "-shm"):
        unfinished.with_name(unfinished.name + leftover).unlink(missing_ok=True)
    if copy is not None:
        with NewFile(unfinished) as file:
            file.write(copy.read_bytes())
            file.sync()
    catalog = open_catalog(f"sqlite:///{unfinished}")
    catalog.upgrade()
    return catalog


def _anchor(catalog_path: Path, store: Store, keys: Keys) -> ledger.Head:
    catalog = open_catalog(f"sqlite:///{catalog_path}")
    try:
        return ledger.anchor(catalog, store, keys.signer)
    finally:
        catalog.dispose()
