"""What the stores lack of each other: looked at the same way whether it is then put there or only told."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from recovery.copies import stores_of_schedule
from recovery.errors import DigestError, ObjectTooLargeError, PulihError, SetError, SignatureError, StoreError
from recovery.installation import Installation
from recovery.keys_succession import FOLDER as KEYS
from recovery.keys_succession import recorded_successions
from recovery.manifest import SIGNATURE
from recovery.own_records import COMPONENT, RESERVED
from recovery.procedures.documents import form_key
from recovery.records import backups, destructions, forms, ledger_heads, procedures
from recovery.records.backups import Backup
from recovery.records.forms import Form
from recovery.restore_guide import GUIDE, lacks_restore_guide
from recovery.sets import open_set, set_prefix
from recovery.stores.base import Store

Kind = Literal["set", "records", "form", "head", "key", "guide"]
FORMS = "formulir/"
RECORDS = set_prefix(RESERVED, RESERVED, COMPONENT)


@dataclass(frozen=True)
class Missing:
    """Something that a store lacks. `subject`: a backup's name, or the key of an object."""

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
    keys = _keys_of_stores(installation, lack)
    for store_name in [name for name in sorted(keys) if only in ("", name)]:
        there = keys[store_name]
        elsewhere = set().union(*keys.values()) - there
        store = installation.store(store_name)
        try:
            for backup, wanted in backups_to_hold(installation):
                if store_name in wanted and not _holds(installation, store, backup, wanted, lack):
                    lack.missing.append(Missing("set", str(backup.name), store_name))
            for kind, key in _lacking(installation, there, elsewhere, papers, gone):
                lack.missing.append(Missing(kind, key, store_name))
            if lacks_restore_guide(store, installation.signer.public_pem):
                lack.missing.append(Missing("guide", GUIDE, store_name))
        except StoreError as error:  # it went down meanwhile: the other stores do not wait for it
            lack.down.add(store_name)
            lack.trouble(store_name, "store", error)
    return lack


def _lacking(
    installation: Installation, there: set[str], elsewhere: set[str], papers: list[Form], gone: set[str]
) -> Iterator[tuple[Kind, str]]:
    """Yield what a store lacks beside sets, by the keys that it has and those that only the others have."""
    for paper in papers:
        if form_key(paper) not in there:
            yield "form", form_key(paper)
    for key in sorted(elsewhere):
        if key.startswith(ledger_heads.FOLDER) and key.endswith(".json"):
            yield "head", key
        elif key.startswith(RECORDS) and key.endswith(f"/{SIGNATURE}") and key.split("/")[2] not in gone:
            yield "records", key.removesuffix(f"/{SIGNATURE}")
    for statement in recorded_successions(installation.keys.signing_key):
        if statement.key not in there:
            yield "key", statement.key


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
        open_set(
            store,
            set_prefix(backup.unit, backup.application, str(backup.name)),
            installation.signer.trusted_pem,
            application=backup.application,
            component=backup.component,
            manifest_sha256=backup.manifest_sha256,
        )
    except (DigestError, SignatureError, ObjectTooLargeError) as error:
        error.hint = "nothing is ever overwritten: move the damaged copy away by hand, then run `pulih sync` again"
        lack.trouble(store.name, str(backup.name), error)
        return True
    except SetError:
        return False
    except StoreError as error:
        store.check()  # raises when all of the store is out of reach, and not this one set
        lack.trouble(store.name, str(backup.name), error)
        return True
    # One that waited for a copy which is wanted no longer is read once more before it counts.
    waits_in_vain = backup.state == "named" and set(wanted) <= set(backup.stores)
    return store.name in backup.stores and not waits_in_vain
