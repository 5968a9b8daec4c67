"""What a store holds, as far as it can be proven by keys that are trusted: sets, heads of the ledger, and the rest."""

import functools
from dataclasses import dataclass, field

from recovery.crypto import verify_signature
from recovery.errors import LedgerError, ObjectUnreadableError, SetError, SignatureError, StoreError
from recovery.keys_succession import FOLDER as KEYS
from recovery.manifest import MANIFEST, SIGNATURE, Manifest
from recovery.own_records import RESERVED
from recovery.records.ledger import Head
from recovery.records.ledger_heads import FOLDER as HEADS
from recovery.records.ledger_heads import head_key, read_signed_head
from recovery.restore_guide import GUIDE
from recovery.sets import LARGEST_MANIFEST, LARGEST_SIGNATURE, BackupSet, open_set
from recovery.stores.base import Store, check_key
from recovery.stores.one_object import read_one
from recovery.stores.s3_examination import PROBE

FORMS = "formulir/"
FARTHEST = 100_000


@dataclass
class Inventoried:
    """Proven sets by prefix, sets of the records by the entry up to which they go, proven heads, the last number that
    any head has there, the keys of forms, and a sentence for all that is unproven. `ages` has, by prefix or by a head's
    key, the place of the key that signed it among the trusted ones, of which the newest is 0."""

    sets: dict[str, BackupSet] = field(default_factory=dict)
    records: list[BackupSet] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    taken: int = 0
    forms: set[str] = field(default_factory=set)
    unproven: list[str] = field(default_factory=list)
    ages: dict[str, int] = field(default_factory=dict)

    def believed_heads(self) -> list[Head]:
        """The heads that the newest key signed of those that signed a head or records here."""
        signed = [each.prefix for each in self.records] + [head_key(head.sequence) for head in self.heads]
        newest = min((self.ages[key] for key in signed), default=0)
        return [head for head in self.heads if self.ages[head_key(head.sequence)] == newest]


def take_inventory(store: Store, trusted_pem: bytes) -> Inventoried:
    """Given a store and trusted keys, the newest first, look at every object's name and at every manifest and head, and
    return what is proven. Parts are counted and measured; their bytes are read when they are restored. What cannot be
    read is unproven, and what has a name that no store takes. Raises StoreError when the store does not answer.
    """
    found = Inventoried()
    folders: dict[str, set[str]] = {}
    for info in store.list():
        if not _is_key(info.key, found.unproven):
            continue
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
            backup_set, age = read_one(store, functools.partial(_opened, store, prefix, trusted_pem))
            if prefix.startswith(f"{RESERVED}/"):
                recorded_head(backup_set)
        except (SetError, ObjectUnreadableError) as error:
            # Signature and digest errors are SetErrors, too; unreadable is also what was removed since it was listed.
            found.unproven.append(f"{prefix}: {error.message}")
            continue
        found.ages[prefix] = age
        if prefix.startswith(f"{RESERVED}/"):
            found.records.append(backup_set)
        else:
            found.sets[prefix] = backup_set
    found.records.sort(key=lambda each: recorded_head(each).sequence)
    found.taken = _last_number(store, found.believed_heads())
    return found


def _is_key(key: str, unproven: list[str]) -> bool:
    """Whether a store takes objects of this name. Another program put what has another one, and none of it is read;
    nor could such a name be printed as it is."""
    try:
        check_key(key)
    except StoreError as error:
        unproven.append(error.message)
        return False
    return True


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
        head, found.ages[key] = read_one(store, lambda: read_signed_head(store, key, trusted_pem))
        found.heads.append(head)
    except (SignatureError, LedgerError, ObjectUnreadableError) as error:
        found.unproven.append(f"{key}: {error.message}")


def _opened(store: Store, prefix: str, trusted_pem: bytes) -> tuple[BackupSet, int]:
    content = store.read(f"{prefix}/{MANIFEST}", limit=LARGEST_MANIFEST)
    age = verify_signature(trusted_pem, content, store.read(f"{prefix}/{SIGNATURE}", limit=LARGEST_SIGNATURE))
    manifest = Manifest.from_bytes(content)
    opened = open_set(
        store,
        prefix,
        trusted_pem,
        application=prefix.split("/")[1],
        component=manifest.component,
        manifest_sha256=manifest.sha256,
    )
    return opened, age


def recorded_head(backup_set: BackupSet) -> Head:
    """Given a set of the records, return the last entry of the ledger in it. Raises SetError when it names none."""
    sequence, entry_hash = (backup_set.manifest.snapshot.get(name) for name in ("ledger_sequence", "ledger_hash"))
    if not isinstance(sequence, int) or not isinstance(entry_hash, str):
        raise SetError("its manifest names no entry of the ledger", state="it is not used")
    return Head(sequence, entry_hash)
