"""Recovery from nothing: a store, an identity and the fingerprint on the escrow sheet give a working installation.

Everything is made in one new directory, but for a catalog in PostgreSQL. The catalog comes last, so that a call that
died is simply repeated.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recovery.crypto import read_identities
from recovery.installation import private_directory
from recovery.keys import read_file
from recovery.own_records import CATALOG
from recovery.points import reached
from recovery.rebuild_catalog import FROM_MANIFESTS, begin_catalog, fill
from recovery.rebuild_forms import fetch_forms
from recovery.rebuild_places import Keys, choose_store_name, prepare_keys, write_inventory
from recovery.rebuild_records import Chooser, unopened_backups
from recovery.rebuild_sets import take_inventory
from recovery.rebuild_target import STATE, Target, choose_target, present_target
from recovery.rebuild_trust import find_trusted_keys, newest_first
from recovery.records import ledger, ledger_heads
from recovery.restore_guide import put_restore_guide
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import Store

RECORDS = "records"


@dataclass
class Rebuilt:
    """What was rebuilt: from which set of records (or FROM_MANIFESTS), where to, and all that could not be proven."""

    source: str
    directory: Path
    inventory: Path | None
    catalog: str
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

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Rebuilt":
        """Given what to_json() returned, return it as it was."""
        inventory = Path(data["inventory"]) if data["inventory"] else None
        return cls(**{**data, "directory": Path(data["directory"]), "inventory": inventory})


def rebuild(
    settings: StoreSettings,
    directory: Path,
    fingerprint: str,
    identity_file: Path,
    *,
    store_name: str = "",
    catalog: str = "",
) -> Rebuilt:
    """Given a store, a new directory, the fingerprint on the escrow sheet and the file of an identity (operations or
    escrow), make an installation there: catalog, ledger, inventory, keys and forms; return what is proven and what not.

    `store_name` is what the inventory calls the store; needed where it names several. `catalog` is the reference to the
    URL of the database for the catalog, or `sqlite`; empty: as the inventory of the records has it. The store gets the
    new signing key's statement, guide and head. Raises ConflictError for a catalog that is not empty, SignatureError
    when no key has the fingerprint, KeyMissingError when the identity opens none of the records or the URL cannot be
    read, RecordsError, StoreError, SetError.
    """
    directory = directory.absolute()
    target = present_target(directory, catalog)
    told = target.refuse_used()
    store = open_store(settings)
    trusted_pem, successions, unproven = find_trusted_keys(store, fingerprint)
    records = directory / RECORDS
    if told is not None:  # the call that died had come so far
        document = records if told["inventory"] else None
        keys = prepare_keys(directory, trusted_pem, successions, identity_file, document)
        return _conclude(target, told, store, keys)
    identities = read_identities(read_file(identity_file), str(identity_file))
    by_age = newest_first(trusted_pem, successions)
    found = take_inventory(store, by_age)
    unproven += found.unproven + unopened_backups(found, identity_file, identities)
    private_directory(directory / STATE)
    source = Chooser(found, identities, identity_file, by_age, records, target.unfinished, unproven).unpack()
    reached("rebuild: records unpacked")
    document = None if source is None else records
    target = choose_target(directory, document, catalog)
    target.refuse_used()
    keys = prepare_keys(directory, trusted_pem, successions, identity_file, document)
    name = choose_store_name(document, store_name)
    inventory = None
    if document is not None:
        inventory = write_inventory(directory, document, keys, settings, name, target.reference)
    reached("rebuild: keys and inventory written")
    for statement in keys.successions:
        store.put_bytes(statement.key, statement.to_bytes())
    put_restore_guide(store, keys.signer.public_pem)
    filled = begin_catalog(target.unfinished, None if source is None else records / CATALOG)
    try:
        added, more = fill(filled, found, name, keys.signer, keys.signer.trusted_pem, source)
        unproven += more
        kept = fetch_forms(store, filled, found.forms, directory / STATE / "formulir", unproven)
        with filled.read() as connection:
            head = ledger.head(connection)
    finally:
        filled.dispose()
    reached("rebuild: catalog filled")
    done = Rebuilt(
        source=FROM_MANIFESTS if source is None else source.manifest.name,
        directory=directory,
        inventory=inventory,
        catalog=target.title,
        fingerprint=keys.signer.fingerprint,
        sets=len(found.sets),
        added=added,
        forms=kept,
        ledger_sequence=head.sequence,
        to_do=keys.to_do,
        unproven=list(dict.fromkeys(unproven)),
    ).to_json()
    target.put(head, done)
    reached("rebuild: catalog in place")
    return _conclude(target, done, store, keys)


def _conclude(target: Target, told: dict[str, Any], store: Store, keys: Keys) -> Rebuilt:
    """Anchor the ledger of a catalog that is in its place, and return what is told of it."""
    catalog = target.open()
    try:
        ledger_heads.anchor(catalog, store, keys.signer)
    finally:
        catalog.dispose()
    target.conclude()
    return Rebuilt.from_json(told)
