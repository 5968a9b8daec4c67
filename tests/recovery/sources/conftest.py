"""Fixtures of the sources' tests: one PostgreSQL server, and the database with every kind of object, made once."""

from collections.abc import Iterator

import pytest

from tests.recovery.sources.postgresql_databases import Dumped, dumped, make_rich
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """A server that can also do what keeps a database from being swapped."""
    with run_postgresql("wal_level=logical", "max_prepared_transactions=2") as server:
        yield server


@pytest.fixture(scope="session")
def rich(postgresql: PostgreSQLServer) -> Dumped:
    """A dump of the database with every kind of object."""
    return dumped(make_rich(postgresql))
