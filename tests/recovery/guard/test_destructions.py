"""A removal that was begun and does not end is told: nobody is offered that set, and part of it is not gone."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery import points
from recovery.guard.destructions import look_at_destructions
from recovery.guard.report import Alarm, Report
from recovery.guard.rounds import make_round
from recovery.procedures.retention import begin_retention, destroy
from recovery.records import destructions, schema
from recovery.records.backups import Backup
from tests.recovery.procedures.test_retention import DiedError, begin, shorten, taken
from tests.testbed.old_backups import set_directory
from tests.testbed.small_office import KABID, SmallOffice, open_office

pytestmark = pytest.mark.slow


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    built = open_office(tmp_path / "office", running=False)
    shorten(built)
    yield built
    built.installation.catalog.dispose()


def alarms(office: SmallOffice, days: float) -> list[Alarm]:
    report = Report()
    look_at_destructions(office.installation, datetime.now(UTC) + timedelta(days=days), report)
    return report.alarms


def refused(office: SmallOffice) -> tuple[str, list[Backup]]:
    """A destruction whose first set comes back while it is removed, and those sets."""
    made = taken(office, 4)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    directory = set_directory(office, made[0])

    def put_something_back(point: str) -> None:
        if point == "retention: object removed" and directory.exists():
            (directory / "data.sqlite.zst.age").write_bytes(b"somebody puts it there again")

    with points.observe(put_something_back):
        destroy(office.installation, procedure_id)
    return procedure_id, made


def test_a_removal_that_a_store_refuses_for_a_day_is_told_until_it_is_ended(office: SmallOffice) -> None:
    """With what the last try failed of; the next run of the deployment ends it."""
    procedure_id, made = refused(office)
    assert [] == alarms(office, 0.9)
    (alarm,) = alarms(office, 1.1)
    with office.installation.catalog.read() as connection:
        begun = destructions.of_procedure(connection, procedure_id)[made[0].id]
    assert ("destruction", made[0].name, begun.begun_at) == (alarm.kind, alarm.subject, alarm.since)
    assert alarm.message.endswith(f"and has not ended: {begun.detail}")
    assert "is still there, or was put there since" in alarm.message
    assert alarm in make_round(office.installation, now=datetime.now(UTC) + timedelta(days=1.1)).alarms
    begin_retention(office.installation, str(uuid.uuid4()))
    assert [] == alarms(office, 1.1)


def test_a_removal_that_nobody_went_on_with_is_told_also_of_a_set_that_no_catalog_lists(office: SmallOffice) -> None:
    """Its run died, and there was no other."""
    taken(office, 4)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")

    def die(name: str) -> None:
        if name == "retention: begun":
            raise DiedError

    with points.observe(die), pytest.raises(DiedError):
        destroy(office.installation, procedure_id)
    own = "rekaman_000000000007_0123456789ab"
    with office.installation.catalog.begin() as connection:
        connection.execute(update(schema.destructions).values(backup_id=own))
    (alarm,) = alarms(office, 2)
    assert own == alarm.subject
    assert alarm.message.endswith("and has not ended: the run that began it was ended, and none went on with it")
