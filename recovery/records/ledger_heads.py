"""The ledger's head, signed into the stores: what shows that its end was cut off or all of it written anew."""

import json
from typing import TYPE_CHECKING

from sqlalchemy import select

from recovery.canonical import canonical_json
from recovery.crypto import Signer, verify_signature
from recovery.errors import LedgerError, ObjectExistsError, ObjectMissingError, ObjectTooLargeError, SignatureError
from recovery.records.catalog import Catalog
from recovery.records.ledger import NOTHING_BEFORE, Head
from recovery.records.schema import ledger

if TYPE_CHECKING:
    from recovery.stores.base import Store

FOLDER = "buku-besar/"


def anchor(catalog: Catalog, store: "Store", signer: Signer) -> Head:
    """Given a store, sign the ledger's head into it, once for each head, and return that head.

    From then on the entries up to it can be neither changed nor cut off without contradicting the store. Raises
    LedgerError when the store already holds another head for the same entry, signed by a key that is trusted, and
    ObjectExistsError when something lies there that none of them signed: whoever may write to the store knows the
    numbers that come, and must not bring about more than that this store lacks a head.
    """
    with catalog.read() as connection:
        query = select(ledger).order_by(ledger.c.sequence.desc()).limit(1)
        last = connection.execute(query).one_or_none()
    if last is None:
        return Head(0, NOTHING_BEFORE)
    content = canonical_json({"format": 1, "sequence": last.sequence, "hash": last.hash, "at": last.at})
    key = head_key(last.sequence)
    try:
        # The signature goes first, so that a head that can be read always has one.
        _put_signature(store, f"{key}.sig", content, signer)
        store.put_bytes(key, content)
    except ObjectExistsError as error:
        raise _taken(store, key, last.sequence, signer.trusted_pem) from error
    return Head(last.sequence, last.hash)


def _taken(store: "Store", key: str, sequence: int, trusted_pem: bytes) -> LedgerError | ObjectExistsError:
    """The error that says what lies in the place of a head."""
    try:
        read_head(store, key, trusted_pem)
    except (SignatureError, LedgerError, ObjectMissingError, ObjectTooLargeError):
        return ObjectExistsError(
            f"in the store {store.name} something that this installation did not sign lies in the place of the head "
            f"for entry {sequence} of the ledger",
            state="it is untouched, and the store lacks that head",
            hint="somebody has that store's credentials: change them, and tell the auditor",
        )
    return LedgerError(
        f"the store {store.name} already holds another head for entry {sequence} of the ledger",
        state="the head in the store is untouched",
        hint="the ledger was rewritten, or the signing key was changed since; run `pulih ledger verify`",
    )


def _put_signature(store: "Store", key: str, content: bytes, signer: Signer) -> None:
    try:
        store.put_bytes(key, signer.sign(content))
    except ObjectExistsError as error:
        # The key was rotated since: what the one before signed is as good.
        try:
            verify_signature(signer.trusted_pem, content, store.read(key))
        except (SignatureError, ObjectTooLargeError):
            raise error from None


def head_key(sequence: int) -> str:
    """Given an entry's number, return the key under which a store holds it as a head."""
    return f"{FOLDER}{sequence:012d}.json"


def read_heads(store: "Store", public_pem: bytes) -> list[Head]:
    """Given a store and the public key of the installation, return all heads that it holds, oldest first.

    Raises SignatureError for a head that is not signed by that key, LedgerError for one that cannot be read.
    """
    keys = sorted(item.key for item in store.list(FOLDER) if item.key.endswith(".json"))
    return [read_head(store, key, public_pem) for key in keys]


def newest_head(store: "Store", public_pem: bytes) -> Head | None:
    """Given a store and the installation's public key, return the newest head that it holds; None when it has none.

    Raises as read_heads(), for that head alone.
    """
    key = max((item.key for item in store.list(FOLDER) if item.key.endswith(".json")), default=None)
    return None if key is None else read_head(store, key, public_pem)


def read_head(store: "Store", key: str, public_pem: bytes) -> Head:
    """Given a head's key in a store and the installation's public keys, return the head.

    Raises SignatureError when none of them signed it, LedgerError when it cannot be read.
    """
    return read_signed_head(store, key, public_pem)[0]


def read_signed_head(store: "Store", key: str, public_pem: bytes) -> tuple[Head, int]:
    """As read_head(), and the place of the key that signed it among those given."""
    content = store.read(key)
    try:
        signature = store.read(f"{key}.sig")
    except ObjectMissingError as error:
        raise SignatureError(
            f"the ledger's head {key} has no signature",
            state="nothing was changed",
            hint="somebody put or removed an object in the store by hand",
        ) from error
    place = verify_signature(public_pem, content, signature)
    try:
        fields = json.loads(content)
        known = Head(int(fields["sequence"]), str(fields["hash"]))
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(
            f"the ledger's head {key} cannot be read",
            state="nothing was changed",
            hint="somebody changed the object in the store by hand: find out who",
        ) from error
    if head_key(known.sequence) != key:
        raise LedgerError(
            f"the object {key} holds the head of entry {known.sequence}",
            state="nothing was changed",
            hint="somebody copied an object in the store by hand",
        )
    return known, place
