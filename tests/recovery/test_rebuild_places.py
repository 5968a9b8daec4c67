"""Where a rebuild puts things: the rest is tried by whole rebuilds, in test_rebuild.py."""

from pathlib import Path

from recovery.crypto import Signer, generate_signing_key
from recovery.keys_succession import state_succession
from recovery.rebuild_places import _adoption, choose_store_name


def signer() -> Signer:
    return Signer.from_pem(generate_signing_key(), "of the tests")


def test_a_lost_key_is_vouched_for_once(tmp_path: Path) -> None:
    """By the statement of a call that died; one about another key is none."""
    lost, new, path = signer(), signer(), tmp_path / "successions"
    about_another = state_succession(signer().public_pem, new)
    path.write_bytes(about_another.to_bytes() + b"\n")
    made = _adoption(lost.public_pem, new, path)
    assert (made.old.encode(), made.new.encode()) == (lost.public_pem, new.public_pem)
    path.write_bytes(about_another.to_bytes() + b"\n" + made.to_bytes() + b"\n")
    assert _adoption(lost.public_pem, new, path) == made


def test_the_store_is_one_of_the_inventorys(tmp_path: Path) -> None:
    """Of several the caller says which; the one of an inventory with one needs no word."""
    (tmp_path / "inventory.yaml").write_text("stores: [{name: utama}, {name: luar}]\n")
    assert choose_store_name(tmp_path, "luar") == "luar"
    (tmp_path / "inventory.yaml").write_text("stores: [{name: utama}]\n")
    assert choose_store_name(tmp_path, "") == "utama"
