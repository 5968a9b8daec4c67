"""pulih fetch takes a set out of its store whole, checked and readable, or leaves nothing under its name."""

import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from recovery.crypto import generate_identity
from recovery.fetching import FETCHED
from recovery.records import ledger
from tests.cli.conftest import Office, Pulih
from tests.cli.test_verify import DATA, add_second_store, flip

ROOT = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fetched_entries(office: Office) -> list[dict[str, object]]:
    with office.catalog.read() as connection:
        return [entry.facts for entry in ledger.entries(connection, kind=FETCHED)]


def test_a_database_comes_out_as_a_plain_file_for_its_owner_alone(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """Any program can open it, and nobody else can."""
    before = os.umask(0)
    try:
        ended = pulih("--inventory", broken.inventory, "--json", "fetch", broken.name, "--to", tmp_path / "new" / "out")
    finally:
        os.umask(before)
    assert (0, "") == (ended.code, ended.err)
    directory = tmp_path / "new" / "out" / broken.name
    assert [str(directory), "utama", False] == [ended.document[key] for key in ("directory", "store", "encrypted")]
    (file,) = ended.document["files"]
    path = directory / "data.sqlite"
    content = path.read_bytes()
    assert {"file": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} == file
    assert (0o600, 0o700, 0o700) == (mode(path), mode(directory), mode(directory.parent))
    with sqlite3.connect(path) as connection:
        assert [(200,)] == connection.execute("SELECT count(*) FROM pegawai").fetchall()
    connection.close()
    assert [directory] == list(directory.parent.iterdir())


def test_a_tree_comes_out_as_a_tar(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """The suffix is the one of RESTORE.md."""
    (name,) = [path.name for path in broken.set.parent.glob("simpel_berkas_*")]
    assert 0 == pulih("--inventory", broken.inventory, "fetch", name, "--to", tmp_path).code
    with tarfile.open(tmp_path / name / "data.tar") as archive:
        assert {"./sk/satu.txt", "./dua.txt"} <= set(archive.getnames())


def test_encrypted_fetches_the_objects_as_they_are(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """To be sent elsewhere; no key that opens data is needed."""
    (broken.root / "keys" / "operations").unlink()
    ended = pulih("--inventory", broken.inventory, "fetch", broken.name, "--to", tmp_path, "--encrypted")
    assert (0, "") == (ended.code, ended.err)
    found = {path.name: path.read_bytes() for path in (tmp_path / broken.name).iterdir()}
    assert {path.name: path.read_bytes() for path in broken.set.iterdir()} == found


def test_plain_data_that_leaves_the_store_is_in_the_ledger(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """Whoever looks for a leak asks who had the data."""
    assert 0 == pulih("--inventory", broken.inventory, "fetch", broken.name, "--to", tmp_path).code
    (facts,) = fetched_entries(broken)
    assert (broken.name, "utama", False) == (facts["name"], facts["store"], facts["encrypted"])
    assert 0 == pulih("--inventory", broken.inventory, "ledger", "verify").code


def test_nothing_is_overwritten(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """Neither a set nor anything else of that name, a dangling link included."""
    for make in (Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")):
        place = tmp_path / make.__name__.strip("<>")
        place.mkdir()
        make(place / broken.name)
        ended = pulih("--inventory", broken.inventory, "fetch", broken.name, "--to", place)
        assert 4 == ended.code
        assert f"{place / broken.name} already exists; it was left as it is" in ended.err
        assert [place / broken.name] == list(place.iterdir())
    assert [] == fetched_entries(broken)


@pytest.mark.parametrize("place", [0, 400, -1])
@pytest.mark.parametrize("option", [[], ["--encrypted"]])
def test_a_damaged_set_leaves_nothing(
    pulih: Pulih, broken: Office, tmp_path: Path, place: int, option: list[str]
) -> None:
    """Not even under another name."""
    flip(broken.set / DATA, place)
    ended = pulih("--inventory", broken.inventory, "fetch", broken.name, "--to", tmp_path / "out", *option)
    assert (14, "") == (ended.code, ended.out)
    assert [] == list((tmp_path / "out").iterdir())


def test_a_signature_that_is_not_ours_stops_before_anything_is_written(
    pulih: Pulih, broken: Office, tmp_path: Path
) -> None:
    """Nothing of such a set is decrypted."""
    flip(broken.set / "manifest.json.sig", 3)
    ended = pulih("--inventory", broken.inventory, "fetch", broken.name, "--to", tmp_path / "out")
    assert 14 == ended.code
    assert "is not signed by this installation" in ended.err
    assert not (tmp_path / "out").exists()
    assert [] == fetched_entries(broken)


def test_the_other_store_is_named_and_can_be_chosen(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """In a disaster the question is which copy is good."""
    add_second_store(broken)
    flip(broken.set / DATA, 400)
    arguments = ("--inventory", broken.inventory, "--json", "fetch", broken.name, "--to")
    ended = pulih(*arguments, tmp_path, "--store", "utama")
    assert 14 == ended.code
    assert "take the copy in kedua: add --store kedua" == ended.error["hint"]
    for place, chosen in ((tmp_path / "named", ["--store", "kedua"]), (tmp_path / "found", [])):
        ended = pulih(*arguments, place, *chosen)
        assert (0, "kedua") == (ended.code, ended.document["store"])


def test_the_wrong_identity_ends_with_15(pulih: Pulih, broken: Office, tmp_path: Path) -> None:
    """The set is good; only nobody here can open it."""
    (broken.root / "keys" / "operations").write_text(generate_identity()[0])
    ended = pulih("--inventory", broken.inventory, "fetch", broken.name, "--to", tmp_path / "out")
    assert 15 == ended.code
    assert not (tmp_path / "out").exists()


def test_a_place_without_room_is_said(pulih: Pulih, broken: Office) -> None:
    """Before the first byte is written, and before the ledger says that it was; another copy would not fit either."""
    add_second_store(broken)
    for chosen in ([], ["--store", "utama"]):
        ended = pulih("--inventory", broken.inventory, "fetch", broken.name, "--to", "/proc/sys", *chosen)
        assert 13 == ended.code
        assert "bytes in /proc/sys and 0 are free; nothing was written" in ended.err
        assert "take the copy" not in ended.err
    assert [] == fetched_entries(broken)


@pytest.mark.parametrize("name", ["simpel_data_full_20200101t000000+0700", "../store", ""])
def test_an_unknown_name_ends_with_3(pulih: Pulih, office: Office, tmp_path: Path, name: str) -> None:
    """A name is only looked up, never used as a path."""
    ended = pulih("--inventory", office.inventory, "fetch", name, "--to", tmp_path)
    assert 3 == ended.code
    assert "no backup in a store has the name" in ended.err


def test_a_killed_fetch_leaves_nothing_under_the_name(broken: Office, tmp_path: Path) -> None:
    """Whoever finds a directory with the backup's name has all of it."""
    program = (
        "import os, signal, sys; from cli.main import run; from recovery.points import observe\n"
        "def die(name):\n    name == 'new file: created' and os.kill(os.getpid(), signal.SIGKILL)\n"
        "with observe(die):\n    run(sys.argv[1:])\n"
    )
    arguments = ["--inventory", str(broken.inventory), "fetch", broken.name, "--to", str(tmp_path / "out")]
    ended = subprocess.run([sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, check=False)
    assert -9 == ended.returncode
    (left,) = (tmp_path / "out").iterdir()
    assert left.name.startswith(f".{broken.name}.") and left.name.endswith(".belum-selesai")
