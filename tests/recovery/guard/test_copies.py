"""A name that somebody took in a store before us – of a form, of a set of the records – is told until the copy is
there, and nobody takes what lies there for it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery import points
from recovery.doctor.records import examine_records
from recovery.errors import ObjectExistsError, StoreError
from recovery.guard.copies import TAKEN, look_at_copies
from recovery.guard.report import Alarm, Report
from recovery.guard.rounds import make_round
from recovery.own_records import back_up_records
from recovery.procedures.documents import form_key, issue_schedule
from recovery.procedures.schedule_begin import begin_schedule, draw_up
from recovery.records import ledger, procedures, schema
from recovery.records.forms import Form
from recovery.sync import sync
from tests.testbed.small_office import SmallOffice, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store, down, objects

pytestmark = pytest.mark.slow

FOLDERS = {MAIN: "store", OFFSITE: "store-terpisah"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    built = open_office(tmp_path / "office", running=False)
    add_offsite_store(built)
    begin_schedule(built.installation, "approval", "bulanan")
    yield built
    built.installation.catalog.dispose()


def alarms(office: SmallOffice, now: datetime | None = None) -> list[Alarm]:
    report = Report()
    look_at_copies(office.installation, now or datetime.now(UTC), report)
    return report.alarms


def told_by_the_doctor(office: SmallOffice) -> list[str]:
    return [each.message for each in examine_records(office.installation) if each.mend == TAKEN]


def foreseen(office: SmallOffice) -> str:
    """The key of the form that is issued next, as whoever reads a store can tell it."""
    form = draw_up(office.installation, "approval")
    return form_key(form).replace("-v1.pdf", "-v2.pdf")


def issue(office: SmallOffice) -> Form:
    return issue_schedule(office.installation, "approval", decided=True)


def entries(office: SmallOffice, kind: str) -> list[ledger.Entry]:
    with office.installation.catalog.read() as connection:
        return ledger.entries(connection, kind=kind)


def test_a_form_whose_name_is_taken_is_told_until_what_lies_there_is_moved_away(office: SmallOffice) -> None:
    """The synchronisation says so each time, also in advance, and does not take it for the form."""
    installation, key = office.installation, foreseen(office)
    installation.store(MAIN).put_bytes(key, b"x")
    form = issue(office)
    assert key == form_key(form)
    (alarm,) = alarms(office)
    assert ("store", f"{key} in the store {MAIN}", TAKEN) == (alarm.kind, alarm.subject, alarm.mend)
    assert alarm.message.startswith("the form is not there: ") and "already holds something else" in alarm.message
    assert [alarm.message] == told_by_the_doctor(office)
    assert ("form", key, MAIN) in [
        (each.kind, each.subject, each.store) for each in sync(installation, dry_run=True).missing
    ]
    for _ in range(2):
        found = sync(installation)
        assert [(MAIN, key)] == [(each.store, each.subject) for each in found.troubles]
        assert isinstance(found.error, ObjectExistsError)
    assert 1 == len(entries(office, "form.copies_missing")), "it is recorded once"
    assert [alarm] == [each for each in make_round(installation).alarms if each.subject == alarm.subject]
    (office.root / "store" / key).unlink()
    assert () == sync(installation).troubles
    assert [] == alarms(office) == told_by_the_doctor(office)
    assert objects(office.root / "store")[key] == Path(form.path).read_bytes()
    assert [{"key": key, "store": MAIN}] == [each.facts for each in entries(office, "form.copied")]
    assert () == sync(installation).missing


def test_a_name_that_is_taken_while_the_store_was_away_is_told_by_the_synchronisation(office: SmallOffice) -> None:
    """A store that is down is no such alarm. A repeated step puts the form there, too, once it can."""
    installation, key = office.installation, foreseen(office)
    with down(office.root / "store"):
        issue(office)
    assert [] == alarms(office)
    installation.store(MAIN).put_bytes(key, b"x")
    assert [(MAIN, key)] == [(each.store, each.subject) for each in sync(installation).troubles]
    (alarm,) = alarms(office)
    assert f"{key} in the store {MAIN}" == alarm.subject
    (office.root / "store" / key).unlink()
    issue(office)
    assert [] == alarms(office)
    assert 1 == len(entries(office, "form.copied"))
    issue(office)
    assert (2, 1) == (len(entries(office, "form.copies_missing")), len(entries(office, "form.copied")))


def test_an_entry_that_somebody_changed_and_a_store_that_is_no_more_keep_the_guard_from_nothing(
    office: SmallOffice,
) -> None:
    key = foreseen(office)
    office.installation.store(OFFSITE).put_bytes(key, b"x")
    issue(office)
    assert 1 == len(alarms(office))
    settings = office.installation.stores.pop(OFFSITE)
    assert [] == alarms(office)
    office.installation.stores[OFFSITE] = settings
    assert 1 == len(alarms(office))
    changed = update(schema.ledger).where(schema.ledger.c.kind == "form.copies_missing")
    with office.installation.catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_no_update")
    no_time = f'{{"key":"{key}","stores":{{"{OFFSITE}":"x"}},"faults":{{"{OFFSITE}":"taken"}},"until":"no time"}}'
    for facts, told in (("[]", 0), ('{"stores":[]}', 0), (no_time, 1)):
        with office.installation.catalog.begin() as connection:
            connection.execute(changed.values(facts=facts))
        assert told == len(alarms(office))


def watched(office: SmallOffice, *stores: str) -> points.Observer:
    """Somebody who sees the data of a set of records appear in a store and puts the rest there first."""

    def watch(point: str) -> None:
        if point == "set: parts put":
            for store in stores:
                for folder in (office.root / FOLDERS[store]).glob("pulih/pulih/*"):
                    for name in ("manifest.json", "manifest.json.sig"):
                        if not (folder / name).exists():
                            (folder / name).write_bytes(b"x")

    return watch


def test_records_whose_place_somebody_took_are_told_until_they_are_there_or_are_wanted_no_longer(
    office: SmallOffice,
) -> None:
    """Whoever rebuilds from that store would have older ones."""
    installation = office.installation
    procedures.open_procedure(installation.catalog, "one", "backup", parameters={}, release="1")
    procedures.close_procedure(installation.catalog, "one", "berhasil")
    with points.observe(watched(office, OFFSITE)):
        name = back_up_records(installation, "one")
    prefix = f"pulih/pulih/{name}"
    (alarm,) = alarms(office)
    assert ("store", f"{prefix} in the store {OFFSITE}", TAKEN) == (alarm.kind, alarm.subject, alarm.mend)
    assert alarm.message.startswith("the set of the installation's own records is not there: ")
    assert [alarm.message] == told_by_the_doctor(office)
    assert [] == alarms(office, datetime.now(UTC) + timedelta(days=91))
    assert [(OFFSITE, prefix)] == [(each.store, each.subject) for each in sync(installation).troubles]
    assert [alarm] == alarms(office)
    for file in ("manifest.json", "manifest.json.sig"):
        (office.root / FOLDERS[OFFSITE] / prefix / file).unlink()
    found = sync(installation)
    assert [("records", prefix, OFFSITE)] == [(each.kind, each.subject, each.store) for each in found.put]
    assert ((), []) == (found.troubles, alarms(office))
    assert (
        objects(office.root / "store").items()
        >= {
            key: content for key, content in objects(office.root / FOLDERS[OFFSITE]).items() if key.startswith(prefix)
        }.items()
    )


def test_records_whose_place_is_taken_while_the_store_was_away_are_told_by_the_synchronisation(
    office: SmallOffice,
) -> None:
    """Whoever reads the other store knows the name."""
    with down(office.root / FOLDERS[OFFSITE]):
        prefix = f"pulih/pulih/{back_up_records(office.installation, 'one')}"
    assert [] == alarms(office)
    office.installation.store(OFFSITE).put_bytes(f"{prefix}/manifest.json", b"x")
    for _ in range(2):
        assert [(OFFSITE, prefix)] == [(each.store, each.subject) for each in sync(office.installation).troubles]
        (alarm,) = alarms(office)
        assert (f"{prefix} in the store {OFFSITE}", TAKEN) == (alarm.subject, alarm.mend)
    assert 2 == len(entries(office, "records.copies_missing")), "it is recorded once that it is taken"
    assert [] == alarms(office, datetime.now(UTC) + timedelta(days=91))
    (office.root / FOLDERS[OFFSITE] / prefix / "manifest.json").unlink()
    assert ((), []) == (sync(office.installation).troubles, alarms(office))


def test_records_that_no_store_takes_are_an_error_and_the_next_try_has_another_name(office: SmallOffice) -> None:
    with (
        points.observe(watched(office, MAIN, OFFSITE)),
        pytest.raises(StoreError, match="every store holds something else where the records rekaman_") as raised,
    ):
        back_up_records(office.installation, "one")
    assert "change them, tell the auditor, and retry the run" in raised.value.hint
    assert [] == alarms(office), "nothing of it can be made good"
    back_up_records(office.installation, "one")
