"""Succession of signing keys: a key counts only when one that is trusted signed for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from recovery.crypto import Signer, generate_signing_key, split_pem
from recovery.errors import KeyMissingError, SignatureError
from recovery.keys_succession import (
    Succession,
    beside,
    recorded_successions,
    state_succession,
    stored_successions,
    trusted_keys,
)
from recovery.settings import StoreSettings
from recovery.stores import open_store


def signer() -> Signer:
    return Signer.from_pem(generate_signing_key(), "of the tests")


FIRST, SECOND, THIRD, THIEF = signer(), signer(), signer(), signer()
CHAIN = [state_succession(FIRST, SECOND), state_succession(SECOND, THIRD)]


@pytest.mark.parametrize("trusted", [FIRST, SECOND, THIRD])
def test_from_any_key_of_the_chain_all_of_it_is_trusted(trusted: Signer) -> None:
    """Back, because the new key signed; forth, because the old one did: an old escrow sheet is still of use."""
    found = split_pem(trusted_keys(trusted.public_pem, CHAIN))
    assert trusted.public_pem == found[0]
    assert {each.public_pem for each in (FIRST, SECOND, THIRD)} == set(found)


def test_who_can_write_to_a_store_adds_no_key() -> None:
    """Each of these a thief can write with a key of his own, in either direction."""
    public = FIRST.public_pem
    forged = [
        state_succession(THIEF, signer()),
        state_succession(public, THIEF),  # "he came after": not signed by the one before
        replace(state_succession(THIEF, FIRST), signed_by_new=""),  # "he was before": not signed by the one after
        replace(state_succession(THIEF, SECOND), old=FIRST.public_pem.decode()),
        replace(CHAIN[0], new=THIEF.public_pem.decode()),
        replace(CHAIN[0], old=THIEF.public_pem.decode()),
        replace(CHAIN[0], at="2020-01-01T00:00:00.000000+00:00"),
    ]
    assert public == trusted_keys(public, forged)


def test_a_lost_key_is_vouched_for_by_the_new_one_alone() -> None:
    """After a rebuild: its fingerprint came from the escrow sheet, and nobody can sign with it any more."""
    statement = state_succession(FIRST.public_pem, SECOND)
    assert "" == statement.signed_by_old
    assert SECOND.public_pem + FIRST.public_pem == trusted_keys(SECOND.public_pem, [statement])
    assert FIRST.public_pem == trusted_keys(FIRST.public_pem, [statement])


def test_it_is_kept_as_one_line_and_read_back() -> None:
    content = CHAIN[0].to_bytes()
    assert b"\n" not in content
    assert CHAIN[0] == Succession.from_bytes(content, "it")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        CHAIN[0].to_bytes() + b" ",
        CHAIN[0].to_bytes().replace(b'"format":1', b'"format":2'),
        replace(CHAIN[0], signed_by_old="xyz").to_bytes(),
        replace(CHAIN[0], old="no key").to_bytes(),
    ],
    ids=["nothing", "a list", "no field", "a blank more", "another format", "no signature", "no key"],
)
def test_what_is_no_statement_is_said(content: bytes) -> None:
    with pytest.raises(SignatureError) as caught:
        Succession.from_bytes(content, "here")
    assert "here holds no statement of a succession of signing keys" == caught.value.message


def test_statements_lie_beside_the_key(tmp_path: Path) -> None:
    key = tmp_path / "signing"
    assert [] == recorded_successions(f"file:{key}")
    assert [] == recorded_successions("env:KUNCI")
    beside(key).write_bytes(b"".join(each.to_bytes() + b"\n" for each in CHAIN))
    assert CHAIN == recorded_successions(f"file:{key}")
    beside(key).unlink()
    beside(key).mkdir()
    with pytest.raises(KeyMissingError, match=r"signing\.successions cannot be read \(Is a directory\)"):
        recorded_successions(f"file:{key}")


def test_a_store_gives_statements_and_names_what_is_none(tmp_path: Path) -> None:
    store = open_store(StoreSettings(name="utama", path=str(tmp_path)))
    for each in CHAIN:
        store.put_bytes(each.key, each.to_bytes())
    store.put_bytes("kunci/zzz.json", b"?")
    found, complaints = stored_successions(store)
    assert sorted(each.key for each in CHAIN) == [each.key for each in found]
    assert ["kunci/zzz.json in the store utama holds no statement of a succession of signing keys"] == complaints
