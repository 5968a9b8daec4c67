"""A destruction whose run died after it had begun: what was destroyed gets on paper, however late, whoever ends it."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from recovery import points
from recovery.errors import StoreError
from recovery.procedures.retention import NotOpened, begin_retention, conclude_retention, destroy
from recovery.procedures.working import hold_set
from recovery.records import forms, procedures
from recovery.stores.directory import DirectoryStore
from tests.recovery.procedures.test_retention import DiedError, became, begin, shorten, states, taken
from tests.testbed.small_office import KABID, SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def dying_at(name: str) -> Callable[[str], None]:
    def die(reached: str) -> None:
        if reached == name:
            raise DiedError

    return die


def died(office: SmallOffice, name: str) -> str:
    """An approved destruction of three sets that died when it first came to that point."""
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    with points.observe(dying_at(name)), pytest.raises(DiedError):
        destroy(office.installation, procedure_id)
    return procedure_id


def issued(office: SmallOffice, procedure_id: str) -> list[str]:
    """The versions of its Berita Acara, as text."""
    with office.installation.catalog.read() as connection:
        return [json.dumps(form.facts, ensure_ascii=False) for form in forms.list_forms(connection, procedure_id)]


def outcome(office: SmallOffice, procedure_id: str) -> str:
    with office.installation.catalog.read() as connection:
        return procedures.get(connection, procedure_id).outcome


def test_the_next_run_puts_on_paper_what_a_dead_one_destroyed(office: SmallOffice) -> None:
    """It closes that one before it asks about what is left, and the dead one's Retry says how far it had come."""
    shorten(office)
    made = taken(office)
    procedure_id = died(office, "retention: recorded")
    another = begin(office)
    with office.installation.catalog.read() as connection:
        plan = procedures.get(connection, another).parameters["plan"]
    assert [each.id for each in made[1:3]] == [each["backup_id"] for each in plan["destroy"]]
    _first, final = issued(office, procedure_id)
    assert ("sebagian", 1, 2) == (
        outcome(office, procedure_id),
        final.count('"DIMUSNAHKAN '),
        final.count('"Tidak dimusnahkan"'),
    )
    assert "SELESAI SEBAGIAN" in final
    destroy(office.installation, procedure_id)
    conclusion = conclude_retention(office.installation, procedure_id)
    assert not conclusion.good
    assert conclusion.sentence.startswith(
        "1 cadangan dimusnahkan, 0 dilewati, 0 belum selesai, 2 tidak dimusnahkan. Berita acara 001/BAP/"
    )
    assert conclusion.sentence.endswith(" versi 2.")
    assert ["destroyed", *["secured"] * 4] == states(office)


def test_a_store_that_is_down_keeps_the_next_run_from_taking_its_place(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be put on paper now is so by the run after it."""
    shorten(office)
    taken(office)
    procedure_id = died(office, "retention: recorded")

    def full(*_given: object) -> str:
        raise StoreError("it is full")

    monkeypatch.setattr(DirectoryStore, "put_file", full)
    with pytest.raises(StoreError):
        begin_retention(office.installation, str(uuid.uuid4()))
    assert "" == outcome(office, procedure_id)
    monkeypatch.undo()
    begin(office)
    assert ("sebagian", 2) == (outcome(office, procedure_id), len(issued(office, procedure_id)))


def test_a_run_with_nothing_left_to_destroy_ends_a_dead_one_that_had_done_it_all(office: SmallOffice) -> None:
    """Only its document and its end were missing."""
    shorten(office)
    taken(office)
    procedure_id = died(office, "retention: carried out")
    again = begin_retention(office.installation, str(uuid.uuid4()))
    assert NotOpened("nothing", "Tidak ada cadangan yang perlu dimusnahkan.") == again
    assert ("berhasil", 2) == (outcome(office, procedure_id), len(issued(office, procedure_id)))
    assert conclude_retention(office.installation, procedure_id).good


def test_a_retry_after_the_approvals_time_ends_what_was_begun_and_nothing_else(office: SmallOffice) -> None:
    """While somebody reads the set it stays begun; the next run ends it, and the outcome stays as recorded."""
    shorten(office)
    made = taken(office)
    procedure_id = died(office, "retention: begun")
    later = datetime.now(UTC) + timedelta(days=15)
    with hold_set(office.installation, made[0].id, "reader", "read it"):
        destroy(office.installation, procedure_id, now=later)
    assert ["begun"] == [state for state, _detail in became(office, procedure_id).values()]
    first = conclude_retention(office.installation, procedure_id)
    assert (False, "sebagian") == (first.good, outcome(office, procedure_id))
    assert "0 cadangan dimusnahkan, 0 dilewati, 1 belum selesai, 2 tidak dimusnahkan. " in first.sentence
    begin(office)
    assert ["destroyed", *["secured"] * 4] == states(office)
    assert "1 cadangan dimusnahkan, 0 dilewati, 0 belum selesai, 2 tidak dimusnahkan. " in (
        conclude_retention(office.installation, procedure_id).sentence
    )
    assert ("sebagian", 2) == (outcome(office, procedure_id), len(issued(office, procedure_id)))


def test_a_retry_after_the_approvals_time_removes_what_was_begun(office: SmallOffice) -> None:
    """At once, where nobody reads it."""
    shorten(office)
    made = taken(office)
    procedure_id = died(office, "retention: begun")
    destroy(office.installation, procedure_id, now=datetime.now(UTC) + timedelta(days=15))
    assert {made[0].id: ("destroyed", "")} == became(office, procedure_id)
    assert 2 == len(issued(office, procedure_id))


def test_what_the_next_run_ends_changes_no_recorded_outcome(office: SmallOffice) -> None:
    """The run that ended as failed may be retried: it says how far its sets have come by now, and fails as before."""
    shorten(office)
    made = taken(office)
    procedure_id = died(office, "retention: begun")
    with hold_set(office.installation, made[0].id, "reader", "read it"):
        destroy(office.installation, procedure_id)
    assert "2 cadangan dimusnahkan, 0 dilewati, 1 belum selesai. " in (
        conclude_retention(office.installation, procedure_id).sentence
    )
    assert NotOpened("nothing", "Tidak ada cadangan yang perlu dimusnahkan.") == begin_retention(
        office.installation, str(uuid.uuid4())
    )
    again = conclude_retention(office.installation, procedure_id)
    assert (False, "sebagian") == (again.good, outcome(office, procedure_id))
    assert "3 cadangan dimusnahkan, 0 dilewati, 0 belum selesai. " in again.sentence
