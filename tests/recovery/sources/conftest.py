"""Fixtures of the sources' tests: one server of each engine, and a database with every kind of object, made once."""

from collections.abc import Iterator

import pytest

from tests.recovery.sources import mariadb_databases
from tests.recovery.sources.postgresql_databases import Dumped, dumped, make_rich
from tests.testbed.engines import ENGINES, EngineServer
from tests.testbed.mariadb import MariaDBServer, run_mariadb
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

# Of the servers that tests kill.
ENGINE_DATABASE = "simpel"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A server that can also do what keeps a database from being swapped."""
    with run_postgresql("wal_level=logical", "max_prepared_transactions=2") as server:
        yield server


@pytest.fixture(scope="session")
def rich(postgresql: PostgreSQLServer) -> Dumped:
    """A dump of the database with every kind of object."""
    return dumped(make_rich(postgresql))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDBServer]:
    """A server that writes a binary log, as one with replicas does."""
    with run_mariadb("log-bin=binlog", "server-id=7", "log-bin-trust-function-creators=1") as server:
        yield server


@pytest.fixture(scope="session")
def rich_mariadb(mariadb: MariaDBServer) -> mariadb_databases.Dumped:
    """A dump of the MariaDB database with every kind of object."""
    return mariadb_databases.dumped(mariadb_databases.make_rich(mariadb))


@pytest.fixture(params=list(ENGINES))
def server(request: pytest.FixtureRequest) -> Iterator[EngineServer]:
    """A server of each engine in turn with one database, which a test may kill."""
    made = ENGINES[request.param]()
    try:
        made.start()
        made.make(ENGINE_DATABASE)
        yield made
    finally:
        made.remove()
