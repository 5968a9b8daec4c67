"""Answers that wait for the run while what they answer changes, cannot be asked any more, or expires.

The code of each stands readable on the server: it is burnt before anything is asked anew. All of it befalls one
restore's disposition, one after another.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from recovery.records import officials, schema
from recovery.records.approval_rules import CHANGED_COMPLAINT, UNASKABLE_COMPLAINT
from recovery.records.approvals import expire
from tests.flows.people import ACTING_KADIS, ASKING_KADIS, INTERIM_KADIS, people
from tests.flows.waiting import wait_until
from tests.testbed.small_office import KADIS

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

STEP = "restore.2"


@pytest.fixture(scope="module")
def run(office: "WorkingOffice", reviewed_backup: str) -> str:
    """A restore that one of the Kadis asked for himself, at its disposition."""
    run = office.request_restore(nip_pemohon=ASKING_KADIS)
    office.wait_for_question(run, STEP)
    return run


@contextmanager
def called_otherwise(office: "WorkingOffice", position: str) -> Iterator[None]:
    """Let the requester have another position, which stands on what is asked."""
    (requester,) = (each for each in people("") if each.nip == ASKING_KADIS)
    with office.installation.catalog.begin() as connection:
        contact = officials.get(connection, ASKING_KADIS).contact
        as_before = requester.model_copy(update={"contact": contact})
        officials.put(connection, requester.model_copy(update={"contact": contact, "position": position}))
    try:
        yield
    finally:
        with office.installation.catalog.begin() as connection:
            officials.put(connection, as_before)


@contextmanager
def without_its_requester(office: "WorkingOffice") -> Iterator[None]:
    """Take the requester out of the catalog, so that the question cannot be made."""

    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(office.installation.catalog.title)) as connection:
            connection.execute("UPDATE officials SET nip = ? WHERE nip = ?", (after, before))
            connection.commit()

    rename(ASKING_KADIS, "0")
    try:
        yield
    finally:
        rename("0", ASKING_KADIS)


def burnt(office: "WorkingOffice", nip: str) -> list[int]:
    with office.installation.catalog.read() as connection:
        codes = schema.burnt_codes.c
        return list(connection.execute(select(codes.time_step).where(codes.nip == nip)).scalars())


def test_an_answer_to_what_cannot_be_asked_any_more_fails_the_run_and_its_code_is_burnt(
    office: "WorkingOffice", run: str
) -> None:
    with without_its_requester(office):
        office.decide(run, STEP, ACTING_KADIS, "diteruskan")
        assert "FAILED" == office.wait_for_end(run)["type"]
    (refused,) = (entry.facts for entry in office.ledger(run, "approval.refused"))
    assert ("question_is_unchanged", ACTING_KADIS) == (refused["rule"], refused["nip"])
    assert refused["burnt_time_step"] in burnt(office, ACTING_KADIS)
    office.retry(run)
    assert UNASKABLE_COMPLAINT in office.wait_for_question(run, STEP, 2)
    assert 1 == len(office.ledger(run, "approval.refused")), "judged once"


def test_an_answer_to_what_is_asked_no_more_does_not_count_and_its_code_is_burnt(
    office: "WorkingOffice", run: str
) -> None:
    with called_otherwise(office, "Kepala Subbagian"):
        office.decide(run, STEP, KADIS, "diteruskan", attempt=2)
        text = office.wait_for_question(run, STEP, 3)
    assert CHANGED_COMPLAINT in text
    assert "Kepala Subbagian" in text
    refused = office.ledger(run, "approval.refused")[-1].facts
    assert ("question_is_unchanged", KADIS, 2) == (refused["rule"], refused["nip"], refused["attempt"])
    assert refused["burnt_time_step"] in burnt(office, KADIS)
    assert [] == office.ledger(run, "approval.decided") + office.ledger(run, "approval.superseded")


def test_an_answer_that_was_sent_in_time_counts_after_its_request_has_expired(
    office: "WorkingOffice", run: str
) -> None:
    """The worker comes back after the guard has recorded the expiry."""
    catalog, table = office.installation.catalog, schema.approval_requests
    with called_otherwise(office, "Kepala Subbagian"):
        with office.worker_held():
            office.decide(run, STEP, INTERIM_KADIS, "dikembalikan", attempt=3, catatan="Surat belum ditandatangani.")
            expires_at = datetime.now(UTC) + timedelta(seconds=1)
            with catalog.begin() as connection:
                own = (table.c.procedure_id == run) & (table.c.attempt == 3)
                connection.execute(update(table).where(own).values(expires_at=schema.timestamp(expires_at)))
            wait_until(lambda: datetime.now(UTC) > expires_at, "the request expires")
            assert [3] == [request.attempt for request in expire(catalog, datetime.now(UTC))]
        state = office.wait_for_end(run)
    assert ("COMPLETED", "Dikembalikan") == (state["type"], state["name"])
    (decided,) = (entry.facts for entry in office.ledger(run, "approval.decided"))
    assert (INTERIM_KADIS, 3) == (decided["nip"], decided["attempt"])
    assert decided["submitted_at"] < schema.timestamp(expires_at) < decided["recorded_at"]
    assert [] == office.ledger_findings()
