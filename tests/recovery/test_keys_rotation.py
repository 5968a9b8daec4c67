"""Changing keys: whenever it dies, every backup opens and new ones can be made; and it is finished by calling again."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from recovery.crypto import Signer, generate_identity, read_identities, recipient_of, verify_signature
from recovery.doctor.keys import examine_keys
from recovery.errors import KeyMissingError, SignatureError, StoreError
from recovery.keys_rotation import RECORDS_OF, ROTATED, Rotation, rotate_escrow, rotate_operations, rotate_signing
from recovery.keys_succession import recorded_successions
from recovery.manifest import Manifest
from recovery.points import observe
from recovery.records import leases, ledger, ledger_heads
from tests.recovery.key_office import CONTENT, KeyOffice, reopened
from tests.recovery.killed_work import Work, assert_survives, expire_leases
from tests.testbed.small_office import describe, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[KeyOffice]:
    built = open_office(tmp_path / "office", running=False)
    found = KeyOffice(built)
    found.back_up()
    yield found
    built.installation.catalog.dispose()


def set_recipients(office: KeyOffice, **recipients: str) -> None:
    keys = office.office.installation.keys
    office.office.installation.keys = keys.model_copy(update=recipients)


def entries(office: KeyOffice) -> list[tuple[str, str]]:
    with office.office.installation.catalog.read() as connection:
        found = ledger.entries(connection, kind=ROTATED)
        assert [] == ledger.verify(connection)
    return [(entry.facts["key"], entry.facts["new"]) for entry in found]


def test_after_a_rotation_of_operations_old_and_new_backups_open(office: KeyOffice) -> None:
    keys = office.office.root / "keys" / "operations"
    keys.chmod(0o600)
    old = office.office.installation.keys.operations_recipient
    rotation = rotate_operations(office.fresh())
    assert (old, f"operations_recipient: {rotation.new}") == (rotation.old, rotation.inventory_line)
    office.back_up()  # the inventory is as it was: still for the old one
    set_recipients(office, operations_recipient=rotation.new)
    office.back_up()
    assert [CONTENT] * 3 == [office.restored(name) for name in office.names]
    assert [rotation.new, old] == [recipient_of(each) for each in read_identities(keys.read_bytes(), "it")]
    assert 0o600 == stat.S_IMODE(keys.stat().st_mode)
    assert [("operations", rotation.new)] == entries(office)


def test_the_worker_goes_on_reading_a_key_that_root_changed(office: KeyOffice) -> None:
    """Keys belong to the worker's account; root, who changes them, does not run the worker."""
    keys = office.office.root / "keys"
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    for name in ("operations", "signing"):
        os.chown(keys / name, owner, -1)
    rotate_operations(office.fresh())
    rotate_signing(office.fresh())
    assert {owner} == {(keys / name).stat().st_uid for name in ("operations", "signing", "signing.successions")}


def test_plain_age_opens_old_sets_with_the_rotated_file(office: KeyOffice) -> None:
    rotate_operations(office.fresh())
    (data,) = office.office.root.glob("store/bkd/simpel/*/data.sqlite.zst.age")
    opened = subprocess.run(
        ["age", "-d", "-i", office.office.root / "keys" / "operations", data], capture_output=True, check=True
    )
    assert opened.stdout.startswith(b"\x28\xb5\x2f\xfd")  # zstd's magic number


def test_a_second_call_before_the_inventory_has_it_makes_no_other_key(office: KeyOffice) -> None:
    """Otherwise a new identity nobody uses would be added with each impatient call."""
    first, second = rotate_operations(office.fresh()), rotate_operations(office.fresh())
    assert first == second
    assert [("operations", first.new)] == entries(office)


def test_a_rotation_that_would_lose_the_identity_of_today_is_refused(office: KeyOffice) -> None:
    _identity, recipient = generate_identity()
    set_recipients(office, operations_recipient=recipient)
    before = (office.office.root / "keys" / "operations").read_bytes()
    with pytest.raises(KeyMissingError, match=f"does not hold the identity of {recipient}; nothing was changed"):
        rotate_operations(office.fresh())
    assert before == (office.office.root / "keys" / "operations").read_bytes()


