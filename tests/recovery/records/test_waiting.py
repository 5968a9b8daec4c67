"""Which requests wait, and for whom."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.records import officials, procedures, steps
from recovery.records.waiting import open_requests
from tests.recovery.records.approval_office import DAY, EXECUTOR, KABID, KADIS, NOW, REQUESTER, Office, office_in


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with office_in(tmp_path) as office:
        yield office


def test_open_requests_name_who_can_act_and_by_when(office: Office) -> None:
    office.appoint(REQUESTER, "pemohon", "kabid")
    office.appoint("199901012024011009", "kabid")
    steps.open_step(office.catalog, "restore.3", "run-1", deadline=lambda opened: NOW + DAY)
    asked = office.ask()
    second = office.ask(step_id="restore.2", roles=("kadis", "pelaksana"), now=NOW - DAY)

    with office.catalog.read() as connection:
        waiting = open_requests(connection, now=NOW)

    # Soonest to expire first; neither the excluded requester nor somebody without a device is named.
    assert [second.id, asked.id] == [entry.request.id for entry in waiting]
    assert [sorted(who.nip for who in entry.officials) for entry in waiting] == [[KADIS, EXECUTOR], [KABID]]
    assert [entry.deadline for entry in waiting] == [None, "2026-11-21T15:00:03.000000+00:00"]


def test_an_official_who_was_revoked_is_no_longer_named(office: Office) -> None:
    office.ask()
    officials.revoke(office.catalog, KABID)

    with office.catalog.read() as connection:
        (waiting,) = open_requests(connection, now=NOW)
    assert waiting.officials == ()


def test_a_decided_request_waits_for_nobody(office: Office) -> None:
    office.answer(office.ask())

    with office.catalog.read() as connection:
        assert open_requests(connection, now=NOW) == []


def test_what_a_closed_procedure_had_asked_waits_for_nobody(office: Office) -> None:
    office.ask()
    procedures.close_procedure(office.catalog, "run-1", "ditutup")

    with office.catalog.read() as connection:
        assert open_requests(connection, now=NOW) == []
