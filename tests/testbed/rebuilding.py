"""What is done with a rebuilt installation; and a rebuild while the one that it rebuilds goes on: from a copy of its
off-site store, made object by object.

Not from that store itself: whoever rebuilds goes on with the ledger there, so the other one could not.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from recovery.installation import Installation
from recovery.inventory import load_inventory
from recovery.rebuild import Rebuilt, rebuild
from recovery.rebuild_sets import take_inventory
from recovery.rebuild_target import SQLITE
from recovery.records import backups, destructions, ledger, ledger_heads, officials
from recovery.records.backups import Backup
from recovery.settings import StoreSettings
from tests.testbed.small_office import SmallOffice
from tests.testbed.two_stores import OFFSITE


def office_in(office: SmallOffice, installation: Installation) -> SmallOffice:
    """Given an office and what was rebuilt of it, enrol its officials anew; return the office there."""
    with installation.catalog.read() as connection:
        people = officials.list_all(connection)
    key = installation.enrolment_key()
    phones = {each.nip: officials.enrol(installation.catalog, each.nip, key, renew=True).secret for each in people}
    return replace(office, installation=installation, phones=phones)


def rebuild_meanwhile(office: SmallOffice) -> None:
    """Rebuild into a fresh directory: every set that was secured before and is not destroyed since is listed, one that
    was destroyed is not offered without a word, and the ledger goes on behind the head that was found."""
    installation = office.installation
    store, trusted_pem = installation.store(OFFSITE), installation.signer.trusted_pem
    before = _backups(installation)
    head = ledger_heads.newest_head(store, trusted_pem)
    if head is None:
        raise AssertionError("the off-site store holds no head")
    found = {each.manifest.backup_id for each in take_inventory(store, trusted_pem).sets.values()}
    _require_listed(installation, before, found, "the inventory of the off-site store")
    with tempfile.TemporaryDirectory(dir=office.root, prefix="rebuilt-") as name:
        copy = Path(name) / "store"
        _copy(office.root / "store-terpisah", [info.key for info in store.list()], copy)
        done = rebuild(
            StoreSettings(name=OFFSITE, path=str(copy)),
            Path(name) / "new",
            installation.signer.fingerprint,
            office.root / "keys" / "operations",
            store_name=OFFSITE,
            # In the inventory of the records the catalog is the one that is in use.
            catalog=SQLITE,
        )
        if done.inventory is None:
            raise AssertionError(f"nothing was rebuilt from the records: {done.unproven}")
        rebuilt = load_inventory(done.inventory).installation()
        try:
            listed = _require_whole(rebuilt, head)
        finally:
            rebuilt.catalog.dispose()
    _require_listed(installation, before, listed, "the rebuilt catalog")
    _require_said(before, listed, done)


def _copy(directory: Path, keys: list[str], copy: Path) -> None:
    """As any program does that copies a directory in which others work."""
    for key in keys:
        (copy / key).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(directory / key, copy / key)
        except FileNotFoundError:
            continue  # destroyed since it was listed


def _require_whole(rebuilt: Installation, head: ledger.Head) -> set[str]:
    """Return the ids of the sets that the rebuilt catalog offers in the off-site store."""
    trusted_pem = rebuilt.signer.trusted_pem
    heads = ledger_heads.read_heads(rebuilt.store(OFFSITE), trusted_pem)
    with rebuilt.catalog.read() as connection:
        wrong = [*ledger.verify(connection, heads, trusted_pem), *destructions.verify(connection)]
        last = ledger.head(connection)
    if wrong or head not in heads or heads[-1] != last:
        raise AssertionError(f"the rebuilt ledger ends at {last}, behind {head}: {wrong}")
    return {each.id for each in _backups(rebuilt) if each.state == "secured" and OFFSITE in each.stores}


def _require_listed(installation: Installation, before: list[Backup], listed: set[str], where: str) -> None:
    destroyed = {each.id for each in _backups(installation) if each.state == "destroyed"}
    wanted = {each.id: each.name for each in before if each.state == "secured"}
    missing = wanted.keys() - destroyed - listed
    if missing:
        raise AssertionError(f"{where} does not list {[wanted[id] for id in missing]}")


def _require_said(before: list[Backup], listed: set[str], done: Rebuilt) -> None:
    told = "\n".join(done.unproven)
    unsaid = [
        each.name for each in before if each.state == "destroyed" and each.id in listed and str(each.name) not in told
    ]
    if unsaid:
        raise AssertionError(f"the rebuilt catalog offers {unsaid}, which were destroyed, and says nothing of it")


def _backups(installation: Installation) -> list[Backup]:
    with installation.catalog.read() as connection:
        return backups.list_backups(connection)
