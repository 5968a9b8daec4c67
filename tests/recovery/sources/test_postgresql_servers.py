"""What differs from one PostgreSQL server to the next: where its databases lie, how they sort, and what it allows."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import Account
from tests.recovery.sources.postgresql_databases import connect, dumped, make_database, scratch_of
from tests.testbed.postgresql import PostgreSQLServer

# --- where databases lie ----------------------------------------------------------------------------------------------

RESTORER = """
CREATE ROLE bendahara;
CREATE ROLE pemulih LOGIN CREATEDB BYPASSRLS;
GRANT pg_read_all_data, pg_monitor, bendahara TO pemulih;
"""
OWNED = """
SET ROLE bendahara;
CREATE TABLE cepat (a int); INSERT INTO cepat VALUES (1);
CREATE TABLE lambat (a int) TABLESPACE arsip; INSERT INTO lambat VALUES (2);
"""


@pytest.fixture
def disks(postgresql: PostgreSQLServer) -> Iterator[PostgreSQLServer]:
    """The server with two more tablespaces, and a role that restores what belongs to another one."""
    names = ("Disk Cepat", "arsip")
    for name in names:
        place = postgresql.directory / name
        place.mkdir()
        shutil.chown(place, (postgresql.directory / "data").owner())
        postgresql.execute(f"CREATE TABLESPACE \"{name}\" LOCATION '{place}'")
    postgresql.execute(RESTORER)
    yield postgresql
    for name in names:
        postgresql.execute(f'DROP TABLESPACE "{name}"')
        shutil.rmtree(postgresql.directory / name)
    postgresql.execute("DROP ROLE pemulih")
    postgresql.execute("DROP ROLE bendahara")


@pytest.fixture
def placed(disks: PostgreSQLServer) -> Iterator[PostgresqlSource]:
    """A database that lies in a tablespace of its own, with a table in another one."""
    disks.execute("GRANT CREATE ON TABLESPACE arsip TO bendahara")
    source = make_database(disks, "GRANT CREATE ON SCHEMA public TO bendahara")
    source.restore_account = Account("pemulih")
    disks.execute(OWNED, source.database)
    disks.execute(f"ALTER DATABASE {source.database} OWNER TO bendahara")
    disks.execute(f'ALTER DATABASE {source.database} SET TABLESPACE "Disk Cepat"')
    yield source
    for name in [*source.copies(), source.database]:
        disks.execute(f'DROP DATABASE "{name}"')
    disks.execute("REVOKE CREATE ON TABLESPACE arsip FROM bendahara")


def lies_in(server: PostgreSQLServer, database: str) -> str:
    with closing(connect(server, "postgres")) as connection:
        query = "SELECT spcname FROM pg_database d JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = %s"
        return str(connection.execute(query, (database,)).fetchone()[0])


def test_a_copy_lies_where_the_live_database_does(
    placed: PostgresqlSource, disks: PostgreSQLServer, tmp_path: Path
) -> None:
    """There is the room that was looked at; elsewhere it may fill the disk of the whole server."""
    lacking = [
        f"the role pemulih could not restore: GRANT CREATE ON TABLESPACE {names} TO pemulih"
        for names in ('"Disk Cepat"', '"Disk Cepat", arsip')
    ]
    # It has the right on the other one as a member of the owner.
    assert lacking[:1] == placed.preflight()
    disks.execute("REVOKE CREATE ON TABLESPACE arsip FROM bendahara")
    assert lacking[1:] == placed.preflight()
    disks.execute('GRANT CREATE ON TABLESPACE "Disk Cepat", arsip TO pemulih')
    assert [] == placed.preflight()

    dump = dumped(placed)
    copy = dump.load()
    assert [] == dump.differences(copy)
    assert "Disk Cepat" == lies_in(disks, copy)
    receipt = placed.prepare_swap(copy)
    placed.swap(receipt)
    assert ["Disk Cepat"] * 2 == [lies_in(disks, name) for name in (placed.database, copy)]
    placed.discard(copy)

    with scratch_of(placed, tmp_path / "bukti") as scratch:
        assert [] == dump.differences(dump.load("proof", into=scratch), scratch)
    disks.execute('REVOKE CREATE ON TABLESPACE "Disk Cepat", arsip FROM pemulih')


def test_a_database_in_the_servers_own_place_needs_no_right_on_it(disks: PostgreSQLServer) -> None:
    """Nor does one that is gone: its copy is made where the server makes new ones."""
    source = make_database(disks, "GRANT CREATE ON SCHEMA public TO bendahara")
    source.restore_account = Account("pemulih")
    disks.execute("SET ROLE bendahara; CREATE TABLE t (a int)", source.database)
    disks.execute(f"ALTER DATABASE {source.database} OWNER TO bendahara")
    assert [] == source.preflight()
    dump = dumped(source)
    disks.execute(f"DROP DATABASE {source.database}")
    copy = dump.load()
    assert "pg_default" == lies_in(disks, copy)
    source.discard(copy)
