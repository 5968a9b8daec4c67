"""Both procedures on an application with a tree, a SQLite and a PostgreSQL database: one flow for all kinds."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from recovery.doctor.applications import examine_applications
from recovery.errors import SwapError
from recovery.points import observe
from recovery.procedures.restore.rehearsal import copy_label
from recovery.records import backups, journal
from recovery.settings import ComponentSettings
from recovery.sources.postgresql import PostgresqlSource
from tests.recovery.sources.postgresql_databases import PLAIN, connect
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql
from tests.testbed.small_office import EXECUTOR, SmallOffice

# A server, three kinds of components, two restores.
pytestmark = pytest.mark.slow

KEY = "simpel/induk"
DATABASE = "simpel"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQLServer]:
    """The server of the office's application."""
    with run_postgresql("max_prepared_transactions=2") as server:
        yield server


@pytest.fixture
def with_database(office: SmallOffice, postgresql: PostgreSQLServer) -> Iterator[SmallOffice]:
    """The office, whose application has a database on a server, too."""
    postgresql.execute(f"CREATE DATABASE {DATABASE}")
    postgresql.execute(PLAIN, DATABASE)
    component = ComponentSettings(
        name="induk",
        title="Basis data induk",
        kind="postgresql",
        database=DATABASE,
        server=str(postgresql.directory),
        user=postgresql.user,
        lock_timeout=3,
    )
    office.installation.applications["simpel"].components.append(component)
    yield office
    for name in databases(postgresql):
        postgresql.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def databases(server: PostgreSQLServer) -> list[str]:
    with closing(connect(server, "postgres")) as connection:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, 'simpel') ORDER BY 1"
        return [name for (name,) in connection.execute(query)]


def rows(server: PostgreSQLServer) -> list[tuple[Any, ...]]:
    with closing(connect(server, DATABASE)) as connection:
        return list(connection.execute("SELECT * FROM pegawai ORDER BY id"))


def damage(server: PostgreSQLServer) -> None:
    server.execute("DELETE FROM pegawai WHERE id % 2 = 0; UPDATE pegawai SET nama = 'rusak'", DATABASE)


def test_three_kinds_of_components_are_restored_together_or_not_at_all(
    with_database: SmallOffice, postgresql: PostgreSQLServer, caplog: pytest.LogCaptureFixture
) -> None:
    """One backup; a restore that fails at its last component; and one that goes through."""
    office, whole = with_database, rows(postgresql)
    # Older than what a restore installs, which the rehearsal says.
    postgresql.execute("CREATE EXTENSION hstore VERSION '1.4'", DATABASE)
    office.back_up()
    with office.installation.catalog.read() as connection:
        backup = backups.newest_verified(connection, "simpel", "induk")
    assert backup is not None
    assert (backup.state, backup.verdict) == ("secured", "pass")
    stored = {path.name for path in Path(office.root / "store").rglob(f"{backup.name}/*")}
    assert stored == {
        "data.pgdump.zst.age",
        "globals.sql.zst.age",
        "quality.json",
        "manifest.json",
        "manifest.json.sig",
    }
    damage(postgresql)
    damaged = rows(postgresql)
    office.damage()
    damaged_office = (office.rows(), office.files())

    procedure = office.request()
    office.approve(procedure)
    assert f"rehearsing {KEY}: Versi ekstensi, (seluruh basis data): tidak ada: hstore 1.4; seharusnya" in caplog.text
    office.step("restore.4", procedure)
    intruders: list[Any] = []

    def connect_again(point: str) -> None:
        if point == "postgresql: before swap":
            # A program that nobody stopped is back, after the proof of quiet.
            intruders.append(connect(postgresql, DATABASE))

    with observe(connect_again), pytest.raises(SwapError, match="is still used by") as caught:
        office.step("restore.5", procedure)
    assert "the old data of every component is live again" == caught.value.state
    assert "the service is started on it; mend the cause and start a new restore" == caught.value.hint
    for intruder in intruders:
        intruder.close()
    assert rows(postgresql) == damaged
    assert (office.rows(), office.files()) == damaged_office
    office.step("restore.6", procedure)
    assert office.service_running()
    assert states(office, procedure) == {"simpel/data": "undone", "simpel/berkas": "undone", KEY: "undone"}
    office.finish(procedure)

    procedure = office.restore()

    assert rows(postgresql) == whole
    assert (office.rows(), office.files()) != damaged_office
    assert office.service_running()
    assert states(office, procedure) == {"simpel/data": "kept", "simpel/berkas": "kept", KEY: "kept"}
    safety_copy = office.installation.source(KEY).beside(copy_label(procedure))
    assert safety_copy in databases(postgresql)


