"""Taking a set out of a store: checked, and decrypted unless it is to be sent on as it is. It stands whole or not."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery.copies import read_a_good_copy
from recovery.crypto import verify_signature
from recovery.durable import NewFile, sync_directory, write_error
from recovery.errors import ConflictError, NotFoundError, SetError, StoreError, StoreFullError
from recovery.installation import Installation, private_directory, remove_tree
from recovery.manifest import MANIFEST, SIGNATURE, Part
from recovery.records import backup_entries, backups, destructions, ledger
from recovery.records.backups import Backup
from recovery.sets import BackupSet, open_set, set_prefix

ENCRYPTED = ".zst.age"
FETCHED = "set.fetched"

_NOTHING = "no file of it was left behind"


@dataclass(frozen=True)
class FetchedFile:
    """One file that was written."""

    file: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Fetched:
    """A set that was fetched: from where, to where, and what it consists of there."""

    name: str
    store: str
    directory: Path
    moment: str
    encrypted: bool
    files: tuple[FetchedFile, ...]


def fetch(installation: Installation, name: str, parent: Path, *, store_name: str = "", encrypted: bool) -> Fetched:
    """Given a backup's name and a directory, write its set into a new directory of that name there, and return it.

    Plain dumps by default, named as in RESTORE.md; with `encrypted` the objects as they are. Without a store's name the
    first copy that is good is taken, and the ledger names those that were not. All of it was checked: signature,
    manifest as recorded, every digest. Nothing is overwritten, and what fails or is interrupted leaves nothing under
    the name. That plain data left the store is recorded in the ledger before the first byte is written.

    Raises NotFoundError, ConflictError when something has that name, SetError, KeyMissingError, StoreError.
    """
    backup = _backup(installation, name)
    if not store_name:
        fetched, _store = read_a_good_copy(
            installation,
            backup.stores,
            lambda store: _fetch(installation, backup, parent, store.name, encrypted),
            name=name,
            procedure_id=backup.procedure_id,
            component=backup.key,
        )
        return fetched
    try:
        return _fetch(installation, backup, parent, store_name, encrypted)
    except (SetError, StoreError) as error:
        others = [other for other in backup.stores if other != store_name]
        if others and not isinstance(error, StoreFullError):
            error.hint = f"take the copy in {', '.join(others)}: add --store {others[0]}"
        raise


def _backup(installation: Installation, name: str) -> Backup:
    with installation.catalog.read() as connection:
        backup = backups.by_name(connection, name)
        if backup is not None:
            destructions.refuse_destroyed(connection, backup)
            backup_entries.require_as_recorded(connection, backup)
    if backup is None or not backup.stores:
        raise NotFoundError(
            f"no backup in a store has the name {name!r}",
            state="nothing was read",
            hint="`pulih backups` lists the names",
        )
    return backup


def _fetch(installation: Installation, backup: Backup, parent: Path, store_name: str, encrypted: bool) -> Fetched:
    directory = parent / str(backup.name)
    if directory.exists() or directory.is_symlink():
        raise ConflictError(
            f"{directory} already exists", state="it was left as it is", hint="remove it or name another directory"
        )
    found = open_set(
        installation.store(store_name),
        set_prefix(backup.unit, backup.application, str(backup.name)),
        installation.signer.trusted_pem,
        application=backup.application,
        component=backup.component,
        manifest_sha256=backup.manifest_sha256,
    )
    identity = None if encrypted else installation.operations_identity(found.manifest.recipients)
    parts = [part for part in found.manifest.parts if encrypted or part.cipher_sha256 is not None]
    private_directory(parent)
    _require_space(parent, sum(part.stored_size if encrypted else part.plain_size for part in parts))
    _record(installation, backup, store_name, encrypted)
    # Under a name of its own until all of it is there: a killed fetch is not taken for a set.
    unfinished = _unfinished_directory(parent, str(backup.name))
    try:
        files = [_write(found, part, unfinished, identity) for part in parts]
        if encrypted:
            content, signature = found.manifest.to_bytes(), found.store.read(f"{found.prefix}/{SIGNATURE}")
            verify_signature(installation.signer.trusted_pem, content, signature)
            files += [_write_small(unfinished, MANIFEST, content), _write_small(unfinished, SIGNATURE, signature)]
        _put_in_place(unfinished, directory)
    finally:
        remove_tree(unfinished)
    return Fetched(str(backup.name), store_name, directory, backup.moment, encrypted, tuple(files))


def _unfinished_directory(parent: Path, name: str) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".belum-selesai", dir=parent))
    except OSError as error:
        raise write_error(error, str(parent), state="nothing was written") from error


def _require_space(parent: Path, needed: int) -> None:
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise StoreFullError(
            f"the set needs {needed} bytes in {parent} and {free} are free",
            state="nothing was written",
            hint="name a directory on a larger disk",
        )


def _record(installation: Installation, backup: Backup, store_name: str, encrypted: bool) -> None:
    facts = {"name": backup.name, "store": store_name, "encrypted": encrypted, "manifest": backup.manifest_sha256}
    with installation.catalog.begin() as connection:
        ledger.append(connection, FETCHED, facts, procedure_id=backup.procedure_id, component=backup.key)


def _write(found: BackupSet, part: Part, directory: Path, identity: Any) -> FetchedFile:
    if identity is None:
        _new_file(directory / part.file, lambda write: found.copy(part, write))
        return FetchedFile(part.file, part.stored_size, part.stored_sha256)
    name = part.file.removesuffix(ENCRYPTED)
    _new_file(directory / name, lambda write: found.restore(part.role, identity, write))
    return FetchedFile(name, part.plain_size, part.plain_sha256)


def _write_small(directory: Path, file: str, content: bytes) -> FetchedFile:
    _new_file(directory / file, lambda write: write(memoryview(content)))
    return FetchedFile(file, len(content), hashlib.sha256(content).hexdigest())


def _new_file(path: Path, fill: Callable[[Callable[[memoryview], None]], None]) -> None:
    with NewFile(path) as file:
        fill(file.write)
        file.sync()


def _put_in_place(unfinished: Path, directory: Path) -> None:
    try:
        unfinished.rename(directory)
    except OSError as error:  # pragma: no cover - a disk that breaks, or turns read-only, between two calls
        raise write_error(error, str(directory), state=_NOTHING) from error
    sync_directory(directory.parent)
