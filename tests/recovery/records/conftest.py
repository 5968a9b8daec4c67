"""Catalogs for the tests of records: each test that asks for one runs on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery.records.catalog import Catalog, open_catalog
from recovery.records.schema import REVISIONS, metadata
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A server with the databases `catalog`, which holds a catalog, and `nothing`."""
    with run_postgresql() as server:
        for database in ("catalog", "nothing"):
            server.execute(f"CREATE DATABASE {database}")
        catalog = open_catalog(server.url("catalog"))
        catalog.upgrade()
        catalog.dispose()
        yield server


@pytest.fixture
def empty_postgresql_url(postgresql_server: PostgreSQLServer) -> str:
    """The URL of a database without tables."""
    postgresql_server.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public", "nothing")
    return postgresql_server.url("nothing")


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer) -> str:
    """The URL of a database that holds an empty catalog.

    Emptied and not created anew: a new database takes PostgreSQL longer than most tests take.
    """
    emptied = [f"DELETE FROM {table}" for table in metadata.tables]
    version = f"UPDATE alembic_version SET version_num = '{REVISIONS[-1]}'"
    # As a replica the session minds neither triggers nor references.
    postgresql_server.execute("; ".join(["SET session_replication_role = replica", *emptied, version]), "catalog")
    return postgresql_server.url("catalog")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a new SQLite file that holds an empty catalog."""
    url = f"sqlite:///{tmp_path / 'state' / 'catalog.sqlite'}"
    catalog = open_catalog(url)
    catalog.upgrade()
    catalog.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty catalog, on each dialect in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def uncreated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a catalog that was never created, on each dialect in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'catalog.sqlite'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    """An empty catalog, on each dialect in turn."""
    catalog = open_catalog(catalog_url)
    yield catalog
    catalog.dispose()
