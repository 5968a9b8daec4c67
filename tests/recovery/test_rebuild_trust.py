"""Which keys count in a store where others write too."""

from itertools import pairwise
from pathlib import Path

import pytest

from recovery.crypto import Signer, generate_signing_key, public_fingerprint, split_pem
from recovery.errors import SignatureError
from recovery.keys_succession import Succession, state_succession, trusted_keys
from recovery.rebuild_trust import find_trusted_keys, newest_first
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


def changed_three_times() -> tuple[list[Signer], list[Succession]]:
    signers = [Signer.from_pem(generate_signing_key(), "of the tests") for _ in range(4)]
    return signers, [state_succession(old, new) for old, new in pairwise(signers)]


@pytest.mark.parametrize("sheet", range(4))
def test_the_newest_key_comes_first_whichever_sheet_it_is(sheet: int) -> None:
    """And one that somebody with an earlier key brings in comes behind them."""
    signers, statements = changed_three_times()
    keys = [signer.public_pem for signer in signers]
    trusted = trusted_keys(keys[sheet], statements)
    assert set(keys) == set(split_pem(trusted))
    ordered = split_pem(newest_first(trusted, statements))
    assert keys[: sheet - 1 if sheet else None : -1] == ordered[: 4 - sheet]
    assert set(keys) == set(ordered)
    if sheet:
        his = Signer.from_pem(generate_signing_key(), "of a thief")
        statements.append(state_succession(signers[sheet - 1], his))
        ordered = split_pem(newest_first(trusted_keys(keys[sheet], statements), statements))
        assert keys[: sheet - 1 : -1] == ordered[: 4 - sheet]
        assert his.public_pem in ordered[4 - sheet :]


def test_of_two_keys_that_follow_one_neither_is_chosen() -> None:
    """Only who has a key lets another follow it: one of the two is a thief's, and the sheet of now says which."""
    signers, statements = changed_three_times()
    statements.append(state_succession(signers[1], Signer.from_pem(generate_signing_key(), "of a thief")))
    told = f"two keys are said to follow {signers[1].fingerprint}, and it signed both: SHA256:"
    with pytest.raises(SignatureError, match=told) as caught:
        newest_first(trusted_keys(signers[0].public_pem, statements), statements)
    assert "type the fingerprint of now from the newest escrow sheet" in caught.value.hint
    # A key that was lost follows nobody's word but the new one's.
    adopted = state_succession(signers[0].public_pem, signers[2])
    assert signers[0].public_pem == newest_first(signers[0].public_pem, [adopted])
