"""A small office with a second store, and what can happen to a store."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recovery.installation import Installation
from recovery.records import backups
from recovery.records.backups import Backup
from recovery.settings import StoreSettings
from recovery.stores.base import TEMPORARY, Store
from tests.testbed.small_office import SmallOffice, describe

MAIN, OFFSITE = "utama", "terpisah"


def add_offsite_store(office: SmallOffice) -> Path:
    """Let the office's schedule keep its sets in a second directory, too; return that directory."""
    directory = office.root / "store-terpisah"
    directory.mkdir()
    office.installation.stores[OFFSITE] = StoreSettings(name=OFFSITE, path=str(directory), title="Gedung terpisah")
    for name, schedule in office.installation.schedules.items():
        office.installation.schedules[name] = schedule.model_copy(update={"offsite_store": OFFSITE})
    describe(office)
    return directory


@contextmanager
def without_its_secrets(installation: Installation, name: str, field: str) -> Iterator[None]:
    """A store that is a bucket while the block runs, of which a file is missing on this machine: that of its access
    key (`access_key`), or the CA's certificate (`ca_file`). So it is after a rebuild from the other store."""
    known, secrets = installation.stores[name], Path(__file__)
    given = {"access_key": f"file:{secrets}", "secret_key": f"file:{secrets}", "ca_file": str(secrets)}
    given[field] = "/nonexistent/pulih" if field == "ca_file" else "file:/nonexistent/pulih"
    where = {"kind": "s3", "endpoint": "https://tidak-ada.invalid", "bucket": "cadangan", "attempts": 1}
    installation.stores[name] = StoreSettings.model_validate({"name": name, **where, **given})
    try:
        yield
    finally:
        installation.stores[name] = known


@contextmanager
def down(directory: Path) -> Iterator[None]:
    """A store whose mount is missing while the block runs."""
    aside = directory.with_name(f"{directory.name}-unmounted")
    directory.rename(aside)
    try:
        yield
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        aside.rename(directory)


def flip(path: Path, position: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def backup_of(office: SmallOffice, procedure_id: str, component: str = "simpel/data") -> Backup:
    """What a procedure made of a component."""
    with office.installation.catalog.read() as connection:
        found = backups.of_procedure(connection, procedure_id, component)
    assert found is not None
    return found


def objects(directory: Path) -> dict[str, bytes]:
    """All that lies in a store by its key, without what a killed put left: it counts for nothing and is swept."""
    found = {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    return {
        key: content
        for key, content in found.items()
        if TEMPORARY not in key and (not key.endswith(".json.sig") or key.removesuffix(".sig") in found)
    }


def objects_of(store: Store) -> dict[str, bytes]:
    """All that lies in a store of whatever kind by its key, as whoever restores reads it; what is small enough."""
    return {info.key: store.read(info.key) for info in store.list()}


def part_of(directory: Path, backup: Backup) -> Path:
    """The data of a set in a store."""
    (path,) = directory.glob(f"*/*/{backup.name}/data.*.age")
    return path
