"""From a store, an identity and the escrow sheet's fingerprint alone: what is rebuilt works, and what is not proven is
said. The installation that made the store is gone in all of these."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from deployments.records import plan_catalog
from recovery import points
from recovery.crypto import Signer, generate_identity, generate_signing_key, read_identities, recipient_of
from recovery.errors import ConfigurationError, ConflictError, KeyMissingError, SignatureError
from recovery.fetching import fetch
from recovery.installation import Installation
from recovery.inventory import load_inventory
from recovery.keys_succession import Succession, state_succession
from recovery.procedures.backup.begin import begin_backup
from recovery.rebuild import FROM_MANIFESTS, Rebuilt, rebuild
from recovery.rebuild_target import is_unfinished
from recovery.records import backups, forms, ledger, ledger_heads, procedures
from recovery.records.catalog import open_catalog
from recovery.settings import StoreSettings
from tests.recovery.killed_work import Work, assert_survives
from tests.testbed.rebuilding import office_in
from tests.testbed.small_office import SmallOffice, open_office

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CONCLUDED, KILLED = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


@dataclass(frozen=True)
class Lost:
    """What is left of an office: its store, the sheet, what lies in the safe; and its application."""

    root: Path
    fingerprint: str
    office: SmallOffice
    rows: list[tuple[Any, ...]]

    @property
    def store(self) -> StoreSettings:
        return StoreSettings(name="utama", path=str(self.root / "store"))

    def key(self, name: str) -> Path:
        return self.office.root / "safe" / name

    def rebuild(self, key: str = "escrow", directory: str = "new", **more: Any) -> Rebuilt:
        return rebuild(self.store, self.root / directory, self.fingerprint, self.key(key), **more)

    def sets(self, of: str = "bkd/simpel") -> list[Path]:
        return sorted(path.parent for path in (self.root / "store" / of).glob("*/manifest.json.sig"))

    def restored_in(self, installation: Installation) -> SmallOffice:
        """Given what was rebuilt, enrol its officials anew, damage the data and restore it; return the office there."""
        office = office_in(self.office, installation)
        office.damage()
        assert self.rows != office.rows()
        office.restore()
        assert self.rows == office.rows()
        return office


def build(root: Path, *, running: bool = False, catalog_url: str = "") -> SmallOffice:
    """An office with a concluded backup, and one that died after step 4; then only store, safe and sheet are left."""
    office = open_office(root, running=running, catalog_url=catalog_url)
    office.approve_schedule()
    office.back_up(CONCLUDED)
    begin_backup(office.installation, KILLED, schedule_name="bulanan", routine=True)
    for number in (1, 2, 3, 4):
        office.step(f"backup.{number}", KILLED, "simpel/data")
    ledger_heads.anchor(office.installation.catalog, office.installation.store("utama"), office.installation.signer)
    office.installation.catalog.dispose()
    (root / "sheet").write_text(office.installation.signer.fingerprint)
    (root / "keys").rename(root / "safe")
    shutil.rmtree(root / "state")
    return office


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallOffice]:
    """What is left of that office, and its application."""
    office = build(tmp_path_factory.mktemp("gone") / "office", running=True)
    yield office
    office.stop_service_for_good()


@pytest.fixture
def lost(gone: SmallOffice, tmp_path: Path) -> Lost:
    """A copy of what is left, to be broken."""
    shutil.copytree(gone.root / "store", tmp_path / "store")
    return Lost(tmp_path, gone.installation.signer.fingerprint, gone, gone.rows())


def opened(rebuilt: Rebuilt) -> Installation:
    """The rebuilt installation, as its inventory says."""
    assert rebuilt.inventory is not None
    return load_inventory(rebuilt.inventory).installation()


def everything_is_proven_but(rebuilt: Rebuilt, *sentences: str) -> None:
    """The killed backup is newer than the records; else nothing but what was done to the store is unproven."""
    rest = [each for each in rebuilt.unproven if not each.startswith("ledger: the entries ")]
    assert sorted(sentences) == sorted(rest)


def test_in_an_empty_home_a_restore_works_after_it(lost: Lost) -> None:
    """As a process that has nothing but the store, a key and what is typed from the sheet; then the usual procedure."""
    home = lost.root / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "cli.main", "--json", "rebuild", "--from", str(lost.root / "store")]
    command += ["--identity", str(lost.key("escrow")), "--fingerprint", lost.fingerprint, "--to", str(home / "pulih")]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    told = json.loads(ended.stdout)
    assert (3, 1) == (told["sets"], told["added"])
    installation = load_inventory(Path(told["inventory"])).installation()
    office = lost.restored_in(installation)
    store = installation.store("utama")
    with installation.catalog.read() as connection:
        trusted = installation.signer.trusted_pem
        assert [] == ledger.verify(connection, ledger_heads.read_heads(store, trusted), trusted)
        # Who has no key cannot declare a loss.
        assert re.fullmatch(r"entr(y \d+ is|ies \d+ to \d+ are) missing", ledger.verify(connection)[0])
    # And what it makes from now on opens with what it holds, and can be rebuilt from again.
    office.back_up()
    again = rebuild(
        lost.store,
        lost.root / "again",
        installation.signer.fingerprint,
        Path(told["directory"]) / "keys/operations.txt",
    )
    assert 5 == again.sets
    everything_is_proven_but(again)


def test_the_page_for_the_night_is_right(lost: Lost) -> None:
    """Its commands, as they stand, with the values that an administrator fills in; but those that need a server."""
    (newest,) = [path.name for path in lost.sets()[-1:]]
    values = {
        "STORE": str(lost.root / "store"),
        "IDENTITY": str(lost.key("escrow")),
        "FINGERPRINT": lost.fingerprint,
        "NEW": str(lost.root / "new"),
        "BACKUP": newest,
    }
    page = (ROOT / "docs" / "disaster.md").read_text(encoding="utf-8")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    for name, value in values.items():
        script, count = re.subn(rf"^{name}=.*$", f"{name}='{value}'", script, flags=re.MULTILINE)
        assert 1 == count, name
    for verb in ("rebuild", "key check", "ledger verify", "backups", "verify", "fetch", "key sheet"):
        assert f"pulih {verb}" in script
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"HOME": str(lost.root), "PATH": path, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(["bash", "-e"], input=script, env=environment, capture_output=True, text=True, check=False)
    assert (0, "") == (ended.returncode, ended.stderr)
    assert "intact\n" in ended.stdout and "PROBLEM" not in ended.stdout
    assert f"{newest}: signature and every byte are as recorded in utama" in ended.stdout
    assert (lost.root / "new" / "hasil" / newest).is_dir()
    assert (lost.root / "new" / "lembar-titipan.pdf").is_file()
    # What it says of messages is what they say.
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "recovery").glob("re*.py"))
    messages = ("two keys are said to follow", "holds no public key with the fingerprint")
    for told in (*messages, "the inventory has the stores", "is not empty"):
        assert told in page and told in sources


def test_the_catalog_is_the_copy_and_what_the_store_has_beyond_it(lost: Lost) -> None:
    rebuilt = lost.rebuild()
    installation = opened(rebuilt)
    with installation.catalog.read() as connection:
        secured = backups.list_backups(connection, "simpel")
        killed = procedures.get(connection, KILLED)
        concluded = procedures.get(connection, CONCLUDED)
        printed = forms.list_all(connection)
    assert {("secured", ("utama",))} == {(each.state, each.stores) for each in secured}
    assert {path.name for path in lost.sets()} == {each.name for each in secured}
    assert ("closed", "dibangun ulang", ["simpel/data"]) == (
        killed.state,
        killed.outcome,
        killed.parameters["components"],
    )
    assert "berhasil" == concluded.outcome
    assert rebuilt.forms == len(printed)
    assert all(Path(form.path).is_file() for form in printed)
    (entry,) = _rebuilt_entries(installation)
    assert rebuilt.ledger_sequence == entry.sequence
    everything_is_proven_but(rebuilt)
    (loss,) = rebuilt.unproven
    assert loss.startswith("ledger: the entries ") and " are lost; only the head of the last one is left" in loss


def _rebuilt_entries(installation: Installation) -> list[ledger.Entry]:
    with installation.catalog.read() as connection:
        return ledger.entries(connection, kind="ledger.rebuilt")


def test_what_is_made_is_private_and_new_backups_can_be_opened(lost: Lost) -> None:
    """The identity in hand is that of escrow: what is backed up from now on is for one that is held."""
    installation = opened(lost.rebuild())
    folder = lost.root / "new" / "keys"
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert 0o700 == stat.S_IMODE((lost.root / "new").stat().st_mode)
    recipient = installation.keys.operations_recipient
    assert installation.operations_identity([recipient])
    assert lost.office.installation.keys.operations_recipient != recipient
    assert lost.office.installation.keys.escrow_recipient == installation.keys.escrow_recipient


def test_keys_from_the_safe_are_used(lost: Lost) -> None:
    """Then nothing has to be done again: officials keep their devices, and the schedule stays approved."""
    folder = lost.root / "new" / "keys"
    folder.mkdir(parents=True, mode=0o700)
    for name, file in (("signing", "signing.pem"), ("enrolment", "enrolment.key"), ("operations", "operations.txt")):
        shutil.copy(lost.key(name), folder / file)
    rebuilt = lost.rebuild("operations")
    assert [] == rebuilt.to_do
    assert lost.fingerprint == rebuilt.fingerprint
    installation = opened(rebuilt)
    assert lost.office.installation.keys.operations_recipient == installation.keys.operations_recipient
    (lost.office.root / "keys").mkdir(exist_ok=True)
    office = replace(lost.office, installation=installation)
    procedure_id = office.request()
    office.decide("restore.2", procedure_id, "197003031995031003", "diteruskan", nomor_agenda="1", sifat="segera")


def test_without_records_the_manifests_give_the_backups(lost: Lost, tmp_path: Path) -> None:
    """An older release's store, or one whose records were destroyed."""
    shutil.rmtree(lost.root / "store" / "pulih")
    rebuilt = lost.rebuild()
    assert (FROM_MANIFESTS, None, 3, 3) == (rebuilt.source, rebuilt.inventory, rebuilt.sets, rebuilt.added)
    assert any("entries 1 to " in each for each in rebuilt.unproven)
    old = lost.office.installation
    keys = lost.root / "new" / "keys"
    installation = replace(
        old,
        office=old.office.model_copy(update={"state_directory": str(lost.root / "new" / "state"), "catalog": None}),
        keys=old.keys.model_copy(
            update={
                "operations_identity": f"file:{keys / 'operations.txt'}",
                "signing_key": f"file:{keys / 'signing.pem'}",
                "enrolment_key": f"file:{keys / 'enrolment.key'}",
            }
        ),
        stores={"utama": lost.store},
    )
    with installation.catalog.read() as connection:
        newest = backups.newest_verified(connection, "simpel", "data")
        trusted = installation.signer.trusted_pem
        assert [] == ledger.verify(connection, ledger_heads.read_heads(installation.store("utama"), trusted), trusted)
    assert newest is not None and KILLED == newest.procedure_id
    fetched = fetch(installation, str(newest.name), tmp_path / "fetched", encrypted=False)
    assert {"data.sqlite", "globals.sql"} > {file.file for file in fetched.files}