def test_after_a_rotation_of_escrow_each_backup_opens_with_the_one_of_its_day(office: KeyOffice) -> None:
    path = office.office.root / "safe" / "escrow-2"
    path.parent.mkdir()
    rotation = rotate_escrow(office.fresh(), path)
    assert rotation == rotate_escrow(office.fresh(), path)
    set_recipients(office, escrow_recipient=rotation.new)
    office.back_up()
    old, new = (read_identities(each.read_bytes(), "it")[0] for each in (office.office.root / "keys" / "escrow", path))
    assert [CONTENT, CONTENT] == [office.restored(office.names[0], old), office.restored(office.names[1], new)]
    assert [("escrow", rotation.new)] == entries(office)
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("held", ["operations", "escrow"])
def test_an_identity_in_use_is_no_new_escrow(office: KeyOffice, held: str) -> None:
    with pytest.raises(KeyMissingError, match="holds an identity that is in use already; nothing was changed"):
        rotate_escrow(office.fresh(), office.office.root / "keys" / held)
    assert [] == entries(office)


def test_after_a_rotation_of_the_signing_key_old_and_new_backups_are_believed(office: KeyOffice) -> None:
    first = office.fresh().signer
    rotations = []
    for _ in range(2):
        rotations.append(rotate_signing(office.fresh()))
        office.back_up()
    assert [CONTENT] * 3 == [office.restored(name) for name in office.names]
    assert (first.fingerprint, rotations[0].new) == (rotations[0].old, rotations[1].old)
    now = office.fresh().signer
    assert now.fingerprint == rotations[1].new
    assert now.trusted_pem.startswith(now.public_pem)
    assert [("signing", each.new) for each in rotations] == entries(office)
    with pytest.raises(SignatureError, match="nor of the 2 that it vouches for"):
        verify_signature(now.trusted_pem, b"words", bytes(64))


def test_a_rotation_of_the_signing_key_that_was_interrupted_goes_on_with_the_key_that_was_stated(
    office: KeyOffice,
) -> None:
    stated = []

    def interrupt(name: str) -> None:
        if name == "key: succession stated":
            stated.extend(recorded_successions(office.office.installation.keys.signing_key))
            raise KeyboardInterrupt

    with observe(interrupt), pytest.raises(KeyboardInterrupt):
        rotate_signing(office.fresh())
    rotation = rotate_signing(office.fresh())
    (statement,) = stated
    assert statement.new == office.fresh().signer.public_pem.decode()
    assert [statement] == recorded_successions(office.office.installation.keys.signing_key)
    assert [("signing", rotation.new)] == entries(office)


def records(office: KeyOffice) -> list[Manifest]:
    """The manifests of the sets of records in the store that the key of now signed."""
    found = []
    for path in sorted((office.office.root / "store").glob("pulih/pulih/*/manifest.json")):
        verify_signature(office.fresh().signer.public_pem, path.read_bytes(), Path(f"{path}.sig").read_bytes())
        found.append(Manifest.from_bytes(path.read_bytes()))
    return found


