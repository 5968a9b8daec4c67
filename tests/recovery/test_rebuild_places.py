"""Where a rebuild puts things: the rest is tried by whole rebuilds, in test_rebuild.py."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from recovery.crypto import Signer, generate_identity, generate_signing_key
from recovery.keys_succession import state_succession
from recovery.rebuild_places import Keys, _adoption, _operations, choose_store_name, write_inventory
from recovery.settings import StoreSettings


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


def test_the_identity_in_hand_joins_the_one_that_a_call_made_before_it_died(tmp_path: Path) -> None:
    """Whose recipient the records name was lost; without the one in hand nothing in the store would open."""
    (_lost, recorded), (in_hand, opens), (made, new) = (generate_identity() for _ in range(3))
    (tmp_path / "inventory.yaml").write_text(f"keys: {{operations_recipient: {recorded}}}\n")
    (given, path) = (tmp_path / "given.txt", tmp_path / "operations.txt")
    given.write_text(f"{in_hand}\n")
    path.write_text(f"{made}\n")
    to_do: list[str] = []
    assert new == _operations(path, given, tmp_path, to_do)
    assert [made, in_hand] == path.read_text().split()
    assert [f"new backups are for a new operations identity, {new}"] == [each.partition(";")[0] for each in to_do]
    assert opens not in "".join(to_do)
    # Called once more it adds nothing.
    assert new == _operations(path, given, tmp_path, [])
    assert [made, in_hand] == path.read_text().split()


def test_the_store_is_one_of_the_inventorys(tmp_path: Path) -> None:
    """Of several the caller says which; the one of an inventory with one needs no word."""
    (tmp_path / "inventory.yaml").write_text("stores: [{name: utama}, {name: luar}]\n")
    assert choose_store_name(tmp_path, "luar") == "luar"
    (tmp_path / "inventory.yaml").write_text("stores: [{name: utama}]\n")
    assert choose_store_name(tmp_path, "") == "utama"


LOCKED = {
    "name": "utama",
    "title": "Pusat data",
    "kind": "s3",
    "bucket": "lama",
    "prefix": "pulih",
    "endpoint": "https://lama",
    "ca_file": "/lama.pem",
    "lock": "compliance",
    "removal_access_key": "file:/lama",
    "attempts": 9,
}
BUCKET = {
    "kind": "s3",
    "bucket": "baru",
    "endpoint": "https://baru",
    "access_key": "file:/baru",
    "secret_key": "file:/b",
}


@pytest.mark.parametrize(
    ("recorded", "given", "expected"),
    [
        (LOCKED, BUCKET, {**BUCKET, **{name: LOCKED[name] for name in ("lock", "removal_access_key", "attempts")}}),
        (LOCKED, {**BUCKET, "lock": "governance"}, {"lock": "governance", "attempts": 9}),
        (LOCKED, {**BUCKET, "prefix": "x"}, {"prefix": "x", "ca_file": ""}),
        # All of it was copied to a disk: what only buckets have is no field there.
        (LOCKED, {"path": "/mnt"}, {"kind": "directory", "path": "/mnt", "bucket": "", "lock": "none", "attempts": 6}),
        ({"name": "utama", "title": "Pusat data", "kind": "directory", "path": "/a", "prefix": "b"}, {"path": "/a/b"},
         {"path": "/a/b", "prefix": ""}),
    ],
)  # fmt: skip
def test_a_store_is_reached_as_it_was_just_now_and_keeps_its_lock(
    tmp_path: Path, recorded: dict[str, Any], given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Who rebuilds in an empty home knows where the store is, and not how it was to be written."""
    document: dict[str, Any] = {name: [] for name in ("hosts", "applications")}
    other = {"name": "luar", "kind": "directory", "path": "/luar"}
    document |= {"office": {}, "keys": {}, "stores": [other, recorded]}
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(document))
    settings = StoreSettings.model_validate({"name": "any", **given})
    (tmp_path / "new").mkdir()
    written = write_inventory(tmp_path / "new", tmp_path, Keys(tmp_path, signer(), [], "age1x"), settings, "utama")
    stores = yaml.safe_load(written.read_text())["stores"]
    assert other == stores[0]
    assert ("utama", "Pusat data") == (stores[1]["name"], stores[1]["title"])
    assert expected == {name: stores[1][name] for name in expected}
    StoreSettings.model_validate(stores[1])


@pytest.mark.parametrize("reference", [None, "credential:prefect-database"])
def test_prefects_database_is_named_again_by_hand(tmp_path: Path, reference: str | None) -> None:
    """It may be gone with its machine, and nobody would miss it in the sets of records: the list says so."""
    store = {"name": "utama", "title": "", "kind": "directory", "path": "/lama"}
    document: dict[str, Any] = {name: [] for name in ("hosts", "applications")}
    document |= {"office": {"prefect_database": reference}, "keys": {}, "stores": [store]}
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump(document))
    keys, settings = Keys(tmp_path, signer(), [], "age1x"), StoreSettings(name="utama", path="/baru")
    (tmp_path / "new").mkdir()
    written = write_inventory(tmp_path / "new", tmp_path, keys, settings, "utama")
    assert yaml.safe_load(written.read_text())["office"]["prefect_database"] is None
    told = ["the inventory names no database of Prefect's any more (it was credential:prefect-database)"]
    assert (told if reference else []) == [each.partition(", so")[0] for each in keys.to_do]
