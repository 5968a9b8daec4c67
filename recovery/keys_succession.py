"""Succession of signing keys: signed statements by which a key vouches for the one before it, and for the one after.

A new key's signature makes an earlier key count for who trusts the new one; an old key's signature makes its successor
count for who trusts the old one. Nobody can add a key to what is trusted without a key that already is.
"""

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from recovery.canonical import canonical_json
from recovery.crypto import Signer, public_fingerprint, verify_signature
from recovery.errors import KeyMissingError, ObjectUnreadableError, SignatureError
from recovery.records.schema import timestamp
from recovery.secrets import place_of
from recovery.stores.base import Store
from recovery.stores.one_object import read_one

FOLDER = "kunci/"
BESIDE = ".successions"

_TEXTS = ("old", "new", "at", "signed_by_old", "signed_by_new")


@dataclass(frozen=True)
class Succession:
    """One statement: the key `new` took the place of `old`, both as PEM. Signatures are hexadecimal; that of the old
    key is empty when it was lost, and its fingerprint came from the escrow sheet."""

    old: str
    new: str
    at: str
    signed_by_old: str
    signed_by_new: str

    def to_bytes(self) -> bytes:
        """Return it as it is kept: canonical JSON, which is one line."""
        return canonical_json({"format": 1, **{name: getattr(self, name) for name in _TEXTS}})

    @classmethod
    def from_bytes(cls, content: bytes, place: str) -> "Succession":
        """Given a kept statement and where it lies, return it. Raises SignatureError when it is none.

        This checks form: which signatures it carries, trusted_keys() looks at.
        """
        try:
            fields = json.loads(content)
            succession = cls(**{name: fields[name] for name in _TEXTS})
            bytes.fromhex(succession.signed_by_old + succession.signed_by_new)
            whole = succession.to_bytes() == content
            for pem in (succession.old, succession.new):
                public_fingerprint(pem.encode())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, KeyMissingError):
            whole = False
        if not whole:
            raise SignatureError(
                f"{place} holds no statement of a succession of signing keys",
                state="no key counts because of it",
                hint="put back what `pulih key rotate signing` wrote; every store holds a copy in its folder kunci",
            )
        return succession

    @property
    def key(self) -> str:
        """The key under which a store holds it; for each new key there is one."""
        return f"{FOLDER}{public_fingerprint(self.new.encode()).removeprefix('SHA256:')}.json"

    def vouches(self, pem: str) -> bool:
        """Given one of its two keys, return whether that key signed it."""
        signature = bytes.fromhex(self.signed_by_new if pem == self.new else self.signed_by_old)
        try:
            verify_signature(pem.encode(), _signed_bytes(self.old, self.new, self.at), signature)
        except SignatureError:
            return False
        return True


def state_succession(old: Signer | bytes, new: Signer) -> Succession:
    """Given the key before (its public PEM when it is lost) and the new one, return the statement about both."""
    old_pem = old if isinstance(old, bytes) else old.public_pem
    texts = (old_pem.decode(), new.public_pem.decode(), timestamp())
    content = _signed_bytes(*texts)
    by_old = b"" if isinstance(old, bytes) else old.sign(content)
    return Succession(*texts, by_old.hex(), new.sign(content).hex())


def trusted_keys(public_pem: bytes, successions: Iterable[Succession]) -> bytes:
    """Given a key that is trusted and statements from anywhere, return all keys that count because of it, as PEM one
    behind the other, the given one first.

    A statement counts when the key that is already trusted signed it; where it was found does not matter.
    """
    statements = list(successions)
    trusted = [public_pem.decode()]
    for pem in trusted:  # grows while it is walked
        for statement in statements:
            if pem not in (statement.old, statement.new):
                continue
            other = statement.old if pem == statement.new else statement.new
            if other not in trusted and statement.vouches(pem):
                trusted.append(other)
    return "".join(trusted).encode()


def recorded_successions(signing_key: str) -> list[Succession]:
    """Given the reference to the signing key, return the statements that lie beside it, newest first.

    Beside a key in an environment variable nothing can lie. Raises SignatureError for a damaged file.
    """
    if signing_key.startswith("env:"):
        return []
    path = beside(place_of(signing_key))
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyMissingError(
            f"{path} cannot be read ({error.strerror})",
            state="nothing was verified",
            hint="let the worker's account read what lies beside the signing key",
        ) from error
    return [Succession.from_bytes(line, str(path)) for line in lines]


def beside(signing_key: Path) -> Path:
    """Given the file of the signing key, return the file of the statements about it."""
    return signing_key.with_name(signing_key.name + BESIDE)


def stored_successions(store: Store) -> tuple[list[Succession], list[str]]:
    """Given a store, return the statements that it holds, and a sentence for each object there that is none. Raises
    StoreError when the store does not answer."""
    found, complaints = [], []
    for info in store.list(FOLDER):
        place = f"{info.key} in the store {store.name}"
        try:
            content = read_one(store, functools.partial(store.read, info.key))
            found.append(Succession.from_bytes(content, place))
        except (SignatureError, ObjectUnreadableError) as error:
            complaints.append(error.message)
    return found, complaints


def _signed_bytes(old: str, new: str, at: str) -> bytes:
    return canonical_json({"format": 1, "kind": "signing-key-succession", "old": old, "new": new, "at": at})
