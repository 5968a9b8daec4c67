"""Whether a decision still allows what is about to be done: asked again before anything is swapped."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from recovery.errors import ApprovalError, RecordsError
from recovery.records import ledger, schema
from recovery.records.approvals import Decision, RefusedError, decision_of, sealed_decision_of, still_valid
from recovery.records.decisions import record_decision
from tests.recovery.records.approval_office import DAY, KABID, NOW, Office, office_in


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with office_in(tmp_path) as office:
        yield office


def check(office: Office, binding: dict[str, Any] | None = None, now: datetime = NOW) -> None:
    asked_for = office.question().binding if binding is None else binding
    with office.catalog.read() as connection:
        still_valid(connection, "run-1", "restore.3", asked_for, office.key, now=now)


def change(office: Office, **values: Any) -> None:
    """Change every decision, as somebody does who owns the database and so is not held by its triggers."""
    with office.catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER decisions_no_update")
        connection.execute(update(schema.decisions).values(**values))


def test_a_decision_allows_what_it_was_given_for(office: Office) -> None:
    office.answer(office.ask())

    check(office)


def test_an_open_request_allows_nothing(office: Office) -> None:
    office.ask()

    with pytest.raises(ApprovalError, match=r"the approval of restore\.3 does not hold: nobody has decided") as error:
        check(office)
    assert isinstance(error.value, RefusedError)
    assert error.value.complaint == "Langkah ini belum diputuskan."


def test_a_refusing_decision_allows_nothing(office: Office) -> None:
    office.answer(office.ask(), decision="ditolak", note="bukan pemilik data")

    with pytest.raises(RefusedError, match="does not hold: the decision refuses"):
        check(office)


@pytest.mark.parametrize(
    "changes", [{"request_hash": "ff" * 32}, {"manifests": ["cc" * 32]}, {"target": "lain"}, {"more": True}]
)
def test_a_decision_on_a_is_no_decision_on_b(office: Office, changes: dict[str, Any]) -> None:
    office.answer(office.ask())

    with pytest.raises(RefusedError, match="the decision is about another request, backup or target; nothing was"):
        check(office, {**office.question().binding, **changes})


def test_a_decision_is_good_for_its_requests_lifetime_and_not_longer(office: Office) -> None:
    office.answer(office.ask())

    check(office, now=NOW + 14 * DAY)
    with pytest.raises(RefusedError, match=r"it was valid until 2026-12-04T15:00:03\.000000\+00:00"):
        check(office, now=NOW + 14 * DAY + timedelta(microseconds=1))


@pytest.mark.parametrize(
    "values",
    [
        {"decision": "disetujui", "nip": "196801012000031001"},
        {"request_hash": "ff" * 32},
        {"binding": '{"target":"lain"}'},
        {"note": "diubah"},
        {"answers": '{"diubah":true}'},
        {"submitted_at": "2027-11-20T15:00:03.000000+00:00"},
    ],
)
def test_a_decision_changed_in_the_catalog_contradicts_the_ledger(office: Office, values: dict[str, Any]) -> None:
    office.answer(office.ask())
    change(office, **values)

    with pytest.raises(RefusedError, match="the recorded decision is not the one that was given"):
        check(office)


def test_a_refusal_turned_into_an_approval_in_the_catalog_contradicts_the_ledger(office: Office) -> None:
    office.answer(office.ask(), decision="ditolak", note="bukan pemilik data")
    change(office, decision="disetujui")

    with pytest.raises(RefusedError, match="the recorded decision is not the one that was given"):
        check(office)


def test_a_decision_written_into_the_catalog_by_hand_has_no_ledger_entry(office: Office) -> None:
    asked = office.ask()
    office.procedure("run-2")
    office.answer(office.ask(procedure_id="run-2"))
    with office.catalog.begin() as connection:
        row = dict(connection.execute(select(schema.decisions)).mappings().one())
        forged = {**row, "request_id": asked.id, "procedure_id": "run-1", "request_hash": asked.hash}
        connection.execute(insert(schema.decisions).values(**forged))

    with pytest.raises(RefusedError, match="the recorded decision is not the one that was given"):
        check(office)


def test_a_decision_sealed_with_another_key_allows_nothing(office: Office) -> None:
    office.answer(office.ask())

    with office.catalog.read() as connection:
        assert sealed_decision_of(connection, "run-1", "restore.3", office.key) is not None
        with pytest.raises(RefusedError, match="the recorded decision is not the one that was given"):
            sealed_decision_of(connection, "run-1", "restore.3", bytes(32))


def test_a_decision_and_its_ledger_entry_written_by_hand_allow_nothing(office: Office) -> None:
    # The chain of the ledger is made of plain SHA-256: whoever may write appends an entry as good as any.
    asked = office.ask()
    forged = Decision(
        request_id=asked.id,
        procedure_id="run-1",
        step_id="restore.3",
        nip=KABID,
        decision="disetujui",
        note="",
        answers={},
        method="totp",
        submitted_at=schema.timestamp(NOW),
        recorded_at=schema.timestamp(NOW),
        time_step=1,
        request_hash=asked.hash,
        binding=asked.question.binding,
    )
    with office.catalog.begin() as connection:
        record_decision(connection, forged, asked.attempt, b"a key of his own, 32 bytes long.")

    with office.catalog.read() as connection:
        assert ledger.verify(connection) == []
    with pytest.raises(RefusedError, match="the recorded decision is not the one that was given"):
        check(office)


def test_a_document_changed_after_the_decision_is_no_longer_what_was_decided(office: Office) -> None:
    asked = office.ask()
    office.answer(asked)
    with office.catalog.begin() as connection:
        connection.execute(update(schema.approval_requests).values(document=asked.sealed.replace("SIMPEL", "SIKEPO")))

    with pytest.raises(RefusedError, match="the recorded decision is not the one that was given"):
        check(office)


def test_two_decisions_on_one_step_are_a_contradiction(office: Office) -> None:
    office.answer(office.ask())
    other = office.ask(step_id="restore.2")
    with office.catalog.begin() as connection:
        row = dict(connection.execute(select(schema.decisions)).mappings().one())
        connection.execute(insert(schema.decisions).values(**{**row, "request_id": other.id}))

    with (
        office.catalog.read() as connection,
        pytest.raises(RecordsError, match=r"the step restore\.3 of run-1 has 2 decisions; none of them is relied on"),
    ):
        decision_of(connection, "run-1", "restore.3")
