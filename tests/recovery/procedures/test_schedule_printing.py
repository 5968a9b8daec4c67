"""The newest Jadwal Back Up to print."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from recovery.errors import FormError, NotFoundError
from recovery.procedures.schedule_begin import begin_schedule, draw_up
from recovery.procedures.schedule_document import retention_words
from recovery.procedures.schedule_printing import printed_schedule
from recovery.records import procedures
from tests.testbed.small_office import SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def schedules_with(office: SmallOffice, name: str) -> str:
    schedules = office.installation.schedules
    schedules[name] = schedules["bulanan"].model_copy(update={"name": name})
    return name


def test_a_draft_has_no_number_and_uses_none_up(office: SmallOffice) -> None:
    """The same draft gives the same bytes, and nothing is recorded."""
    first = printed_schedule(office.installation, "bulanan", now=NOW)
    assert first.pdf == printed_schedule(office.installation, "bulanan", now=NOW).pdf
    assert first.pdf.startswith(b"%PDF")
    assert ("never", "", 0) == (first.approval.state, first.number, first.version)
    with office.installation.catalog.read() as connection:
        assert [] == procedures.list_all(connection)


def test_what_waits_and_what_is_approved_is_the_issued_document_itself(office: SmallOffice) -> None:
    """Until the inventory says something else; then it is a draft again. Another schedule waits beside it."""
    another = schedules_with(office, "harian")
    begin_schedule(office.installation, "another-run", another)
    assert "" == printed_schedule(office.installation, another).number, "it was not drawn up"
    begin_schedule(office.installation, "run", "bulanan")
    drawn_up = draw_up(office.installation, "run")
    waiting = printed_schedule(office.installation, "bulanan")
    assert ("never", drawn_up.number, 1) == (waiting.approval.state, waiting.number, waiting.version)
    assert drawn_up.pdf_sha256 == waiting.sha256 == hashlib.sha256(waiting.pdf).hexdigest()

    schedules = office.installation.schedules
    asked = schedules["bulanan"]
    schedules["bulanan"] = asked.model_copy(update={"retention_days": 30})
    assert "" == printed_schedule(office.installation, "bulanan").number, "another schedule than the one that waits"
    schedules["bulanan"] = asked
    office.approve_schedule()
    approved = printed_schedule(office.installation, "bulanan")
    assert ("approved", drawn_up.number, 3) == (approved.approval.state, approved.number, approved.version)
    schedules["bulanan"] = asked.model_copy(update={"retention_days": 30})
    changed = printed_schedule(office.installation, "bulanan")
    assert ("changed", "") == (changed.approval.state, changed.number)


def test_an_issued_document_that_was_changed_is_not_handed_out(office: SmallOffice) -> None:
    """The store's copy is the one to use."""
    office.approve_schedule()
    (path,) = (office.root / "state" / "formulir").rglob("*-v2.pdf")
    content = path.read_bytes()
    path.write_bytes(content + b" ")
    with pytest.raises(FormError) as caught:
        printed_schedule(office.installation, "bulanan")
    assert f"{path} is not the file that was issued; nothing was written" in str(caught.value)
    Path(path).unlink()
    with pytest.raises(FormError, match="cannot be read"):
        printed_schedule(office.installation, "bulanan")


def test_a_schedule_of_a_release_that_knew_days_alone_is_printed_as_it_was() -> None:
    """What it did not say is not said for it."""
    assert "paling sedikit 400 hari" == retention_words(400, None)


def test_an_unknown_schedule_is_named(office: SmallOffice) -> None:
    """With what there is."""
    with pytest.raises(NotFoundError, match="choose one of: bulanan"):
        printed_schedule(office.installation, "tahunan")
