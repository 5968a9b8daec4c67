"""Which keys a rebuild trusts: the one whose fingerprint stands on the escrow sheet, and those that it vouches for."""

import functools

from recovery.crypto import public_fingerprint, split_pem
from recovery.errors import KeyMissingError, ObjectUnreadableError, SignatureError
from recovery.keys_succession import Succession, stored_successions, trusted_keys
from recovery.restore_guide import GUIDE
from recovery.stores.base import Store
from recovery.stores.one_object import read_one

BEGIN = b"-----BEGIN PUBLIC KEY-----"
# How many complaints about a store a hint repeats.
SAID = 5


def find_trusted_keys(store: Store, fingerprint: str) -> tuple[bytes, list[Succession], list[str]]:
    """Given a store and the fingerprint on the escrow sheet, return the trusted public keys (PEM, the sheet's first),
    the statements that count because of it, and a sentence for each object that is no statement.

    The store only gives keys to look at: nothing but the fingerprint and the signatures makes one count. Raises
    SignatureError when no key in the store has the fingerprint, StoreError when the store does not answer.
    """
    successions, complaints = stored_successions(store)
    candidates = [pem.encode() for each in successions for pem in (each.old, each.new)]
    for info in store.list(GUIDE.removesuffix(".md")):
        try:
            candidates += _keys_in(read_one(store, functools.partial(store.read, info.key)))
        except ObjectUnreadableError as error:  # whoever may write can put one, and keeps nobody from rebuilding by it
            complaints.append(error.message)
    named = fingerprint.strip()
    for pem in candidates:
        if _fingerprint(pem) == named:
            trusted = trusted_keys(pem, successions)
            keys = split_pem(trusted)
            counting = [each for each in successions if {each.old.encode(), each.new.encode()} <= set(keys)]
            return trusted, counting, complaints
    # It may stand in what could not be read: credentials without the right to read bring that about.
    unread = f"; it says also: {'; '.join(complaints[:SAID])}" if complaints else ""
    raise SignatureError(
        f"the store {store.name} holds no public key with the fingerprint {named}",
        state="nothing was read or written",
        hint="type it as it stands on the escrow sheet, SHA256: and 64 characters; is this the store of that office?"
        + unread,
    )


def newest_first(trusted_pem: bytes, successions: list[Succession]) -> bytes:
    """Given trusted keys, the sheet's first, and the statements that count, return the keys, the newest first.

    What an earlier key signed says nothing against a later one: it may have been stolen before it was changed. Later
    than the sheet's are those that follow it, each by a statement of the one before. Raises SignatureError when two are
    said to follow one, which only who has that one can bring about.
    """
    keys = split_pem(trusted_pem)
    later = [keys[0]]
    while following := _successors(later[-1], successions) - set(later):
        if len(following) > 1:
            either = " and ".join(sorted(public_fingerprint(pem) for pem in following))
            raise SignatureError(
                f"two keys are said to follow {public_fingerprint(later[-1])}, and it signed both: {either}",
                state="nothing was read or written",
                hint="somebody else may have had that key: type the fingerprint of now from the newest escrow sheet",
            )
        later += following
    return b"".join([*reversed(later), *(pem for pem in keys if pem not in later)])


def _successors(pem: bytes, successions: list[Succession]) -> set[bytes]:
    old = pem.decode()
    return {each.new.encode() for each in successions if each.old == old and each.vouches(old)}


def _keys_in(text: bytes) -> list[bytes]:
    """The public keys that a guide shows, whoever wrote it."""
    parts = text.split(BEGIN)[1:]
    return [pem for part in parts for pem in split_pem(BEGIN + part)[:1]]


def _fingerprint(pem: bytes) -> str:
    try:
        return public_fingerprint(pem)
    except KeyMissingError:
        return ""