def test_a_catalog_that_is_not_empty_is_never_written_over(lost: Lost) -> None:
    lost.rebuild()
    before = (lost.root / "new" / "state" / "catalog.sqlite").read_bytes()
    with pytest.raises(ConflictError, match="is not empty; nothing was written"):
        lost.rebuild()
    assert before == (lost.root / "new" / "state" / "catalog.sqlite").read_bytes()
    (lost.root / "odd" / "state").mkdir(parents=True)
    (lost.root / "odd" / "state" / "catalog.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(ConflictError, match="is not empty; nothing was written"):
        lost.rebuild(directory="odd")
    catalog = open_catalog(f"sqlite:///{lost.root / 'unused' / 'state' / 'catalog.sqlite'}")
    catalog.upgrade()
    catalog.dispose()
    assert 3 == lost.rebuild(directory="unused").sets


def test_a_fingerprint_that_no_key_has_writes_nothing(lost: Lost) -> None:
    """A wrong store, or a sheet of another office: trust never comes from the store alone."""
    other = Signer.from_pem(generate_signing_key(), "of a thief").fingerprint
    with pytest.raises(SignatureError, match="holds no public key with the fingerprint SHA256:"):
        rebuild(lost.store, lost.root / "new", other, lost.key("escrow"))
    assert not (lost.root / "new").exists()


def test_an_identity_that_opens_nothing_is_said(lost: Lost) -> None:
    (lost.root / "stranger").write_text(generate_identity()[0])
    (mine,) = [recipient_of(each) for each in read_identities((lost.root / "stranger").read_bytes(), "it")]
    (records,) = lost.sets("pulih/pulih")[-1:]
    with pytest.raises(KeyMissingError) as raised:
        rebuild(lost.store, lost.root / "new", lost.fingerprint, lost.root / "stranger")
    told = f"nothing could be rebuilt from the records in the store: the records {records.name}, up to entry "
    assert raised.value.message.startswith(told)
    held = f"which the identity file {lost.root / 'stranger'} (of {mine}) does not open"
    assert raised.value.message.endswith(held)
    assert "bring the identity of one of these recipients" in raised.value.hint
    assert not (lost.root / "new" / "state" / "catalog.sqlite").exists()


def overwrite(path: Path, content: bytes) -> None:
    """Change an object as whoever owns the disk can."""
    path.chmod(0o640)
    path.write_bytes(content)


def test_all_that_cannot_be_proven_is_listed(lost: Lost) -> None:
    """A thief with the store's credentials has been there; nothing of his counts, and the rest does."""
    thief = Signer.from_pem(generate_signing_key(), "of a thief")
    store = lost.root / "store"
    first, second, third = lost.sets()
    overwrite(first / "manifest.json.sig", thief.sign((first / "manifest.json").read_bytes()))
    (second / "quality.json").unlink()
    shutil.copytree(third, third.with_name("simpel_data_full_20990101t000000+0700"))
    (store / "bkd" / "simpel" / "unfinished").mkdir()
    (store / "bkd" / "simpel" / "unfinished" / "data.sqlite.zst.age").write_bytes(b"x")
    (store / "catatan.txt").write_bytes(b"x")
    (store / "kunci").mkdir()
    (store / "kunci" / "x.json").write_bytes(b"x")
    false_pem = state_succession(thief, Signer.from_pem(generate_signing_key(), "x"))
    (store / "kunci" / "y.json").write_bytes(false_pem.to_bytes())
    no_key = "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----\n"
    (store / "RESTORE-000000000000.md").write_text(no_key)
    head = sorted((store / "buku-besar").glob("*.json"))[0]
    overwrite(head, b"{}")
    form, large, *_ = sorted((store / "formulir").rglob("*.pdf"))
    overwrite(form, b"x")
    os.truncate(large, 17 << 20)
    rebuilt = lost.rebuild()
    told = "\n".join(rebuilt.unproven)
    for named in (
        first.name,
        second.name,
        "20990101",
        "unfinished",
        "catatan.txt",
        "kunci/x.json",
        head.name,
        form.name,
        large.name,
    ):
        assert named in told, named
    assert 1 == rebuilt.sets
    # Two sets that the records name are not proven any more: once for the object, once for the record.
    assert 2 == told.count("the records say that it is in utama, where it is not")
    installation = opened(rebuilt)
    assert thief.public_pem not in installation.signer.trusted_pem


def test_a_set_that_took_the_place_of_the_recorded_one_is_named(lost: Lost) -> None:
    """Rollback by somebody with the signing key: signed, and yet not what the records say."""
    path = lost.sets()[0]
    signer = Signer.from_pem(lost.key("signing").read_bytes(), "it")
    manifest = json.loads((path / "manifest.json").read_bytes())
    changed = json.dumps({**manifest, "release": "0.0.9"}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    overwrite(path / "manifest.json", changed.encode())
    overwrite(path / "manifest.json.sig", signer.sign(changed.encode()))
    everything_is_proven_but(
        lost.rebuild(),
        f"backup {path.name}: the set in utama is not the one that was recorded, though it is signed: its manifest has "
        "another SHA-256",
    )


def test_damaged_records_give_way_to_older_ones(lost: Lost) -> None:
    newest = lost.sets("pulih/pulih")[-1]
    data = (newest / "data.tar.zst.age").read_bytes()
    overwrite(newest / "data.tar.zst.age", data[:-1] + bytes([data[-1] ^ 1]))
    rebuilt = lost.rebuild()
    assert lost.sets("pulih/pulih")[0].name == rebuilt.source
    (complaint,) = [each for each in rebuilt.unproven if each.startswith("the records ")]
    assert newest.name in complaint and complaint.endswith("; an older set was taken")
    assert (3, 3) == (rebuilt.sets, rebuilt.added)


def test_a_store_that_the_inventory_names_among_others_must_be_said(
    lost: Lost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which copy is where, only the administrator knows."""
    inventory = "recovery.rebuild_places._inventory"
    two = {"stores": [{"name": "utama"}, {"name": "luar"}], "keys": {"operations_recipient": ""}}
    monkeypatch.setattr(inventory, lambda _records: two)
    with pytest.raises(ConfigurationError, match="the inventory has the stores utama, luar; no catalog was made"):
        lost.rebuild()
    with pytest.raises(ConfigurationError, match="and none named x"):
        lost.rebuild(store_name="x")


def test_numbers_of_lost_forms_are_not_given_again(lost: Lost) -> None:
    """A form of after the copy lies in the store; its number would be refused there."""
    (known,) = {path.parent.parent for path in (lost.root / "store" / "formulir").rglob("*.pdf")}
    (known / "002-FPB-X").mkdir()
    (known / "002-FPB-X" / "002-FPB-X-v1.pdf").write_bytes(b"x")
    rebuilt = lost.rebuild()
    installation = opened(rebuilt)
    with installation.catalog.read() as connection:
        rows = connection.exec_driver_sql("SELECT series, last FROM number_sequences").all()
    given = {str(series): int(last) for series, last in rows}
    assert (2, 1) == (given["backup"], given["restore"])
    everything_is_proven_but(
        rebuilt, f"formulir/{known.name}/002-FPB-X/002-FPB-X-v1.pdf: a form of which the records know nothing"
    )


def play(root: Path) -> Rebuilt:
    """A rebuild from what lies in a directory: a store, the safe, and the fingerprint on the sheet."""
    settings = StoreSettings(name="utama", path=str(root / "store"))
    return rebuild(settings, root / "new", (root / "sheet").read_text(), root / "safe" / "escrow")


def finish(root: Path) -> None:
    """It is called again, unless the one that died had come to its end, and tells all; then all works."""
    state = root / "new" / "state"
    ended = (state / "catalog.sqlite").exists() and not is_unfinished(state)
    if ended:
        with pytest.raises(ConflictError, match="is not empty; nothing was written"):
            play(root)
    else:
        if (root / "new" / "inventory.yaml").exists():
            nothing_is_applied(root / "new")
        require_all_told(play(root))
    installation = load_inventory(root / "new" / "inventory.yaml").installation()
    installation.catalog.check()
    # The identity in hand opens what lies in the store, so it must be among those that restores use.
    escrow = recipient_of(read_identities((root / "safe" / "escrow").read_bytes(), "it")[0])
    assert installation.operations_identity([escrow])
    trusted = installation.signer.trusted_pem
    with installation.catalog.read() as connection:
        assert 3 == len([each for each in backups.list_backups(connection) if each.state == "secured"])
        assert 1 == len(ledger.entries(connection, kind="ledger.rebuilt"))
        # Only the head may be missing in the store: the next procedure puts one.
        assert [] == ledger.verify(connection, ledger_heads.read_heads(installation.store("utama"), trusted), trusted)
    assert [] == [path for path in (root / "new").rglob("*") if "unfinished" in path.name]


def nothing_is_applied(directory: Path) -> None:
    """A catalog that `pulih apply` made, and officials in it, would keep the rebuild from ever ending."""
    installation = load_inventory(directory / "inventory.yaml").installation()
    with pytest.raises(ConflictError, match=f"a rebuild into {directory} has not ended; nothing was changed") as raised:
        plan_catalog(installation)
    assert "repeat `pulih rebuild` as it was, then apply" == raised.value.hint


def require_all_told(rebuilt: Rebuilt) -> None:
    """Both lists, as a call tells them that nothing interrupted."""
    assert (3, 1) == (rebuilt.sets, rebuilt.added)
    assert ["the signing key", "the enrolment key", "new backups are"] == [
        " ".join(each.split()[:3]) for each in rebuilt.to_do
    ]
    everything_is_proven_but(rebuilt)
    assert 1 == len(rebuilt.unproven)


class DiedError(BaseException):
    """Stands for the death of a process."""


@pytest.mark.parametrize(
    "point",
    ["key: made", "rebuild: keys and inventory written", "rebuild: catalog filled", "rebuild: catalog in place"],
)
def test_a_repeated_rebuild_tells_what_the_one_that_died_would_have_told(lost: Lost, point: str) -> None:
    """Above all that every official enrols again; and until it has ended nothing is applied."""
    reached: list[str] = []

    def die(name: str) -> None:
        reached.append(name)
        # Of the keys the last one, when all of them are there.
        if name == point and (name != "key: made" or (lost.root / "new" / "keys" / "enrolment.key").exists()):
            raise DiedError

    with pytest.raises(DiedError), points.observe(die):
        lost.rebuild()
    assert point == reached[-1]
    if point != "key: made":
        nothing_is_applied(lost.root / "new")
    rebuilt = lost.rebuild()
    require_all_told(rebuilt)
    assert {"catalog.sqlite", "formulir"} == {
        path.name.removesuffix("-wal").removesuffix("-shm") for path in (lost.root / "new" / "state").iterdir()
    }
    assert [] == plan_catalog(opened(rebuilt))
    with pytest.raises(ConflictError, match="is not empty; nothing was written"):
        lost.rebuild()


def test_a_catalog_that_was_used_since_the_call_died_is_left_alone(lost: Lost) -> None:
    """Nothing that was recorded is told as if it were not there."""

    def die(name: str) -> None:
        if name == "rebuild: catalog in place":
            raise DiedError

    with pytest.raises(DiedError), points.observe(die):
        lost.rebuild()
    catalog = open_catalog(f"sqlite:///{lost.root / 'new' / 'state' / 'catalog.sqlite'}")
    with catalog.begin() as connection:
        ledger.append(connection, "test", {})
    catalog.dispose()
    with pytest.raises(ConflictError, match="is not empty; nothing was written"):
        lost.rebuild()


WORK = Work("rebuild", build, play, finish)


def test_a_rebuild_may_die_at_any_point_and_is_repeated(tmp_path: Path) -> None:
    """A sample."""
    assert_survives(WORK, tmp_path)


def test_old_and_new_sheet_both_open_a_store_whose_key_was_rotated(lost: Lost) -> None:
    """The safe may hold the sheet from before the rotation."""
    old = Signer.from_pem(lost.key("signing").read_bytes(), "it")
    new = Signer.from_pem(generate_signing_key(), "it")
    statement: Succession = state_succession(old, new)
    (lost.root / "store" / "kunci").mkdir()
    (lost.root / "store" / statement.key).write_bytes(statement.to_bytes())
    for number, fingerprint in enumerate((old.fingerprint, new.fingerprint)):
        rebuilt = rebuild(lost.store, lost.root / str(number), fingerprint, lost.key("escrow"))
        assert 3 == rebuilt.sets