def test_doctor_tells_that_no_backup_fits_a_server_that_was_upgraded(
    with_database: SmallOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second version is installed here: the server says that it is newer."""

    def told() -> list[str]:
        found = examine_applications(with_database.installation)
        return [each.message for each in found if each.subject == f"component {KEY}" and "newest" in each.message]

    version = with_database.installation.source(KEY).version()  # type: ignore[attr-defined]
    assert [] == told()
    with_database.back_up()
    assert [] == told()
    monkeypatch.setattr(PostgresqlSource, "version", lambda _: 99)
    expected = f"no restore is possible: the newest backup is of PostgreSQL {version} and the server of 99"
    assert [expected] == told()


def test_what_no_swap_is_done_with_is_found_before_the_service_is_stopped(
    with_database: SmallOffice, postgresql: PostgreSQLServer
) -> None:
    """By the doctor, and at the end of the rehearsal; when it is gone, the same run goes on."""
    office, whole = with_database, rows(postgresql)
    office.back_up()
    damage(postgresql)
    with closing(connect(postgresql, DATABASE)) as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO pegawai (nama) VALUES ('menunggu')")
        connection.execute("PREPARE TRANSACTION 'menggantung'")
    try:
        tie = f"the prepared transaction menggantung of {postgresql.user} belongs to the database {DATABASE}"
        found = [each for each in examine_applications(office.installation) if tie in each.message]
        assert [("warning", "drop it or end it before a restore")] == [(each.state, each.mend) for each in found]
        procedure = office.request()
        with pytest.raises(SwapError, match=f"the copy of {KEY} could not go live: {tie}") as caught:
            office.approve(procedure)
        assert "the live data is untouched and the service was never stopped" == caught.value.state
        assert office.service_running()
        assert [DATABASE] == databases(postgresql)
    finally:
        postgresql.execute("ROLLBACK PREPARED 'menggantung'", DATABASE)
    office.step("restore.3", procedure)
    office.decide("restore.start", procedure, EXECUTOR, "mulai")
    for number in (4, 5, 6):
        office.step(f"restore.{number}", procedure)
    office.finish(procedure)
    assert whole == rows(postgresql)


def test_doctor_names_the_grants_that_are_missing(with_database: SmallOffice, postgresql: PostgreSQLServer) -> None:
    component = with_database.installation.applications["simpel"].components[-1]
    postgresql.execute("CREATE ROLE lemah LOGIN; CREATE ROLE pemulih LOGIN")
    try:
        component.restore_user = "pemulih"
        found = [
            each for each in examine_applications(with_database.installation) if each.subject == f"component {KEY}"
        ]
        assert {each.message for each in found} > {
            "can be backed up",
            "the role pemulih could not restore: ALTER ROLE pemulih CREATEDB",
            "the role pemulih could not see whether there is room for a restore: GRANT pg_monitor TO pemulih",
        }
        assert {each.state for each in found[1:]} == {"warning"}
        component.user = "lemah"
        problems = [each for each in examine_applications(with_database.installation) if each.state == "problem"]
        assert [(each.subject, each.message, each.mend) for each in problems] == [
            (
                f"component {KEY}",
                "the role lemah may not read public.pegawai, public.pegawai_id_seq in the database simpel",
                "GRANT pg_read_all_data TO lemah",
            )
        ]
    finally:
        postgresql.execute("DROP ROLE lemah; DROP ROLE pemulih")


def test_a_database_of_the_same_name_on_another_server_is_not_touched(
    with_database: SmallOffice, postgresql: PostgreSQLServer
) -> None:
    """Approved is a target, not a name: whoever moves the address to another server must ask anew."""
    office = with_database
    office.back_up()
    damage(postgresql)
    damaged = rows(postgresql)
    procedure = office.request()
    office.approve(procedure)
    office.step("restore.4", procedure)
    with run_postgresql() as other:
        other.execute(f"CREATE DATABASE {DATABASE}")
        other.execute(PLAIN, DATABASE)
        elsewhere = rows(other)
        component = office.installation.applications["simpel"].components[-1]
        component.server, component.user = str(other.directory), other.user
        with pytest.raises(SwapError, match=f"{KEY} is not the target that was approved"):
            office.step("restore.5", procedure)
        assert (rows(other), databases(other)) == (elsewhere, [DATABASE])
        component.server = str(postgresql.directory)
        office.step("restore.6", procedure)
        office.finish(procedure)
    assert rows(postgresql) == damaged
    assert office.service_running()


def states(office: SmallOffice, procedure: str) -> dict[str, str]:
    with office.installation.catalog.read() as connection:
        return {entry.component: entry.state for entry in journal.entries(connection, procedure)}
