"""Which keys count in a store where others write too."""

from pathlib import Path

import pytest

from recovery.crypto import Signer, generate_signing_key, public_fingerprint
from recovery.errors import SignatureError
from recovery.rebuild_trust import find_trusted_keys
from recovery.settings import StoreSettings
from recovery.stores.directory import DirectoryStore


def public_key() -> bytes:
    return Signer.from_pem(generate_signing_key(), "of the tests").public_pem


def test_the_key_on_the_sheet_is_found_beside_whatever_lies_there(tmp_path: Path) -> None:
    """A guide too large to be one is told and passed over: whoever may write keeps nobody from rebuilding by it."""
    store = DirectoryStore(StoreSettings(name="utama", path=str(tmp_path)))
    ours, foreign = public_key(), public_key()
    store.put_bytes("RESTORE-0.md", b"-----BEGIN PUBLIC KEY-----\nno key at all\n-----END PUBLIC KEY-----\n" + foreign)
    store.put_bytes("RESTORE-1.md", b"x" * (16 << 20) + b"x")
    store.put_bytes("RESTORE.md", b"The key:\n" + ours)
    trusted, counting, complaints = find_trusted_keys(store, public_fingerprint(ours))
    assert (ours, []) == (trusted, counting)
    assert ["RESTORE-1.md in the store utama has more than the 16777216 bytes that it may have"] == complaints
    with pytest.raises(SignatureError, match="the store utama holds no public key with the fingerprint SHA256:0"):
        find_trusted_keys(store, "SHA256:0")