@pytest.mark.parametrize("point", [pytest.param("records: staged", marks=pytest.mark.endurance), "set: manifest put"])
def test_a_rotation_that_died_before_the_new_key_signed_the_records_signs_them_the_next_time(
    office: KeyOffice, point: str
) -> None:
    """And makes no other key. Until then `pulih key check` says that it is not finished."""

    def interrupt(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    with observe(interrupt), pytest.raises(KeyboardInterrupt):
        rotate_signing(office.fresh())
    now = office.fresh().signer
    assert [("signing", now.fingerprint)] == entries(office)
    waiting = [each for each in examine_keys(office.fresh()) if each.subject == "signing rotation"]
    assert ["run `pulih key rotate signing` again"] == [each.mend for each in waiting]
    shutil.rmtree(office.office.root / "store" / "pulih", ignore_errors=True)  # what was put of it
    rotation = rotate_signing(office.fresh())
    assert now.fingerprint == rotation.new == office.fresh().signer.fingerprint != rotation.old
    assert [("signing", now.fingerprint)] == entries(office)
    assert [RECORDS_OF] == [each.procedure_id for each in records(office)]
    assert [] == list((office.office.root / "keys").glob("*.next"))


def test_a_rotation_that_died_and_whose_statement_was_lost_since_says_so(office: KeyOffice) -> None:
    def interrupt(name: str) -> None:
        if name == "records: staged":
            raise KeyboardInterrupt

    with observe(interrupt), pytest.raises(KeyboardInterrupt):
        rotate_signing(office.fresh())
    (statements,) = (office.office.root / "keys").glob("*.successions")
    lost = statements.rename(statements.with_suffix(".lost"))
    with pytest.raises(KeyMissingError, match=f"{statements} does not say which key the one in .+ follows") as raised:
        rotate_signing(office.fresh())
    assert "every store holds a copy in its folder kunci) and call it again" in raised.value.hint
    lost.rename(statements)
    rotate_signing(office.fresh())
    assert 1 == len(records(office)) == len(entries(office))


def test_a_rotation_says_when_no_store_took_the_records(office: KeyOffice) -> None:
    """The key is changed then: the next call is to do the rest."""

    def fail(name: str) -> None:
        if name == "records: staged":
            raise StoreError("the store is full", state="nothing was put", hint="make room")

    with observe(fail), pytest.raises(StoreError, match="the store is full; the new key is in use") as raised:
        rotate_signing(office.fresh())
    assert "make room; then `pulih key rotate signing` again: it makes no other key" == raised.value.hint
    assert [("signing", office.fresh().signer.fingerprint)] == entries(office)
    rotate_signing(office.fresh())
    assert 1 == len(records(office)) == len(entries(office))


def test_a_rotation_waits_for_no_database_of_prefects(office: KeyOffice, tmp_path: Path) -> None:
    """Whoever rotates need not be the account that reads it; the set says that it is not in it."""
    (tmp_path / "url").write_text(f"sqlite+aiosqlite:///{tmp_path / 'none.db'}")
    installation = office.fresh()
    installation.office.prefect_database = f"file:{tmp_path / 'url'}"
    rotate_signing(installation)
    (manifest,) = records(office)
    assert manifest.warnings[0].startswith("Prefect's database is not in it: the database ")
    assert [] == [name for name in manifest.fingerprint["objects"] if name.startswith("prefect.")]


def test_the_ledger_goes_on_over_a_rotation(office: KeyOffice) -> None:
    """A head that was signed with the key before is no contradiction, also where nothing was written since."""
    installation = office.fresh()
    with installation.catalog.begin() as connection:
        ledger.append(connection, "test", {})
    store = installation.store("utama")
    signed = ledger_heads.anchor(installation.catalog, store, installation.signer)
    other = Signer.from_pem((office.office.root / "keys" / "signing").read_bytes(), "it")
    rotate_signing(installation)
    with installation.catalog.read() as connection:
        heads = ledger_heads.read_heads(store, installation.signer.trusted_pem)
        assert signed in heads
        assert [] == ledger.verify(connection, heads)
    # As if the old key had signed this very head in another process: the same again is success.
    last = ledger_heads.anchor(installation.catalog, store, other)
    assert last == ledger_heads.anchor(installation.catalog, store, installation.signer)


def build(root: Path) -> None:
    """An office with one backup of before the rotation."""
    KeyOffice(open_office(root, running=False)).back_up()


def play_operations(root: Path) -> Rotation:
    return rotate_operations(reopened(root).fresh())


def play_escrow(root: Path) -> Rotation:
    return rotate_escrow(reopened(root).fresh(), root / "escrow-2")


def play_signing(root: Path) -> Rotation:
    return rotate_signing(reopened(root).fresh())


def finish(play: Callable[[Path], Rotation], root: Path) -> None:
    """All backups open and a new one can be made, at once and after the rotation was called again."""
    expire_leases(root)
    every_backup_opens(root)
    rotation = play(root)
    office = reopened(root)
    if rotation.inventory_line:
        name, _, value = rotation.inventory_line.partition(": ")
        set_recipients(office, **{name: value})
        describe(office.office)
    every_backup_opens(root)
    assert [] == [path.name for path in (root / "keys").iterdir() if "unfinished" in path.name]
    # The one that died may have come to its end: of the signing key there are two rotations then.
    recorded = entries(office)
    assert len(set(recorded)) == len(recorded) <= 2
    assert rotation.new == recorded[-1][1]
    installation = office.fresh()
    with installation.catalog.read() as connection:
        assert [] == [lease for lease in leases.list_leases(connection) if not lease["expired"]]


def every_backup_opens(root: Path) -> None:
    """Those that there are, and one that is made now."""
    office = reopened(root)
    office.back_up()
    assert {CONTENT} == {office.restored(name) for name in office.names}


WORKS = (
    Work("rotation of the operations key", build, play_operations, partial(finish, play_operations)),
    Work("rotation of the escrow key", build, play_escrow, partial(finish, play_escrow)),
    Work("rotation of the signing key", build, play_signing, partial(finish, play_signing)),
)


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.title)
def test_a_rotation_may_die_at_any_point(work: Work, tmp_path: Path) -> None:
    """Then all backups open, a new one is made and opens, and the next call finishes: a sample."""
    assert_survives(work, tmp_path)
