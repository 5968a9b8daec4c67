"""In which order sets were taken, where ledger or clocks do not tell it: what is newest is never destroyed."""

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from recovery.procedures.retention import destroy
from recovery.records import procedures, schema
from recovery.records.backups import Backup
from recovery.retention_plan import draw_up
from recovery.retention_records import newest_moment, stored_sets
from tests.recovery.procedures.test_retention import became, begin, shorten, states, taken
from tests.testbed.old_backups import old_backup
from tests.testbed.small_office import KABID, SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def forget_order(office: SmallOffice, backup: Backup) -> None:
    """Let the ledger say nothing of when it was taken, as after a rebuild that knows it by its manifest alone."""
    installation, procedure_id = office.installation, str(uuid.uuid4())
    with installation.catalog.read() as connection:
        taken_by = procedures.get(connection, backup.procedure_id)
    procedures.open_procedure(
        installation.catalog,
        procedure_id,
        "backup",
        schedule=taken_by.schedule,
        parameters=taken_by.parameters,
        release=taken_by.release,
    )
    with installation.catalog.begin() as connection:
        table = schema.backups
        connection.execute(update(table).where(table.c.id == backup.id).values(procedure_id=procedure_id))


def test_a_set_of_which_the_ledger_says_nothing_stands_where_its_moment_puts_it(office: SmallOffice) -> None:
    """The newest ones are no candidates for destruction, and an old one is not spared by them."""
    shorten(office)
    made = taken(office, 6)
    for number in (1, 4, 5):
        forget_order(office, made[number])
    with office.installation.catalog.read() as connection:
        found = {each.id: each for each in stored_sets(connection, office.installation)}
        latest = newest_moment(connection)
    assert found[made[0].id].position == found[made[1].id].position < found[made[2].id].position
    assert found[made[3].id].position == found[made[4].id].position == found[made[5].id].position
    document = draw_up(office.installation, datetime.now(UTC)).document
    assert [each.id for each in made[:4]] == [each["backup_id"] for each in document["destroy"]]
    assert latest == datetime.fromisoformat(made[5].moment)


def test_a_set_that_is_older_than_all_that_the_ledger_knows_is_the_oldest(office: SmallOffice) -> None:
    """And of two such the moment tells which was first."""
    shorten(office)
    made = taken(office, 4)
    for each in made[:2]:
        forget_order(office, each)
    with office.installation.catalog.read() as connection:
        found = {each.id: each.position for each in stored_sets(connection, office.installation)}
    assert [0, 0] == [found[each.id] for each in made[:2]]
    document = draw_up(office.installation, datetime.now(UTC)).document
    assert [each.id for each in made[:2]] == [each["backup_id"] for each in document["destroy"]]


def test_a_long_silence_is_not_hidden_by_a_set_of_a_clock_that_ran_ahead(office: SmallOffice) -> None:
    """Neither when the plan is drawn up nor when it is carried out: what was taken last counts."""
    shorten(office)
    now = datetime.now(UTC)
    made = [old_backup(office, now - timedelta(days=days)) for days in (90, 0, 76, 69, 55)]
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    later = now + timedelta(days=10)
    destroy(office.installation, procedure_id, now=later)
    assert {("skipped", "jam server tidak dapat dipercaya")} == set(became(office, procedure_id).values())
    assert ["secured"] * 5 == states(office)
    assert made[4].moment[:19] in draw_up(office.installation, later).plan.suspicion
