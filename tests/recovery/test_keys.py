"""Making keys: private files, never overwritten, whole or not there."""

import stat
import subprocess
from pathlib import Path

import pytest

from recovery.crypto import Signer, read_identity, recipient_of
from recovery.errors import ConfigurationError, ConflictError, KeyMissingError, StoreError
from recovery.keys import KINDS, inventory_lines, make_keys, read_enrolment_key
from recovery.keys_files import alone_with, file_of, write_new
from tests.recovery.key_office import files_below
from tests.recovery.killed_work import Work, assert_survives


def test_new_keys_are_private_files_of_use(tmp_path: Path) -> None:
    keys = {key.kind: key for key in make_keys(tmp_path / "kunci")}
    assert set(KINDS) == keys.keys()
    assert {0o600} == {stat.S_IMODE(key.path.stat().st_mode) for key in keys.values()}
    for kind in ("operations", "escrow"):
        identity = read_identity(keys[kind].path.read_bytes(), kind)
        assert keys[kind].public == recipient_of(identity)
    assert keys["signing"].public == Signer.from_pem(keys["signing"].path.read_bytes(), "it").fingerprint
    assert 32 == len(read_enrolment_key(keys["enrolment"].path.read_bytes(), "it"))
    assert keys["operations"].public != keys["escrow"].public


def test_plain_age_takes_the_identity(tmp_path: Path) -> None:
    """Whoever restores without Pulih has age and this file."""
    (key,) = make_keys(tmp_path, ["escrow"])
    told = subprocess.run(["age-keygen", "-y", key.path], capture_output=True, text=True, check=True).stdout
    assert key.public == told.strip()


def test_a_key_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    first = make_keys(tmp_path)
    before = files_below(tmp_path)
    second = make_keys(tmp_path)
    assert before == files_below(tmp_path)
    assert [(True, key.public) for key in first] == [(not key.made, key.public) for key in second]


def test_what_the_inventory_needs_is_told_without_a_secret(tmp_path: Path) -> None:
    keys = make_keys(tmp_path)
    by_kind = {key.kind: key for key in keys}
    assert [
        f"operations_recipient: {by_kind['operations'].public}",
        f"operations_identity: file:{tmp_path}/operations.txt",
        f"escrow_recipient: {by_kind['escrow'].public}",
        f"signing_key: file:{tmp_path}/signing.pem",
        f"enrolment_key: file:{tmp_path}/enrolment.key",
    ] == inventory_lines(keys)


def build(root: Path) -> None:
    """A directory in which there is nothing yet."""
    root.mkdir()


def finish(root: Path) -> None:
    """No half key is ever under a key's name, and nothing else is left in the end."""
    for path in root.glob("[!.]*"):
        assert path.stat().st_size
    assert {key.path.name for key in make_keys(root)} == files_below(root).keys()


WORK = Work("making of the keys", build, make_keys, finish)


@pytest.mark.slow
def test_making_keys_may_die_at_any_point_and_is_repeated(tmp_path: Path) -> None:
    """A sample."""
    assert_survives(WORK, tmp_path)


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("operations", "operations.txt holds no age identity"),
        ("escrow", "escrow.txt holds no age identity"),
        ("signing", "signing.pem holds no private key"),
        ("enrolment", "enrolment.key is not 32 bytes of base64"),
    ],
)
def test_a_file_that_is_no_key_is_said_and_kept(tmp_path: Path, kind: str, complaint: str) -> None:
    path = make_keys(tmp_path, [kind])[0].path
    path.write_bytes(b"?")
    with pytest.raises(KeyMissingError) as caught:
        make_keys(tmp_path)
    assert caught.value.message.endswith(complaint)
    assert b"?" == path.read_bytes()


def test_a_key_file_that_is_a_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "signing.pem").mkdir()
    with pytest.raises(KeyMissingError, match=r"signing\.pem cannot be read \(Is a directory\)"):
        make_keys(tmp_path, ["signing"])


def test_a_name_that_is_taken_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"another")
    with pytest.raises(ConflictError, match=r"key already exists; it was left as it is"):
        write_new(tmp_path / "key", b"mine")
    assert {"key": b"another"} == files_below(tmp_path)


def test_a_key_in_no_file_cannot_be_rotated() -> None:
    with pytest.raises(ConfigurationError, match="the signing key env:KUNCI is in no file that can be written"):
        file_of("env:KUNCI", "signing key")


def test_two_do_not_change_keys_at_once(tmp_path: Path) -> None:
    told = pytest.raises(ConflictError, match="somebody else changes keys in")
    with alone_with(tmp_path / "a"), told, alone_with(tmp_path / "b"):
        raise AssertionError


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="none cannot be written"), alone_with(tmp_path / "none" / "key"):
        raise AssertionError
    with pytest.raises(StoreError, match="cannot be written"):
        write_new(Path("/proc/version/key"), b"x")
