"""Catalogs for the tests of records: each test that asks for one runs on SQLite and on PostgreSQL."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recovery.records.catalog import Catalog, open_catalog
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQLServer]:
    """A server with the database `catalog_template`, which holds an empty catalog."""
    with run_postgresql() as server:
        server.execute("CREATE DATABASE catalog_template")
        template = open_catalog(server.url("catalog_template"))
        template.upgrade()
        template.dispose()
        yield server


@pytest.fixture
def empty_postgresql_url(postgresql_server: PostgreSQLServer) -> Iterator[str]:
    """The URL of a new database without tables."""
    with _database(postgresql_server, "template0") as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: PostgreSQLServer) -> Iterator[str]:
    """The URL of a new database that holds an empty catalog."""
    with _database(postgresql_server, "catalog_template") as url:
        yield url


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


@contextmanager
def _database(server: PostgreSQLServer, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
