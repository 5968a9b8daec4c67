"""Keys after they were changed: what a rotation waits for, and what would not open any more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.crypto import Signer, generate_identity, generate_signing_key
from recovery.doctor.finding import Finding
from recovery.doctor.keys import examine_keys
from recovery.guard.proofs import proof_alarms
from recovery.keys_rotation import rotate_escrow, rotate_operations, rotate_signing
from recovery.keys_succession import state_succession
from recovery.procedures.backup.begin import begin_backup
from recovery.records import backups
from tests.testbed.small_office import SmallOffice, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    """An office to be broken, whose service does not run."""
    built = open_office(tmp_path / "office", running=False)
    yield built
    built.installation.catalog.dispose()


def found(office: SmallOffice, subject: str) -> Finding:
    """The one finding about a subject."""
    (finding,) = [each for each in examine_keys(office.installation) if each.subject == subject]
    return finding


def test_a_rotation_waits_for_the_inventory_and_one_that_died_for_a_second_call(office: SmallOffice) -> None:
    """Both are warnings: everything opens, and new backups are made."""
    assert "ok" == found(office, "succession of signing keys").state
    rotation = rotate_operations(office.installation)
    waiting = found(office, "operations rotation")
    assert ("warning", f"new backups still use the recipient before {rotation.new}") == (waiting.state, waiting.message)
    assert f"operations_recipient: {rotation.new}" in waiting.mend
    (office.root / "keys" / "signing.next").write_bytes(b"")
    assert "warning" == found(office, "signing rotation").state


def test_a_statement_that_a_store_lacks_or_has_otherwise_is_a_problem(office: SmallOffice) -> None:
    """After a disaster the store is all that is left of it."""
    rotate_signing(office.installation)
    assert ("ok", "whole, and in every store") == _succession(office)
    (statement,) = (office.root / "store" / "kunci").iterdir()
    kept = statement.read_bytes()
    statement.unlink()
    assert ("problem", f"the store utama lacks kunci/{statement.name}") == _succession(office)
    statement.write_bytes(b"another")
    told = f"kunci/{statement.name} in the store utama is another statement than the one beside the key"
    assert ("problem", told) == _succession(office)
    statement.write_bytes(kept)
    stranger = Signer.from_pem(generate_signing_key(), "x")
    forged = state_succession(stranger, Signer.from_pem(generate_signing_key(), "y"))
    (office.root / "keys" / "signing.successions").write_bytes(forged.to_bytes() + b"\n")
    del office.installation.signer
    told = f"the statement about {stranger.fingerprint} is not signed by a key that counts"
    assert ("problem", told) == _succession(office)


def test_a_backup_that_the_escrow_key_does_not_open_is_told(office: SmallOffice) -> None:
    """Somebody exchanged the recipient that the worker reads; all else looks well, since the daily key opens it."""
    keys = office.installation.keys
    stranger = generate_identity()[1]
    office.installation.keys = keys.model_copy(update={"escrow_recipient": stranger})
    begin_backup(office.installation, "run", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3, 4):
        office.step(f"backup.{number}", "run", "simpel/berkas")
    office.installation.keys = keys
    (name,) = [each.name for each in secured(office)]
    told = f"the backup {name} is for {keys.operations_recipient}, {stranger}, not for the escrow key"
    assert [("problem", told)] == escrow_troubles(office)
    (alarm,) = [each for each in proof_alarms(office.installation, datetime.now(UTC)) if each.kind == "escrow"]
    assert ("simpel/berkas", told) == (alarm.subject, alarm.message)
    unknown = found(office, "earlier escrow identity")
    assert "warning" == unknown.state
    told = f"{stranger} still opens 1 backups: keep it in the safe; no rotation of it is on record"
    assert told == unknown.message


def secured(office: SmallOffice) -> list[backups.Backup]:
    with office.installation.catalog.read() as connection:
        return [each for each in backups.list_backups(connection) if each.state == "secured"]


def escrow_troubles(office: SmallOffice) -> list[tuple[str, str]]:
    looks = examine_keys(office.installation)
    return [(each.state, each.message) for each in looks if each.subject.startswith("escrow of ")]


def _succession(office: SmallOffice) -> tuple[str, str]:
    look = found(office, "succession of signing keys")
    return look.state, look.message


def test_a_backup_that_no_identity_opens_any_more_is_a_problem(office: SmallOffice) -> None:
    """And an escrow identity that still opens something is named, so that nobody throws it away."""
    begin_backup(office.installation, "run", schedule_name="bulanan", routine=True)
    for number in (1, 2, 3, 4):
        office.step(f"backup.{number}", "run", "simpel/berkas")
    assert "all 1 can be opened" == found(office, "recipients of backups").message
    old = office.installation.keys.escrow_recipient
    new = rotate_escrow(office.installation, office.root / "titipan").new
    office.installation.keys = office.installation.keys.model_copy(update={"escrow_recipient": new})
    earlier = found(office, "earlier escrow identity")
    assert ("ok", f"{old} still opens 1 backups: keep it in the safe") == (earlier.state, earlier.message)
    assert [] == escrow_troubles(office)
    (office.root / "keys" / "operations").write_text(generate_identity()[0])
    (lost,) = [each for each in examine_keys(office.installation) if each.subject.startswith("backup simpel_berkas")]
    assert ("problem", "no operations identity that is held opens it") == (lost.state, lost.message)
