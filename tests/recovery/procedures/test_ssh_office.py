"""Both procedures for an application on another machine: nothing but the host's settings differs."""

from collections.abc import Iterator
from typing import Any

import pytest

from recovery.errors import ConfigurationError, SwapError
from recovery.points import observe
from recovery.procedures.restore.rehearsal import copy_label
from recovery.records import journal
from recovery.settings import ComponentSettings
from tests.recovery.sources.postgresql_databases import PLAIN
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql
from tests.testbed.small_office import SmallOffice
from tests.testbed.sshd import SshServer, run_sshd

# Two real servers, three kinds of components, a restore.
pytestmark = pytest.mark.slow

DATABASE = "simpel"


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """The machine on which the application runs."""
    with run_sshd() as running:
        yield running


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQLServer]:
    """The database server there."""
    with run_postgresql() as running:
        yield running


@pytest.fixture
def distant(office: SmallOffice, server: SshServer, postgresql: PostgreSQLServer) -> SmallOffice:
    """The office, whose application is reached by SSH and has a database on a server, too."""
    office.installation.hosts["server"] = server.settings(name="server", title="Server Aplikasi Jauh")
    postgresql.execute(f"CREATE DATABASE {DATABASE}")
    postgresql.execute(PLAIN, DATABASE)
    office.installation.applications["simpel"].components.append(
        ComponentSettings(
            name="induk",
            kind="postgresql",
            database=DATABASE,
            server=str(postgresql.directory),
            user=postgresql.user,
            lock_timeout=3,
        )
    )
    return office


def test_an_application_on_another_machine_is_backed_up_and_restored(
    distant: SmallOffice, postgresql: PostgreSQLServer, server: SshServer
) -> None:
    """One restore loses the machine between two swaps and is put back as soon as it is there; another goes through."""
    office = distant
    before = office.rows(), office.files(), rows(postgresql)
    office.back_up()
    office.damage()
    postgresql.execute("DELETE FROM pegawai", DATABASE)
    damaged = office.rows(), office.files(), rows(postgresql)

    procedure = office.request()
    office.approve(procedure)
    office.step("restore.4", procedure)
    cuts: list[str] = []

    def cut(point: str) -> None:
        # The service is down, and other components are live already.
        if point == "postgresql: before swap" and not cuts:
            cuts.append(point)
            server.cut()
            server.host_keys.rename(server.host_keys.with_suffix(".away"))

    try:
        with observe(cut), pytest.raises(ConfigurationError, match="the file of pinned host keys"):
            office.step("restore.5", procedure)
    finally:
        server.host_keys.with_suffix(".away").rename(server.host_keys)
    # What went before it could not be put back then; now it is.
    with pytest.raises(SwapError, match="this restore was undone before; the old data is live"):
        office.step("restore.5", procedure)
    assert cuts
    assert (office.rows(), office.files(), rows(postgresql)) == damaged
    assert not office.service_running()
    office.step("restore.6", procedure)
    assert office.service_running()
    office.finish(procedure)
    assert states(office, procedure) == {"undone"}

    procedure = office.restore()

    assert (office.rows(), office.files(), rows(postgresql)) == before != damaged
    assert office.service_running()
    assert states(office, procedure) == {"kept"}
    for component in office.installation.applications["simpel"].components:
        source = office.installation.source(f"simpel/{component.name}")
        assert source.beside(copy_label(procedure)) in source.copies()


def states(office: SmallOffice, procedure: str) -> set[str]:
    with office.installation.catalog.read() as connection:
        return {entry.state for entry in journal.entries(connection, procedure)}


def rows(server: PostgreSQLServer) -> list[Any]:
    import psycopg

    with psycopg.connect(host=str(server.directory), user=server.user, dbname=DATABASE) as connection:
        return connection.execute("SELECT * FROM pegawai ORDER BY id").fetchall()
