"""What the stores lack of each other: looked at the same way whether it is then put there or only told."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from recovery.copies import stores_of_schedule
from recovery.errors import DigestError, ObjectUnreadableError, PulihError, SetError, SignatureError, StoreError
from recovery.installation import Installation
from recovery.keys_succession import FOLDER as KEYS
from recovery.keys_succession import recorded_successions
from recovery.manifest import SIGNATURE
from recovery.own_records import RECORDS, open_records, stored_records_of
from recovery.procedures.documents import form_key
from recovery.records import backups, destructions, forms, ledger_heads, procedures
from recovery.records.backups import Backup
from recovery.records.forms import Form
from recovery.records.missed_copies import Missed, missed_copies
from recovery.restore_guide import GUIDE, lacks_restore_guide
from recovery.sets import open_set, set_prefix
from recovery.stores.base import Store
from recovery.stores.one_object import read_one

PURPOSE = "make the stores equal"
Kind = Literal["set", "records", "lock", "form", "head", "key", "guide"]
FORMS = "formulir/"


@dataclass(frozen=True)
class Missing:
    """Something that a store lacks. `subject`: a backup's name, the prefix of a set of records, or an object's key."""

    kind: Kind
    subject: str
    store: str


@dataclass(frozen=True)
class Trouble:
    """Why something could not be looked at or put."""

    store: str
    subject: str
    message: str
    hint: str


@dataclass
class Lack:
    """What all stores lack, what was in the way of looking, and the names of the stores that could not be looked at."""

    missing: list[Missing] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    errors: list[PulihError] = field(default_factory=list)

    def trouble(self, store: str, subject: str, error: PulihError) -> None:
        """Take up an error."""
        self.troubles.append(Trouble(store, subject, error.message, error.hint))
        self.errors.append(error)


def look(installation: Installation, only: str = "") -> Lack:
    """Given an installation, say what each of its stores lacks; only what `only` lacks when it names one.

    Raises NotFoundError when there is no store of that name. A store that cannot be read becomes a trouble.
    """
    if only:
        installation.store(only)
    lack = Lack()
    with installation.catalog.read() as connection:
        gone = destructions.given_up(connection)
        papers = forms.list_all(connection)
        copies = missed_copies(connection)
    keys = _keys_of_stores(installation, lack)
    for store_name in [name for name in sorted(keys) if only in ("", name)]:
        there = keys[store_name]
        others = set().union(*(held for name, held in keys.items() if name != store_name))
        missed = [each for each in copies if each.store == store_name]
        store = installation.store(store_name)
        try:
            for backup, wanted in backups_to_hold(installation):
                if store_name in wanted and not _holds(installation, store, backup, wanted, lack):
                    lack.missing.append(Missing("set", str(backup.name), store_name))
            for kind, key in _lacking(installation, there, others, papers, gone, missed):
                lack.missing.append(Missing(kind, key, store_name))
            for prefix in _unlocked(installation, store, there, gone, missed, lack):
                lack.missing.append(Missing("lock", prefix, store_name))
            if lacks_restore_guide(store, installation.signer.public_pem):
                lack.missing.append(Missing("guide", GUIDE, store_name))
        except StoreError as error:  # it went down meanwhile: the other stores do not wait for it
            lack.down.add(store_name)
            lack.trouble(store_name, "store", error)
    return lack


def _lacking(
    installation: Installation,
    there: set[str],
    others: set[str],
    papers: list[Form],
    gone: set[str],
    missed: list[Missed],
) -> Iterator[tuple[Kind, str]]:
    """Yield what a store lacks beside sets, by the keys that it has and those that the others have. Under a name of
    what it did not take lies something else, whatever it looks like."""
    lacked = {each.key if each.kind == "form" else f"{each.key}/{SIGNATURE}" for each in missed if _is_lacking(each)}
    for paper in papers:
        if form_key(paper) not in there - lacked:
            yield "form", form_key(paper)
    elsewhere = others - (there - lacked)
    for key in sorted(elsewhere):
        if key.startswith(ledger_heads.FOLDER) and key.endswith(".json"):
            yield "head", key
    for prefix in stored_records_of(elsewhere):
        if prefix.rpartition("/")[2] not in gone:
            yield "records", prefix
    for statement in recorded_successions(installation.keys.signing_key):
        if statement.key not in there:
            yield "key", statement.key


def _is_lacking(missed: Missed) -> bool:
    return missed.fault != "unlocked"


def _unlocked(
    installation: Installation, store: Store, there: set[str], gone: set[str], missed: list[Missed], lack: Lack
) -> Iterator[str]:
    """Yield the sets of the records that a store holds and does not lock. No catalog has which of them are locked, so
    the store is asked; a damaged one is a trouble, and one that it never took is dealt with elsewhere."""
    noted = {each.key: _is_lacking(each) for each in missed}
    for prefix in stored_records_of(there):
        if prefix.rpartition("/")[2] in gone or noted.get(prefix, False):
            continue
        if prefix in noted:
            yield prefix
            continue
        try:
            if read_one(store, functools.partial(lacks_lock, installation, store, prefix)):
                yield prefix
        except (SetError, ObjectUnreadableError) as error:
            lack.trouble(store.name, prefix, error)


def lacks_lock(installation: Installation, store: Store, prefix: str) -> str:
    """Given a set of the records in a store, return why it is not locked until its retention ends, or "" when it is or
    need not be. The signature is locked last, so its lock speaks for the whole set. Raises SetError, StoreError."""
    if installation.stores[store.name].lock == "none":
        return ""
    manifest = open_records(installation, store, prefix).manifest
    return store.lacks_lock(f"{prefix}/{SIGNATURE}", manifest.retention_until)


def backups_to_hold(installation: Installation) -> Iterator[tuple[Backup, tuple[str, ...]]]:
    """Yield every backup of which at least one whole copy was recorded, and the stores that are to hold it."""
    with installation.catalog.read() as connection:
        found = [
            (backup, stores_of_schedule(installation, procedures.get(connection, backup.procedure_id)))
            for backup in backups.list_backups(connection)
            if is_held(backup)
        ]
    yield from found


def is_held(backup: Backup) -> bool:
    """Whether a whole copy of the backup was recorded, and it was not removed by retention since."""
    return backup.state in ("named", "secured") and bool(backup.stores)


def _keys_of_stores(installation: Installation, lack: Lack) -> dict[str, set[str]]:
    keys: dict[str, set[str]] = {}
    for name in sorted(installation.stores):
        try:
            store = installation.store(name)
            keys[name] = {
                info.key for folder in (FORMS, ledger_heads.FOLDER, RECORDS, KEYS) for info in store.list(folder)
            }
        except PulihError as error:
            lack.down.add(name)
            lack.trouble(name, "store", error)
    return keys


def _holds(installation: Installation, store: Store, backup: Backup, wanted: tuple[str, ...], lack: Lack) -> bool:
    """Whether a store holds the whole set and the catalog knows it. A bad copy is a trouble and never replaced."""
    try:
        read_one(
            store,
            lambda: open_set(
                store,
                set_prefix(backup.unit, backup.application, str(backup.name)),
                installation.signer.trusted_pem,
                application=backup.application,
                component=backup.component,
                manifest_sha256=backup.manifest_sha256,
            ),
        )
    except (DigestError, SignatureError) as error:
        error.hint = "nothing is ever overwritten: move the damaged copy away by hand, then run `pulih sync` again"
        lack.trouble(store.name, str(backup.name), error)
        return True
    except SetError:
        return False
    except ObjectUnreadableError as error:
        lack.trouble(store.name, str(backup.name), error)
        return True
    # One that waited for a copy which is wanted no longer is read once more before it counts.
    waits_in_vain = backup.state == "named" and set(wanted) <= set(backup.stores)
    return store.name in backup.stores and not waits_in_vain
