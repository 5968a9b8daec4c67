"""Both procedures on an application with a tree, a SQLite and a MariaDB database: one flow for all kinds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery.doctor.applications import examine_applications
from recovery.errors import SwapError
from recovery.points import observe
from recovery.procedures.restore.rehearsal import copy_label
from recovery.records import backups, journal
from recovery.settings import ComponentSettings
from tests.recovery.sources.mariadb_databases import PLAIN
from tests.testbed.mariadb import MariaDBServer, run_mariadb
from tests.testbed.small_office import SmallOffice

# A server, three kinds of components, two restores.
pytestmark = pytest.mark.slow

KEY = "simpel/induk"
DATABASE = "simpel"


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDBServer]:
    """The server of the office's application."""
    with run_mariadb() as server:
        yield server


@pytest.fixture
def with_database(office: SmallOffice, mariadb: MariaDBServer) -> Iterator[SmallOffice]:
    """The office, whose application has a database on a server, too."""
    mariadb.execute(f"CREATE DATABASE {DATABASE} COLLATE utf8mb4_general_ci")
    mariadb.execute(PLAIN, DATABASE)
    component = ComponentSettings(
        name="induk",
        title="Basis data induk",
        kind="mariadb",
        database=DATABASE,
        server=str(mariadb.socket),
        user="root",
        lock_timeout=3,
    )
    office.installation.applications["simpel"].components.append(component)
    yield office
    for name in databases(mariadb):
        mariadb.execute(f"DROP DATABASE `{name}`")


def databases(server: MariaDBServer) -> list[str]:
    found = server.rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1")
    return [name for (name,) in found if name.startswith(DATABASE)]


def rows(server: MariaDBServer) -> list[tuple[Any, ...]]:
    return server.rows("SELECT * FROM pegawai ORDER BY id", DATABASE)


def damage(server: MariaDBServer) -> None:
    server.execute("DELETE FROM pegawai WHERE id % 2 = 0; UPDATE pegawai SET nama = 'rusak'", DATABASE)


def test_three_kinds_of_components_are_restored_together_or_not_at_all(
    with_database: SmallOffice, mariadb: MariaDBServer
) -> None:
    """One backup; a restore that fails at its last component; and one that goes through."""
    office, whole = with_database, rows(mariadb)
    office.back_up()
    with office.installation.catalog.read() as connection:
        backup = backups.newest_verified(connection, "simpel", "induk")
    assert backup is not None
    assert (backup.state, backup.verdict) == ("secured", "pass")
    stored = {path.name for path in Path(office.root / "store").rglob(f"{backup.name}/*")}
    assert stored == {
        "data.sql.zst.age",
        "globals.sql.zst.age",
        "quality.json",
        "manifest.json",
        "manifest.json.sig",
    }
    damage(mariadb)
    damaged = rows(mariadb)
    office.damage()
    damaged_office = (office.rows(), office.files())

    procedure = office.request()
    office.approve(procedure)
    office.step("restore.4", procedure)
    intruders: list[Any] = []

    def connect_again(point: str) -> None:
        if point == "mariadb: before swap":
            # A program that nobody stopped is back, after the proof of quiet.
            intruders.append(mariadb.connect(DATABASE))

    with observe(connect_again), pytest.raises(SwapError, match="is still used by"):
        office.step("restore.5", procedure)
    for intruder in intruders:
        intruder.close()
    assert rows(mariadb) == damaged
    assert (office.rows(), office.files()) == damaged_office
    office.step("restore.6", procedure)
    assert office.service_running()
    assert states(office, procedure) == {"simpel/data": "undone", "simpel/berkas": "undone", KEY: "undone"}
    office.finish(procedure)

    procedure = office.restore()

    assert rows(mariadb) == whole
    assert (office.rows(), office.files()) != damaged_office
    assert office.service_running()
    assert states(office, procedure) == {"simpel/data": "kept", "simpel/berkas": "kept", KEY: "kept"}
    safety_copy = office.installation.source(KEY).beside(copy_label(procedure))
    assert safety_copy in databases(mariadb)


def test_doctor_names_the_grants_that_are_missing(with_database: SmallOffice, mariadb: MariaDBServer) -> None:
    component = with_database.installation.applications["simpel"].components[-1]
    mariadb.execute(
        "CREATE USER lemah@localhost; CREATE USER pemulih@localhost; GRANT ALL ON simpel.* TO pemulih@localhost"
    )
    try:
        component.restore_user = "pemulih"
        found = {finding.message for finding in examine_applications(with_database.installation)}
        assert "the account pemulih could not restore: GRANT PROCESS ON *.* TO pemulih" in found
        assert "the account pemulih could not restore: GRANT ALL ON `simpel.pulih-%`.* TO pemulih" in found
        assert "the account pemulih could not restore: GRANT SELECT (User, Host) ON mysql.user TO pemulih" in found
        component.user = "lemah"
        problems = [each for each in examine_applications(with_database.installation) if each.state == "problem"]
        assert [(each.subject, each.message, each.mend.partition(";")[0]) for each in problems] == [
            (
                f"component {KEY}",
                "the account lemah may not read all of the database simpel",
                "GRANT RELOAD ON *.* TO lemah",
            )
        ]
    finally:
        mariadb.execute("DROP USER lemah@localhost, pemulih@localhost")


def test_doctor_names_a_server_that_takes_no_row_as_long_as_the_newest_backup_has(
    with_database: SmallOffice, mariadb: MariaDBServer
) -> None:
    mariadb.execute("CREATE TABLE foto (isi longblob); INSERT INTO foto VALUES (REPEAT('x', 1500000))", DATABASE)
    with_database.back_up()

    def warnings() -> list[str]:
        found = examine_applications(with_database.installation)
        return [each.message for each in found if each.subject == f"component {KEY}" and each.state == "warning"]

    before = warnings()
    ((taken,),) = mariadb.rows("SELECT @@GLOBAL.max_allowed_packet")
    mariadb.execute("SET GLOBAL max_allowed_packet = 2097152")
    try:
        (warning,) = [each for each in warnings() if each not in before]
    finally:
        mariadb.execute(f"SET GLOBAL max_allowed_packet = {taken}")
    assert "bytes and the server takes 2097152, so that a restore beside the live data would fail" in warning


# The procedure's part of it is proven with the other engine each time; the server's identity, by the source's tests.
@pytest.mark.endurance
def test_a_database_of_the_same_name_on_another_server_is_not_touched(
    with_database: SmallOffice, mariadb: MariaDBServer
) -> None:
    """Approved is a target, not a name: whoever moves the address to another server must ask anew."""
    office = with_database
    office.back_up()
    damage(mariadb)
    damaged = rows(mariadb)
    procedure = office.request()
    office.approve(procedure)
    office.step("restore.4", procedure)
    with run_mariadb() as other:
        other.execute(f"CREATE DATABASE {DATABASE}")
        other.execute(PLAIN, DATABASE)
        elsewhere = rows(other)
        component = office.installation.applications["simpel"].components[-1]
        component.server = str(other.socket)
        with pytest.raises(SwapError, match=f"{KEY} is not the target that was approved"):
            office.step("restore.5", procedure)
        assert (rows(other), databases(other)) == (elsewhere, [DATABASE])
        component.server = str(mariadb.socket)
        office.step("restore.6", procedure)
        office.finish(procedure)
    assert rows(mariadb) == damaged
    assert office.service_running()


def states(office: SmallOffice, procedure: str) -> dict[str, str]:
    with office.installation.catalog.read() as connection:
        return {entry.component: entry.state for entry in journal.entries(connection, procedure)}
