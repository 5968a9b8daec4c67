"""pulih verify reads every byte of every copy, and says what it found in each store."""

import shutil
from pathlib import Path

import pytest

from recovery.crypto import generate_signing_key
from tests.cli.conftest import Office, Pulih

DATA = "data.sqlite.zst.age"


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.chmod(0o600)
    path.write_bytes(bytes(content))


def add_second_store(office: Office) -> Path:
    """Let the backup lie in two stores, as with an off-site one."""
    second = office.root / "second"
    shutil.copytree(office.store, second)
    office.change_inventory(lambda data: data["stores"].append({"name": "kedua", "path": str(second)}))
    with office.catalog.begin() as connection:
        connection.exec_driver_sql("""UPDATE backups SET stores = '["utama","kedua"]'""")
    return second


def test_a_good_backup_passes(pulih: Pulih, office: Office) -> None:
    """Exit code 0 only after all was read."""
    ended = pulih("--inventory", office.inventory, "verify", office.name)
    assert (0, f"{office.name}: signature and every byte are as recorded in utama\n", "") == (
        ended.code,
        ended.out,
        ended.err,
    )


@pytest.mark.parametrize("place", [0, 400, -1])
def test_a_flipped_bit_is_found_although_the_size_is_right(pulih: Pulih, broken: Office, place: int) -> None:
    """Comparing sizes would call this set good."""
    flip(broken.set / DATA, place)
    ended = pulih("--inventory", broken.inventory, "verify", broken.name)
    assert 14 == ended.code
    assert f"{DATA} in the store utama does not have the SHA-256 of the manifest" in ended.err
    assert "is BAD" in ended.out


@pytest.mark.parametrize("file", [DATA, "quality.json", "manifest.json", "manifest.json.sig"])
def test_a_missing_part_is_found(pulih: Pulih, broken: Office, file: str) -> None:
    """Whatever is missing, the set is not what was stored."""
    (broken.set / file).unlink()
    ended = pulih("--inventory", broken.inventory, "verify", broken.name)
    assert 14 == ended.code
    assert file in ended.err


def test_a_manifest_that_another_key_signed_is_refused(pulih: Pulih, broken: Office) -> None:
    """Trust comes from the key that the installation holds."""
    (broken.root / "keys" / "signing").write_bytes(generate_signing_key())
    ended = pulih("--inventory", broken.inventory, "verify", broken.name)
    assert 14 == ended.code
    assert "is not signed by this installation" in ended.err
    assert "compare the key's fingerprint with the escrow sheet" in ended.err


def test_without_the_key_nothing_is_judged(pulih: Pulih, broken: Office) -> None:
    """A key that is not there says nothing about the set."""
    (broken.root / "keys" / "signing").unlink()
    ended = pulih("--inventory", broken.inventory, "verify", broken.name)
    assert (15, "") == (ended.code, ended.out)


def test_a_set_of_another_component_under_this_name_is_refused(pulih: Pulih, broken: Office) -> None:
    """All of its signatures are right; it is only not this backup."""
    (other,) = broken.set.parent.glob("simpel_berkas_*")
    shutil.rmtree(broken.set)
    shutil.copytree(other, broken.set)
    ended = pulih("--inventory", broken.inventory, "verify", broken.name)
    assert 14 == ended.code
    assert "it was copied from another component" in ended.err


def test_every_copy_is_read_and_the_good_one_is_named(pulih: Pulih, broken: Office) -> None:
    """In a disaster the question is which copy is good, not that one is bad."""
    add_second_store(broken)
    flip(broken.set / DATA, 400)
    ended = pulih("--inventory", broken.inventory, "--json", "verify", broken.name)
    assert 14 == ended.code
    assert [("utama", "fail"), ("kedua", "pass")] == [
        (store["store"], store["verdict"]) for store in ended.document["stores"]
    ]
    assert "fail" == ended.document["verdict"]
    assert "the copy in kedua is good: use that one, and find out what happened here" == ended.error["hint"]


def test_a_store_that_cannot_be_read_is_no_bad_copy(pulih: Pulih, broken: Office) -> None:
    """`error` and `fail` alarm differently."""
    shutil.rmtree(add_second_store(broken))
    ended = pulih("--inventory", broken.inventory, "--json", "verify", broken.name)
    assert 13 == ended.code
    assert ["pass", "error"] == [store["verdict"] for store in ended.document["stores"]]
    assert "error" == ended.document["verdict"]


def test_a_store_whose_credentials_are_missing_here_is_no_bad_copy_and_the_good_one_is_named(
    pulih: Pulih, broken: Office
) -> None:
    """So it is after a rebuild from the other store, when what counts is whether that one's copy is good."""
    add_second_store(broken)
    where = {"kind": "s3", "endpoint": "https://tidak-ada.invalid", "bucket": "cadangan", "attempts": 1}
    keys = dict.fromkeys(("access_key", "secret_key"), "file:/nonexistent/pulih")
    broken.change_inventory(lambda data: data["stores"].__setitem__(0, {"name": "utama", **where, **keys}))
    ended = pulih("--inventory", broken.inventory, "verify", broken.name)
    assert 13 == ended.code
    assert [
        f"{broken.name}: the copy in utama could not be looked at: the store utama cannot be asked: the secret "
        "file:/nonexistent/pulih cannot be read (No such file or directory)",
        f"{broken.name}: signature and every byte are as recorded in kedua",
    ] == ended.out.splitlines()
    assert "HINT: the copy in kedua is good: use that one" in ended.err


def test_a_foreign_object_in_the_set_is_a_warning(pulih: Pulih, broken: Office) -> None:
    """Nothing reads it, so the backup is good; but somebody put it there."""
    (broken.set / "catatan.txt").write_text("x")
    ended = pulih("--inventory", broken.inventory, "verify", broken.name)
    assert 0 == ended.code
    assert "catatan.txt in the store utama does not belong to the set" in ended.out


def test_an_unknown_name_ends_with_3(pulih: Pulih, office: Office) -> None:
    """Nothing that was not read may look verified."""
    ended = pulih("--inventory", office.inventory, "verify", "simpel_data_full_20200101t000000+0700")
    assert 3 == ended.code
    assert "no backup in a store has the name" in ended.err
