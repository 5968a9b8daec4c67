"""The installation's own records as a set: catalog with ledger, configuration, and Prefect's database.

They go into every store after each procedure, for the same recipients and signed like any set, under a prefix of their
own. No restore takes them: only `pulih rebuild` reads them (docs/disaster.md).
"""

import hashlib
import json
import logging
import sqlite3
import tarfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from recovery.copies import put_into_every_store
from recovery.crypto import generate_identity, read_identity
from recovery.errors import ObjectExistsError, PulihError, RecordsError
from recovery.installation import RELEASE, Installation
from recovery.manifest import SIGNATURE, Manifest, Part
from recovery.own_records_configuration import write_configuration
from recovery.own_records_databases import NOT_PUT, copy_catalog, copy_prefect_database
from recovery.points import reached
from recovery.records import ledger, schema
from recovery.records.catalog import open_catalog
from recovery.records.ledger import Head
from recovery.records.missed_copies import Faults, noting, record_missed
from recovery.restore_guide import put_restore_guide
from recovery.sets import BackupSet, open_set, protect_set, put_set, set_prefix
from recovery.stores.base import Store, is_key
from recovery.stream import decrypt, encrypt

logger = logging.getLogger(__name__)

# No application and no work unit may have this name: its folder is that of the records.
RESERVED = "pulih"
COMPONENT = "rekaman"
CATALOG = "catalog.sqlite"
DATA = "data.tar.zst.age"
QUALITY = "quality.json"
# With what the keys of all their sets begin, in a store.
RECORDS = set_prefix(RESERVED, RESERVED, COMPONENT)


def back_up_records(installation: Installation, procedure_id: str, *, needs_prefect: bool = True) -> str:
    """Given the procedure that was just concluded, put a set of the installation's records into every store; return
    its name. `needs_prefect`: whether it is an error that Prefect's database cannot be copied; else the set says so.

    Each store gets the guide, too: with it, a key and the escrow sheet everything can be rebuilt. A store that is
    down is passed over; one that does not take or lock it is on record until a synchronisation makes it good. Raises
    RecordsError, KeyMissingError, StoreError when no store takes it.
    """
    # Not under the procedure's own name: it is closed, so that the guard may remove what lies there at any time.
    holder = f"{COMPONENT}-{procedure_id}"
    directory = installation.scratch(holder, COMPONENT)
    try:
        contents = directory / "isi"
        with _staging_in(directory):
            contents.mkdir(mode=0o700)
            head, warnings = _collect(installation, contents, needs_prefect)
            name = f"{COMPONENT}_{head.sequence:012d}_{uuid.uuid4().hex[:12]}"
            staged, manifest = _stage(installation, directory, contents, name, procedure_id, head, warnings)
        reached("records: staged")
        prefix = set_prefix(RESERVED, RESERVED, name)

        faults: Faults = {}
        holding: list[str] = []

        def put(store: Store) -> None:
            with noting(faults, store.name, "missing"):
                put_set(store, prefix, staged, manifest, installation.signer)
            holding.append(store.name)
            with noting(faults, store.name, "unlocked"):
                protect_set(store, prefix, manifest)
            put_restore_guide(store, installation.signer.public_pem)

        try:
            put_into_every_store(installation, put)
        finally:
            if holding:  # of a set that no store has, nothing can be made good
                _record(installation, prefix, faults, manifest, procedure_id)
        if not holding:
            # Nobody foresees this name: somebody watched it appear. The next try has another one.
            raise ObjectExistsError(
                f"every store holds something else where the records {name} were to be put",
                state=NOT_PUT,
                hint="somebody has the stores' credentials: change them, tell the auditor, and retry the run",
            )
        logger.info("put the records up to entry %s of the ledger into the stores as %s", head.sequence, name)
    finally:
        installation.sweep(holder)  # plain records must not lie there longer than needed
    return name


def stored_records_of(keys: Iterable[str]) -> list[str]:
    """Given keys of a store, return the prefixes of the sets of records that were completed among them. What somebody
    put there under a name that no store of ours takes is passed over: asking for it would fail."""
    return sorted(
        key.removesuffix(f"/{SIGNATURE}")
        for key in keys
        if key.startswith(RECORDS) and key.endswith(f"/{SIGNATURE}") and is_key(key)
    )


def open_records(installation: Installation, store: Store, prefix: str) -> BackupSet:
    """Given a store and where a set of the records lies in it, return that set; the signature alone says that it is
    ours, since no catalog lists it. Raises as open_set()."""
    trusted_pem = installation.signer.trusted_pem
    return open_set(store, prefix, trusted_pem, application=RESERVED, component=COMPONENT, manifest_sha256=None)


