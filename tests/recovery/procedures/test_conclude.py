"""Ending a procedure where somebody with a store's credentials took, before us, the names that we were about to use."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery.canonical import canonical_json
from recovery.errors import LedgerError
from recovery.guard.chain import look_at_chain
from recovery.guard.report import Alarm, Report
from recovery.installation import RELEASE, Installation
from recovery.procedures.conclude import (
    Conclusion,
    close,
    conclude_cancelled,
    conclude_given_up,
    conclude_rejected,
    conclude_returned,
    conclude_schedule,
)
from recovery.procedures.documents import form_key
from recovery.procedures.schedule_begin import begin_schedule, draw_up, put_decision
from recovery.records import ledger, ledger_heads, procedures, schema
from tests.testbed.small_office import KADIS, REQUESTER, SmallOffice, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store

FORESEEN = 80
TAKEN = "in the store utama something that this installation did not sign lies in the place of the head for entry "


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    built = open_office(tmp_path / "office", running=False)
    yield built
    built.installation.catalog.dispose()


def take_heads(office: SmallOffice, store: str, suffixes: tuple[str, ...] = (".sig",)) -> None:
    """Put junk into a store in the place of every head that is to come."""
    for number in range(1, FORESEEN):
        for suffix in suffixes:
            office.installation.store(store).put_bytes(f"{ledger_heads.head_key(number)}{suffix}", b"x")


def concluded(office: SmallOffice, procedure_id: str) -> Conclusion:
    """Open a procedure and end it."""
    procedures.open_procedure(office.installation.catalog, procedure_id, "backup", parameters={}, release=RELEASE)
    return close(office.installation, procedure_id, "berhasil", Conclusion(True, "selesai"))


def records(office: SmallOffice, directory: str) -> int:
    """How many sets of the records lie in a store."""
    return len(list((office.root / directory / "pulih" / "pulih").glob("*/manifest.json.sig")))


def alarms(office: SmallOffice) -> list[Alarm]:
    report = Report()
    look_at_chain(office.installation, report)
    return report.alarms


def test_whoever_takes_our_names_in_one_store_keeps_no_procedure_from_its_end(office: SmallOffice) -> None:
    """Heads and a form: that store lacks them, which the ledger has and the guard tells; the other has them, and both
    have the records."""
    add_offsite_store(office)
    installation = office.installation
    begin_schedule(installation, "approval", "bulanan")
    first = draw_up(installation, "approval")
    installation.store(MAIN).put_bytes(form_key(first).replace("-v1.pdf", "-v2.pdf"), b"x")
    take_heads(office, MAIN)
    office.decide("schedule.approve", "approval", KADIS, "disahkan")
    form = put_decision(installation, "approval")
    assert form is not None and b"%PDF" == installation.store(OFFSITE).read(form_key(form))[:4]
    assert conclude_schedule(installation, "approval").good
    (head,) = ledger_heads.read_heads(installation.store(OFFSITE), installation.signer.trusted_pem)
    with installation.catalog.read() as connection:
        (missing,) = ledger.entries(connection, kind="form.copies_missing")
        (refused,) = ledger.entries(connection, kind=ledger.HEAD_REFUSED)
        assert [] == ledger.verify(connection, [head])
    assert [MAIN] == list(missing.facts["stores"])
    assert {MAIN: f"{TAKEN}{head.sequence} of the ledger"} == refused.facts["stores"]
    assert (1, 1) == (records(office, "store"), records(office, "store-terpisah"))
    (alarm,) = alarms(office)
    assert (refused.facts["stores"][MAIN], refused.at) == (alarm.message, alarm.since)
    assert "change them, and tell the auditor" in alarm.mend
    # It ends with the first head that the store takes again.
    with installation.catalog.begin() as connection:
        for _ in range(FORESEEN):
            ledger.append(connection, "test", {})
    assert concluded(office, "next").good
    assert [] == alarms(office)


def test_nor_does_it_in_the_only_store(office: SmallOffice) -> None:
    """And its entry, when somebody changes that, keeps the guard from nothing."""
    take_heads(office, MAIN, (".sig", ""))
    assert concluded(office, "one").good
    assert 1 == records(office, "store")
    (alarm,) = [each for each in alarms(office) if "the signature is not one of the key" in each.message]
    assert "head in the store utama" == alarm.subject
    for path in (office.root / "store" / "buku-besar").iterdir():
        path.unlink()
    assert any(each.message.startswith(TAKEN) for each in alarms(office))
    changed = update(schema.ledger).where(schema.ledger.c.kind == ledger.HEAD_REFUSED)
    with office.installation.catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_no_update")
        connection.execute(changed.values(facts="[]"))
    assert not any(each.message.startswith(TAKEN) for each in alarms(office))


def test_where_the_ledger_contradicts_a_signed_head_the_records_are_put_before_it_is_said(office: SmallOffice) -> None:
    installation = office.installation
    concluded(office, "one")
    with installation.catalog.read() as connection:
        last = ledger.head(connection).sequence
    for number in range(last + 1, last + 20):
        content = canonical_json({"format": 1, "sequence": number, "hash": "a" * 64, "at": ""})
        key = ledger_heads.head_key(number)
        installation.store(MAIN).put_bytes(key, content)
        installation.store(MAIN).put_bytes(f"{key}.sig", installation.signer.sign(content))
    with pytest.raises(LedgerError, match="the store utama already holds another head for entry"):
        concluded(office, "two")
    assert 2 == records(office, "store")


def open_restore(office: SmallOffice, procedure_id: str) -> None:
    """A restore that nobody has done anything for."""
    parameters = {"request": {"nip_pemohon": REQUESTER}}
    procedures.open_procedure(
        office.installation.catalog,
        procedure_id,
        "restore",
        application="simpel",
        parameters=parameters,
        release=RELEASE,
    )


def give_up(installation: Installation, procedure_id: str) -> Conclusion:
    return conclude_given_up(installation, procedure_id, "Salah aplikasi.")


@pytest.mark.parametrize(
    ("conclude", "words"),
    [
        (conclude_returned, "Permintaan dikembalikan. Alasan: "),
        (conclude_rejected, "Permintaan ditolak. Alasan: "),
        (conclude_cancelled, "Restore dibatalkan. Alasan: "),
        (give_up, "Permintaan ditutup. Alasan: Salah aplikasi."),
    ],
)
def test_an_end_of_which_the_requester_was_not_told_says_so(
    office: SmallOffice, conclude: Callable[[Installation, str], Conclusion], words: str
) -> None:
    """Whoever ended it reads it; and whoever retries the run, which tells nobody again."""
    target = office.root / "keys" / "notices"
    told = target.read_text()
    target.write_text("file:///proc/no/such/place")
    open_restore(office, "untold")
    conclusion = conclude(office.installation, "untold")
    target.write_text(told)
    first, second = conclusion.sentence.split("\n")
    assert conclusion.good and words == first
    assert second.startswith("Pemohon BELUM diberi tahu (pesan sistem: ")
    assert second.endswith("); sampaikan sendiri.")
    if conclude is not give_up:
        assert conclusion == conclude(office.installation, "untold")
    open_restore(office, "told")
    assert words == conclude(office.installation, "told").sentence
