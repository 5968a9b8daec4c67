"""What a store holds, as far as it can be proven by keys that are trusted: sets, heads of the ledger, and the rest."""

from dataclasses import dataclass, field

from recovery.crypto import verify_signature
from recovery.errors import LedgerError, ObjectMissingError, ObjectTooLargeError, SetError, SignatureError
from recovery.keys_succession import FOLDER as KEYS
from recovery.manifest import MANIFEST, SIGNATURE, Manifest
from recovery.own_records import RESERVED
from recovery.records.ledger import FOLDER as HEADS
from recovery.records.ledger import Head, read_head
from recovery.restore_guide import GUIDE
from recovery.sets import LARGEST_MANIFEST, LARGEST_SIGNATURE, BackupSet, open_set
from recovery.stores.base import Store
from recovery.stores.s3_examination import PROBE

FORMS = "formulir/"
FARTHEST = 100_000


@dataclass
class Inventoried:
    """Proven sets by prefix, proven heads oldest first, the last number that any head has there, the keys of forms, and
    a sentence for all that is unproven."""

    sets: dict[str, BackupSet] = field(default_factory=dict)
    records: list[BackupSet] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    taken: int = 0
    forms: set[str] = field(default_factory=set)
    unproven: list[str] = field(default_factory=list)


def take_inventory(store: Store, trusted_pem: bytes) -> Inventoried:
    """Given a store and trusted keys, look at every object's name and at every manifest and head, and return what is
    proven. Parts are counted and measured; their bytes are read when they are restored. Raises StoreError.
    """
    found = Inventoried()
    folders: dict[str, set[str]] = {}
    for info in store.list():
        folder, _, file = info.key.rpartition("/")
        if info.key.startswith(HEADS):
            if file.endswith(".json"):
                _take_head(store, info.key, trusted_pem, found)
        elif info.key.startswith(FORMS):
            found.forms.add(info.key)
        elif folder.count("/") == 2:
            folders.setdefault(folder, set()).add(file)
        elif not _is_known(info.key):
            found.unproven.append(f"{info.key} belongs to nothing that is known")
    for prefix, files in folders.items():
        if not {MANIFEST, SIGNATURE} <= files:
            found.unproven.append(f"{prefix} was never completed: it has no signed manifest")
            continue
        try:
            backup_set = _opened(store, prefix, trusted_pem)
        except (SetError, ObjectMissingError, ObjectTooLargeError) as error:
            # Signature and digest errors are SetErrors, too; missing is what somebody removed since it was listed.
            found.unproven.append(f"{prefix}: {error.message}")
            continue
        if prefix.startswith(f"{RESERVED}/"):
            found.records.append(backup_set)
        else:
            found.sets[prefix] = backup_set
    found.records.sort(key=_sequence)
    found.taken = _last_number(store, found.heads)
    return found


def _is_known(key: str) -> bool:
    """Whether an object belongs to what every store holds beside sets, heads and forms, or is the doctor's."""
    return key.startswith(KEYS) or key == PROBE or ("/" not in key and key.startswith(GUIDE.removesuffix(".md")))


def _last_number(store: Store, heads: list[Head]) -> int:
    """The last number of a head that cannot be given again. Whoever writes to the store may have put any: one far
    from those that are proven is not believed."""
    newest = max((head.sequence for head in heads), default=0)
    names = [info.key.removeprefix(HEADS).partition(".")[0] for info in store.list(HEADS)]
    numbers = [int(name) for name in names if name.isascii() and name.isdecimal()]
    return max((number for number in numbers if number <= newest + FARTHEST), default=0)


def _take_head(store: Store, key: str, trusted_pem: bytes, found: Inventoried) -> None:
    try:
        found.heads.append(read_head(store, key, trusted_pem))
    except (SignatureError, LedgerError, ObjectTooLargeError) as error:
        found.unproven.append(f"{key}: {error.message}")


def _opened(store: Store, prefix: str, trusted_pem: bytes) -> BackupSet:
    content = store.read(f"{prefix}/{MANIFEST}", limit=LARGEST_MANIFEST)
    verify_signature(trusted_pem, content, store.read(f"{prefix}/{SIGNATURE}", limit=LARGEST_SIGNATURE))
    manifest = Manifest.from_bytes(content)
    return open_set(
        store,
        prefix,
        trusted_pem,
        application=prefix.split("/")[1],
        component=manifest.component,
        manifest_sha256=manifest.sha256,
    )


def _sequence(backup_set: BackupSet) -> int:
    return int(backup_set.manifest.snapshot.get("ledger_sequence", 0))
