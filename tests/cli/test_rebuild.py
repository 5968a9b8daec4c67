"""pulih rebuild: how a store is named on a bare machine, and what is printed. What is rebuilt: tests/recovery."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from recovery.crypto import Signer
from tests.cli.conftest import Ended, Office, Pulih


def rebuilt(pulih: Pulih, office: Office, place: Any, directory: Path, *more: str | Path) -> Ended:
    fingerprint = Signer.from_pem((office.root / "keys" / "signing").read_bytes(), "it").fingerprint
    identity = office.root / "keys" / "escrow"
    given = ("--from", place, "--identity", identity, "--fingerprint", fingerprint, "--to", directory)
    return pulih(*more, "rebuild", *given)


def test_it_tells_what_was_done_and_what_is_to_do(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    ended = rebuilt(pulih, broken, broken.store, tmp_path / "new")
    assert (0, "") == (ended.code, ended.err)
    assert "2 sets are proven by their signature, 0 of them were not in the records\n" in ended.out
    assert f"inventory: {tmp_path}/new/inventory.yaml\n" in ended.out
    assert "still to do:\n  - the signing key is a new one" in ended.out
    assert "everything in the store is proven" in ended.out


def test_without_records_it_says_that_an_inventory_is_missing(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    shutil.rmtree(broken.store / "pulih")
    ended = rebuilt(pulih, broken, broken.store, tmp_path / "new")
    assert 0 == ended.code
    assert f"inventory: none could be read; write one with state_directory: {tmp_path}/new/state\n" in ended.out
    assert "\nNOT PROVEN (" in ended.out


def test_a_store_of_the_inventory_is_known_by_its_name(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    inventory = ("--inventory", broken.inventory)
    assert 0 == rebuilt(pulih, broken, "utama", tmp_path / "new", *inventory).code
    ended = rebuilt(pulih, broken, "luar", tmp_path / "other", *inventory)
    assert 2 == ended.code
    assert "the inventory has no store named 'luar'; nothing was read or written" in ended.err


@pytest.mark.parametrize(
    ("place", "setting"), [("s3://cadangan/pulih", "lock=maybe"), ("s3://-/", "endpoint=none"), ("./x", "nothing=x")]
)
def test_a_setting_that_no_store_has_is_said(
    pulih: Pulih, office: Office, tmp_path: Path, place: str, setting: str
) -> None:
    arguments = ("--from", place, "--identity", "x", "--fingerprint", "x", "--to", tmp_path / "new")
    ended = pulih("rebuild", *arguments, "--setting", setting)
    assert 2 == ended.code
    assert (
        f"the store cannot be opened like this: {setting.partition('=')[0]}: " in ended.err or "bucket: " in ended.err
    )
    assert not (tmp_path / "new").exists()


KEYS = ("access_key=file:/root/a", "secret_key=file:/root/b")


@pytest.mark.parametrize(
    ("place", "settings", "wrong"),
    [
        ("s3://cadangan", KEYS, "endpoint: is missing; a store of kind 's3' needs it"),
        (
            "s3://cadangan",
            ("endpoint=https://s3.contoh.go.id", KEYS[1]),
            "access_key: is missing; a store of kind 's3'",
        ),
        ("s3:///pulih", ("endpoint=https://s3.contoh.go.id", *KEYS), "bucket: is missing; a store of kind 's3' needs"),
        ("./x", KEYS, "access_key: is no field of a store of kind 'directory'; secret_key: is no field of"),
    ],
)
def test_a_setting_that_the_store_lacks_is_said_before_anything_is_asked(
    pulih: Pulih, office: Office, tmp_path: Path, place: str, settings: tuple[str, ...], wrong: str
) -> None:
    arguments = ("--from", place, "--identity", "x", "--fingerprint", "x", "--to", tmp_path / "new")
    ended = pulih("rebuild", *arguments, *(word for setting in settings for word in ("--setting", setting)))
    assert 2 == ended.code
    assert f"the store cannot be opened like this: {wrong}" in ended.err
    assert "HINT: give each as the inventory has it: --setting endpoint=https://" in ended.err
    assert not (tmp_path / "new").exists()
