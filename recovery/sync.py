"""Making the stores equal: what one of them lacks is copied from another, checked before and after.

A copy of a set is written as the backup writes it: parts, then the manifest, the signature last. So a synchronisation
may be killed anywhere and repeated, and may run beside backups, which put the very same bytes under the same names.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from recovery.copies import read_a_good_copy, stores_of_schedule, take_copy
from recovery.errors import DigestError, ProcedureError, PulihError, SetError, StoreError
from recovery.installation import Installation, private_directory, remove_tree
from recovery.keys_succession import recorded_successions
from recovery.points import reached
from recovery.procedures.documents import form_key
from recovery.procedures.file_digest import sha256_of_file
from recovery.procedures.working import LEASE_SECONDS, hold_set
from recovery.records import backups, forms, leases, ledger, ledger_heads, procedures
from recovery.records.backups import COPIED, Backup
from recovery.records.missed_copies import find_missed, record_mended, recording_taken
from recovery.restore_guide import put_restore_guide
from recovery.sets import BackupSet, open_set, protect_set, put_copy, set_prefix
from recovery.stores.base import Store
from recovery.sync_plan import PURPOSE, Lack, Missing, Trouble, is_held, look
from recovery.sync_records import copy_records, lock_records

RESOURCE = "sync"
SECURED = "set.secured"
STAGING = "sync-"


@dataclass(frozen=True)
class Synced:
    """What was missing, what of it was put (nothing in a dry run), and what was in the way."""

    dry_run: bool
    missing: tuple[Missing, ...]
    put: tuple[Missing, ...]
    troubles: tuple[Trouble, ...]
    error: PulihError | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {name: value for name, value in asdict(self).items() if name != "error"}


def sync(installation: Installation, *, store_name: str = "", dry_run: bool = False) -> Synced:
    """Given an installation, put into its stores (or into one) what they lack of each other.

    Sets, forms, heads of the ledger, signing keys' statements and RESTORE.md; own records that a store did not lock are
    locked. A backup of which a copy was missing is secured once all match. What cannot be read or put becomes a trouble
    and keeps nothing else from being put; `error` is the first of them. Nothing is overwritten or removed. Raises
    NotFoundError for an unknown store, LeaseHeldError beside another one.
    """
    if dry_run:
        lack = look(installation, store_name)
        return Synced(True, tuple(lack.missing), (), tuple(lack.troubles), _first(lack))
    with _alone(installation) as directory:
        lack = look(installation, store_name)
        put = []
        for missing in lack.missing:
            try:
                _put(installation, missing, directory)
            except PulihError as error:
                lack.trouble(missing.store, missing.subject, error)
                continue
            put.append(missing)
            reached("sync: put")
        if put:
            _anchor(installation, lack, store_name)
    return Synced(False, tuple(lack.missing), tuple(put), tuple(lack.troubles), _first(lack))


def _first(lack: Lack) -> PulihError | None:
    return lack.errors[0] if lack.errors else None


@contextmanager
def _alone(installation: Installation) -> Iterator[Path]:
    """Hold the lease of all synchronisations, and a private directory; what killed ones left is removed."""
    holder = f"{STAGING}{uuid.uuid4().hex[:12]}"
    lease = leases.acquire(installation.catalog, RESOURCE, holder, LEASE_SECONDS, PURPOSE)
    staging = installation.state_directory / "staging"
    try:
        with leases.keep(installation.catalog, lease):
            for left in staging.glob(f"{STAGING}*"):
                remove_tree(left)
            directory = private_directory(staging / holder)
            try:
                yield directory
            finally:
                remove_tree(directory)
    finally:
        leases.release(installation.catalog, lease)


def _put(installation: Installation, missing: Missing, directory: Path) -> None:
    match missing.kind:
        case "set":
            _copy_set(installation, missing, directory)
        case "records":
            copy_records(installation, missing.subject, missing.store, directory)
        case "lock":
            lock_records(installation, missing.subject, missing.store, directory.name)
        case "form":
            _put_form(installation, missing, directory)
        case "head":
            _copy_head(installation, missing)
        case "key":
            statements = recorded_successions(installation.keys.signing_key)
            statement = next(each for each in statements if each.key == missing.subject)
            installation.store(missing.store).put_bytes(statement.key, statement.to_bytes())
        case _:
            put_restore_guide(installation.store(missing.store), installation.signer.public_pem)


def _copy_set(installation: Installation, missing: Missing, directory: Path) -> None:
    with installation.catalog.read() as connection:
        backup = backups.by_name(connection, missing.subject)
    assert backup is not None  # noqa: S101 — a name that was given is never taken away
    with hold_set(installation, backup.id, directory.name, PURPOSE) as held:
        _copy_held_set(installation, backup.id, missing.store, directory / backup.id, held)


def _copy_held_set(
    installation: Installation, backup_id: str, target: str, directory: Path, held: leases.KeptLease
) -> None:
    with installation.catalog.read() as connection:
        backup = backups.get(connection, backup_id)
        procedure = procedures.get(connection, backup.procedure_id)
    if not is_held(backup):  # pragma: no cover - retention between looking and copying
        return
    sources = [name for name in backup.stores if name != target] or list(backup.stores)
    (manifest, signature), source = read_a_good_copy(
        installation,
        sources,
        lambda store: take_copy(_open(installation, store, backup), directory),
        name=str(backup.name),
        procedure_id=backup.procedure_id,
        component=backup.key,
    )
    reached("sync: set taken")
    store, trusted_pem = installation.store(target), installation.signer.trusted_pem
    staged = {part.file: directory / part.file for part in manifest.parts}
    put_copy(store, _prefix(backup), staged, manifest, signature, trusted_pem)
    _open(installation, store, backup)
    protection = protect_set(store, _prefix(backup), manifest)
    reached("sync: set put")
    remove_tree(directory)
    held.check()
    with installation.catalog.begin() as connection:
        current = backups.get(connection, backup_id)
        if not is_held(current):  # pragma: no cover - retention holds the same lease
            raise ProcedureError(
                f"{backup.name} was removed meanwhile",
                state="its new copy still lies in the store",
                hint="destroy that copy as the next retention proposes",
            )
        facts = {"name": backup.name, "store": target, "from": source, "protection": protection}
        keys = {"procedure_id": backup.procedure_id, "component": backup.key}
        ledger.append(connection, COPIED, {**facts, "manifest_sha256": manifest.sha256}, **keys)
        stores = [*current.stores, *([target] if target not in current.stores else [])]
        wanted = stores_of_schedule(installation, procedure)
        if current.state == "named" and not set(wanted) <= set(stores):
            backups.mark_copied(connection, backup_id, manifest.sha256, stores, manifest.retention_until)
            return
        backups.mark_secured(connection, backup_id, manifest.sha256, stores, manifest.retention_until)
        if current.state == "named":
            ledger.append(connection, SECURED, {"name": backup.name, "stores": stores}, **keys)


def _open(installation: Installation, store: Store, backup: Backup) -> BackupSet:
    return open_set(
        store,
        _prefix(backup),
        installation.signer.trusted_pem,
        application=backup.application,
        component=backup.component,
        manifest_sha256=backup.manifest_sha256,
    )


def _prefix(backup: Backup) -> str:
    return set_prefix(backup.unit, backup.application, str(backup.name))


def _put_form(installation: Installation, missing: Missing, directory: Path) -> None:
    with installation.catalog.read() as connection:
        form = next(each for each in forms.list_all(connection) if form_key(each) == missing.subject)
        missed = find_missed(connection, missing.subject, missing.store)
    path = Path(form.path)
    if not path.is_file() or sha256_of_file(path) != form.pdf_sha256:
        # The office's own copy is gone or was changed; the one in another store is as good when it has the SHA-256.
        path = _form_from_another_store(installation, missing, form, directory)
    key, store_name = missing.subject, missing.store
    with recording_taken(installation.catalog, "form", key, store_name, procedure_id=form.procedure_id):
        installation.store(store_name).put_file(key, path)
    if missed is not None:
        with installation.catalog.begin() as connection:
            record_mended(connection, "form", key, store_name, procedure_id=form.procedure_id)


def _form_from_another_store(installation: Installation, missing: Missing, form: forms.Form, directory: Path) -> Path:
    others = [name for name in sorted(installation.stores) if name != missing.store]
    path = directory / Path(missing.subject).name

    def take(store: Store) -> None:
        content = store.read(missing.subject, limit=64 << 20)
        path.write_bytes(content)
        if sha256_of_file(path) != form.pdf_sha256:
            raise DigestError(
                f"{missing.subject} in the store {store.name} is not the form that was issued",
                state="it was not copied",
                hint="the next store is asked; find out who changed this one",
            )

    read_a_good_copy(installation, others, take, name=missing.subject, procedure_id=form.procedure_id)
    return path


def _copy_head(installation: Installation, missing: Missing) -> None:
    """Copy a head of the ledger that another store holds; the signature first, as anchoring does."""
    target = installation.store(missing.store)

    def take(store: Store) -> tuple[bytes, bytes]:
        ledger_heads.read_head(store, missing.subject, installation.signer.trusted_pem)
        return store.read(missing.subject), store.read(f"{missing.subject}.sig")

    others = [name for name in sorted(installation.stores) if name != missing.store]
    (content, signature), _source = read_a_good_copy(installation, others, take, name=missing.subject)
    target.put_bytes(f"{missing.subject}.sig", signature)
    target.put_bytes(missing.subject, content)


def _anchor(installation: Installation, lack: Lack, only: str) -> None:
    """Sign the ledger's new head, which names what was copied, into every store that was looked at."""
    for name in sorted(installation.stores):
        if name in lack.down or only not in ("", name):
            continue
        try:
            ledger_heads.anchor(installation.catalog, installation.store(name), installation.signer)
        except (StoreError, SetError) as error:  # pragma: no cover - a store that goes down after its last object
            lack.trouble(name, "head", error)
