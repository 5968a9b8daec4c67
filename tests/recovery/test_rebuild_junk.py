"""Whoever may write to a store can put there what nothing can read: it is listed, and keeps nobody from rebuilding."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from recovery import rebuild as rebuilding
from recovery.crypto import Signer, generate_signing_key
from recovery.errors import ObjectUnreadableError, SignatureError, StoreError
from recovery.keys_succession import state_succession
from recovery.rebuild import rebuild
from recovery.settings import StoreSettings
from recovery.stores.directory import DirectoryStore
from tests.recovery.test_rebuild import Lost, build, opened
from tests.testbed.small_office import SmallOffice

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallOffice]:
    """What is left of an office."""
    yield build(tmp_path_factory.mktemp("gone") / "office")


@pytest.fixture
def lost(gone: SmallOffice, tmp_path: Path) -> Lost:
    """A copy of it, to be broken."""
    shutil.copytree(gone.root / "store", tmp_path / "store")
    return Lost(tmp_path, gone.installation.signer.fingerprint, gone, [])


def loop(path: Path) -> None:
    path.symlink_to(path.name)


WAYS: dict[str, Callable[[Path], None]] = {"pipa": os.mkfifo, "tautan": loop, "nama\\lain": lambda path: path.touch()}


@pytest.mark.parametrize("name", WAYS)
def test_an_object_that_nothing_can_read_is_listed(lost: Lost, name: str) -> None:
    """A pipe, a link, a name that no store takes: as a guide, a key's statement, a head, a set, a form."""
    store, put = lost.root / "store", WAYS[name]
    (store / "kunci").mkdir()
    folder = store / "bkd" / "simpel" / name
    folder.mkdir()
    form, *_ = sorted((store / "formulir").rglob("*.pdf"))
    form.unlink()
    made = [store / f"RESTORE-{name}", store / "kunci" / name, store / "buku-besar" / f"{name}.json", form]
    made += [folder / "manifest.json", folder / "manifest.json.sig"]
    for path in made:
        put(path)
    rebuilt = lost.rebuild()
    assert 3 == rebuilt.sets
    told = "\n".join(rebuilt.unproven)
    for path in (*made[:4], folder):
        key = str(path.relative_to(store))
        assert key in told or repr(key)[1:-1] in told, key
    assert f"{form.relative_to(store)} is missing or not what was issued" in told


@pytest.mark.parametrize("name", ["pipa", "tautan"])
def test_what_is_no_guide_in_its_place_stays_there_and_the_guide_lies_beside(lost: Lost, name: str) -> None:
    """Another one, as from before a change of the key, has the public key."""
    guide = lost.root / "store" / "RESTORE.md"
    guide.rename(guide.with_name("RESTORE-000000000000.md"))
    WAYS[name](guide)
    rebuilt = lost.rebuild()
    assert 3 == rebuilt.sets
    assert any("RESTORE.md in the store utama" in each or "RESTORE.md is not" in each for each in rebuilt.unproven)
    assert 3 == len(list((lost.root / "store").glob("RESTORE*.md")))


def test_a_verdict_that_cannot_be_read_is_listed(lost: Lost) -> None:
    """A link as long as the object that it took the place of."""
    path = lost.sets()[-1] / "quality.json"
    size = path.stat().st_size
    path.unlink()
    path.symlink_to(("x" * 100 + "/") * (size // 101) + "x" * (size % 101))
    rebuilt = lost.rebuild()
    assert (3, 0) == (rebuilt.sets, rebuilt.added)
    assert any("its verdict cannot be read" in each for each in rebuilt.unproven)


@pytest.mark.parametrize("year", ["99999999999999999999", "٢٠٢٦", "202", "20266", "²⁰²⁶"])
def test_only_a_year_is_believed_to_be_one(lost: Lost, year: str) -> None:
    """A number of twenty digits is none that a database holds."""
    (known,) = {path.parent.parent.name for path in (lost.root / "store" / "formulir").rglob("*.pdf")}
    folder = lost.root / "store" / "formulir" / year / "x"
    folder.mkdir(parents=True)
    (folder / "y").write_bytes(b"x")
    rebuilt = lost.rebuild()
    assert f"formulir/{year}/x/y: a form of which the records know nothing" in rebuilt.unproven
    with opened(rebuilt).catalog.read() as connection:
        assert {int(known)} == set(connection.exec_driver_sql("SELECT year FROM number_sequences").scalars())


def test_what_is_listed_can_be_printed(lost: Lost) -> None:
    """A name in no known writing, or with a line's end, a terminal's command or a turned direction in it."""
    for name in (b"sampah-\xff", b"sampah\nNOT", b"sampah\x1b[2J", "sampah\u202e".encode()):
        (lost.root / "store" / os.fsdecode(name)).write_bytes(b"x")
    told = lost.rebuild().unproven
    assert all(each.isprintable() for each in told)
    assert 4 == sum("'sampah" in each and each.endswith("cannot be the key of an object") for each in told)


def test_what_could_not_be_looked_at_is_named_when_no_key_has_the_fingerprint(lost: Lost) -> None:
    """It may stand in just that."""
    guide = lost.root / "store" / "RESTORE.md"
    guide.unlink()
    loop(guide)
    with pytest.raises(SignatureError, match="holds no public key with the fingerprint SHA256:") as raised:
        lost.rebuild()
    assert "; it says also: RESTORE.md in the store utama cannot be read" in raised.value.hint


@dataclass
class Leaving:
    """Makes stores whose mount goes when the first of some objects is read."""

    beginning: str
    ending: str

    def open(self, settings: StoreSettings) -> DirectoryStore:
        leaving = self

        class Store(DirectoryStore):
            def read(self, key: str, *, limit: int = 16 << 20, sha256: str = "") -> bytes:
                if key.startswith(leaving.beginning) and key.endswith(leaving.ending) and self._path.exists():
                    self._path.rename(self._path.with_name("away"))
                return super().read(key, limit=limit, sha256=sha256)

        return Store(settings)


@pytest.mark.parametrize(
    ("beginning", "ending"),
    [
        ("RESTORE", ".md"),
        ("kunci/", ".json"),
        ("buku-besar/", ".json"),
        ("bkd/", "manifest.json"),
        ("pulih/", "manifest.json"),
        ("bkd/", "quality.json"),
        ("formulir/", ".pdf"),
    ],
)
def test_a_store_that_goes_meanwhile_is_no_junk(
    lost: Lost, monkeypatch: pytest.MonkeyPatch, beginning: str, ending: str
) -> None:
    """From less than is there nothing is rebuilt; when it is mounted again, the same call gives all of it."""
    old = Signer.from_pem(lost.key("signing").read_bytes(), "it")
    statement = state_succession(Signer.from_pem(generate_signing_key(), "before"), old)
    (lost.root / "store" / "kunci").mkdir()
    (lost.root / "store" / statement.key).write_bytes(statement.to_bytes())
    with monkeypatch.context() as patched:
        patched.setattr(rebuilding, "open_store", Leaving(beginning, ending).open)
        with pytest.raises(StoreError, match="is not there") as raised:
            lost.rebuild()
    assert not isinstance(raised.value, ObjectUnreadableError)
    assert not (lost.root / "new" / "state" / "catalog.sqlite").exists()
    (lost.root / "away").rename(lost.root / "store")
    rebuilt = rebuild(lost.store, lost.root / "new", lost.fingerprint, lost.key("escrow"))
    assert (3, 1) == (rebuilt.sets, rebuilt.added)
    assert ["ledger: the entries "] == [each[:20] for each in rebuilt.unproven]
