"""Fixtures for every folder of tests."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.testbed.only_root import did_not_run

if TYPE_CHECKING:
    from deployments.server import LocalServer
    from tests.testbed.postgresql import PostgreSQLServer


# What runs for the Prefect server's tests of this process, in the order in which it was started.
PREFECT = pytest.StashKey[ExitStack]()
PREFECT_GROUPS = ("prefect", "reviewed backup", "reviewed backup, interrupted")
# Of those that begin with a reviewed backup, the ones that wait longest: half of the time of all.
INTERRUPTED = {"test_browser.py", "test_killed_processes.py", "test_late_answers.py"}


@pytest.fixture(scope="session")
def while_prefect_is_needed(pytestconfig: pytest.Config) -> Iterator[ExitStack]:
    """What is entered here ends after the last test that needs the Prefect server, and at the latest with the session.

    Server, worker and their database keep looking for work; for ten minutes that would be taken from other tests.
    """
    with ExitStack() as stack:
        pytestconfig.stash[PREFECT] = stack
        yield stack


@pytest.fixture(scope="session")
def prefect_database(while_prefect_is_needed: ExitStack) -> "PostgreSQLServer":
    """PostgreSQL for the Prefect server of this test process, as in production.

    On SQLite the server answers 503 or not at all while somebody writes, and a run then waits for seconds.
    """
    from tests.testbed.postgresql import run_postgresql

    server = while_prefect_is_needed.enter_context(run_postgresql())
    server.execute("CREATE DATABASE prefect")
    return server


@pytest.fixture(scope="session")
def prefect_server(while_prefect_is_needed: ExitStack, prefect_database: "PostgreSQLServer") -> "LocalServer":
    """The one Prefect server of this test process (10 to 20 seconds to start).

    `make test` starts three, one for each of PREFECT_GROUPS: on a single one these tests were what all others had ended
    before. Each has a database, a worker and an office of its own.
    """
    from tests.testbed.prefect_server import database_url, running_server

    home = tempfile.TemporaryDirectory(prefix="pulih-prefect-", ignore_cleanup_errors=True)
    files = while_prefect_is_needed.enter_context(home)
    return while_prefect_is_needed.enter_context(running_server(Path(files), database_url(prefect_database)))


@pytest.fixture(scope="session")
def prefect_worker(prefect_server: "LocalServer") -> "LocalServer":
    """The server, with a process worker of the work pool "pulih"; the server's end ends it."""
    from tests.testbed.prefect_server import start_test_worker

    start_test_worker(prefect_server)
    return prefect_server


# Where tests start processes by the hundred: real programs on real data, left to `make test`.
SLOW_FOLDERS = (
    "cli",
    "demo",
    "recovery/doctor",
    "recovery/guard",
    "recovery/hosts",
    "recovery/procedures/test_retention.py",
    "recovery/quality",
    "recovery/sabotage",
    "recovery/sources",
)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail what only root can do, where it is not root who runs it: a skip would look green."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        raise did_not_run("only root can do what this test needs")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """End what runs for the Prefect server's tests after the last of them, which groups keep together."""
    yield
    last = _group(item) in PREFECT_GROUPS and (nextitem is None or _group(nextitem) not in PREFECT_GROUPS)
    if last and getattr(item.config.option, "loadgroup", False) and PREFECT in item.config.stash:
        item.config.stash[PREFECT].close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, and all that need the Prefect server in three: so many servers are started.

    They take longest of all, so those that begin with a reviewed backup do not wait for the others, nor all of them for
    each other; and on a busy machine what they wait for takes minutes, without hanging.
    What lies in the slow folders, or runs on PostgreSQL too, is marked slow. What takes longest begins first, so that
    no process is left with it at the end.
    """
    here = Path(__file__).parent
    slow_folders = tuple(here / folder for folder in SLOW_FOLDERS)
    reviewed = {item.path for item in items if "reviewed_backup" in getattr(item, "fixturenames", ())}
    for item in items:
        served = {"prefect_server", "prefect_worker"} & set(getattr(item, "fixturenames", ()))
        needs_prefect, needs_backup, interrupted = PREFECT_GROUPS
        if item.path in reviewed:
            group = interrupted if item.path.name in INTERRUPTED else needs_backup
        else:
            group = needs_prefect if served else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
        if served and not {"timeout", "endurance"} & {mark.name for mark in item.iter_markers()}:
            item.add_marker(pytest.mark.timeout(900))
        on_postgresql = "postgresql_server" in getattr(item, "fixturenames", ()) or "[postgresql" in item.nodeid
        if on_postgresql or any(item.path.is_relative_to(folder) for folder in slow_folders):
            item.add_marker(pytest.mark.slow)
    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = min(_rank(item), ranks.get(item.path, 2))
    items.sort(key=lambda item: ranks[item.path])


def _group(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return str(marker.args[0]) if marker else ""


def _rank(item: pytest.Item) -> int:
    if {"prefect_server", "prefect_worker"} & set(getattr(item, "fixturenames", ())):
        return 0
    return 1 if item.get_closest_marker("slow") else 2


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fail when pytest-xdist did not take up the groups: all would pass, in twice the time and on several servers.

    It writes a group into a test's id, which a newer pytest may hold elsewhere.
    """
    if getattr(session.config.option, "loadgroup", False):
        alone = [item.nodeid for item in session.items if "@" not in item.nodeid]
        if alone:
            raise pytest.UsageError(f"{len(alone)} tests belong to no group, among them {alone[0]}")