@contextmanager
def _staging_in(directory: Path) -> Iterator[None]:
    """Let a disk that does not take, or does not give back, what is gathered on it be told with the records' state."""
    try:
        yield
    except OSError as error:
        raise RecordsError(
            f"the records cannot be gathered in {directory} ({error.strerror})",
            state=NOT_PUT,
            hint="look at the disk of the state directory and the space on it, and retry the run",
        ) from error


def _record(installation: Installation, prefix: str, faults: Faults, manifest: Manifest, procedure_id: str) -> None:
    """Record where the set is not as it should be."""
    # A store that knows no locks, a directory, fails to lock only when all of it is gone.
    noted = {
        store: (fault, message)
        for store, (fault, message) in faults.items()
        if fault != "unlocked" or installation.stores[store].lock != "none"
    }
    if noted:
        with installation.catalog.begin() as connection:
            record_missed(
                connection, "records", prefix, noted, until=manifest.retention_until, procedure_id=procedure_id
            )


def _collect(installation: Installation, contents: Path, needs_prefect: bool) -> tuple[Head, list[str]]:
    """Write everything that is to be kept; return the ledger's head in it, and what is wrong with it."""
    copy = contents / CATALOG
    copy_catalog(installation.catalog, copy)
    head, findings = _examine(copy)
    write_configuration(installation, contents)
    prefect = installation.office.prefect_database
    if prefect is None:
        findings.append("Prefect's database is not in it: office.prefect_database names none")
    else:
        try:
            # Not into it at once: half a copy is none.
            copy = copy_prefect_database(prefect, contents.parent)
            copy.rename(contents / copy.name)
        except PulihError as error:
            if needs_prefect:
                raise
            findings.append(f"Prefect's database is not in it: {error.message}")
    return head, findings


def _examine(copy: Path) -> tuple[Head, list[str]]:
    """Prove that the copy is a whole database; what is wrong in the ledger is kept all the same, and said."""
    with closing(sqlite3.connect(copy)) as connection:
        found = connection.execute("PRAGMA integrity_check").fetchall()
    if found != [("ok",)]:  # pragma: no cover - SQLite damages what it has just written
        raise RecordsError(f"the copy of the catalog is damaged ({found[0][0]})", state=NOT_PUT, hint="retry the run")
    catalog = open_catalog(f"sqlite:///{copy}")
    try:
        with catalog.read() as reading:
            return ledger.head(reading), ledger.verify(reading)
    finally:
        catalog.dispose()


def _stage(
    installation: Installation,
    directory: Path,
    contents: Path,
    name: str,
    procedure_id: str,
    head: Head,
    warnings: list[str],
) -> tuple[dict[str, Path], Manifest]:
    """Encrypt what was collected, prove that it decrypts to what it was, and describe it."""
    archive, data, quality = directory / "data.tar", directory / DATA, directory / QUALITY
    with tarfile.open(archive, "x", format=tarfile.PAX_FORMAT) as tar:
        tar.add(contents, arcname=".")
    recipients = [installation.keys.operations_recipient, installation.keys.escrow_recipient]
    # Never written anywhere: it only shows that what will be stored can be opened.
    identity, recipient = generate_identity()
    with archive.open("rb", buffering=0) as plain:
        digests = encrypt(plain.readinto, data, [*recipients, recipient])
    with data.open("rb", buffering=0) as stored:
        decrypt(stored.readinto, lambda _piece: None, read_identity(identity.encode(), "of this run"), digests)
    files = {str(path.relative_to(contents)): _sha256(path) for path in sorted(contents.rglob("*")) if path.is_file()}
    verdict = {"state": "pass", "checks": ["integrity_check", "ledger", "decrypted"], "ledger": warnings}
    quality.write_bytes(json.dumps(verdict, ensure_ascii=False, indent=1, sort_keys=True).encode())
    now = datetime.now(UTC)
    manifest = Manifest(
        backup_id=name,
        name=name,
        application=RESERVED,
        component=COMPONENT,
        kind="files",
        unit=RESERVED,
        moment=schema.timestamp(now),
        procedure_id=procedure_id,
        schedule_number="",
        release=RELEASE,
        parts=(Part.encrypted(DATA, "data", digests), Part.plain(QUALITY, "quality", quality.read_bytes())),
        tools={"sqlite": sqlite3.sqlite_version},
        target={"kind": "records", "office": installation.office.name},
        snapshot=_snapshot(head),
        fingerprint={"kind": "records", "objects": files, "structure": {}, "totals": {"files": len(files)}},
        verdict="pass",
        recipients=recipients,
        retention_until=schema.timestamp(now + timedelta(days=installation.office.records.days)),
        warnings=warnings,
    )
    return {DATA: data, QUALITY: quality}, manifest


def _snapshot(head: Head) -> dict[str, Any]:
    return {"ledger_sequence": head.sequence, "ledger_hash": head.hash}


def _sha256(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "size": path.stat().st_size}
