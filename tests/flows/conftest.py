"""One small office on one real server with one real worker, for the tests of the flows in one process; and two runs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from contextlib import ExitStack

    from deployments.server import LocalServer
    from tests.flows.working_office import WorkingOffice
    from tests.testbed.postgresql import PostgreSQLServer

WORKER = "uji"


@pytest.fixture(scope="session")
def whole_office(
    while_prefect_is_needed: "ExitStack",
    prefect_worker: "LocalServer",
    prefect_database: "PostgreSQLServer",
    tmp_path_factory: pytest.TempPathFactory,
) -> "WorkingOffice":
    """The office, applied to the server by `pulih apply`'s own code.

    At its end, after all runs of its tests, what the server has kept is searched for secrets.
    """
    from deployments.apply import apply
    from tests.flows.server_search import require_no_secret
    from tests.flows.working_office import WorkingOffice, enrol_missing, inventory_of
    from tests.testbed.prefect_server import database_url, empty_server
    from tests.testbed.small_office import open_office

    small = open_office(tmp_path_factory.mktemp("kantor") / "kantor")
    while_prefect_is_needed.callback(small.stop_service_for_good)
    empty_server()
    apply(inventory_of(small))
    enrol_missing(small)
    built = WorkingOffice(small, prefect_worker, WORKER, database_url(prefect_database))
    # Each notice is a process of its own; only the tests of notices need them.
    built.switch_automations(False)
    while_prefect_is_needed.callback(require_no_secret, built, prefect_database)
    # What is on the server ends with it; a test that needs a bare one empties it itself.
    return built


@pytest.fixture(scope="module")
def office(whole_office: "WorkingOffice") -> "Iterator[WorkingOffice]":
    """The office; what a failed test left open is closed, or it would keep every later module from its restores."""
    yield whole_office
    whole_office.close_what_is_open()


@pytest.fixture(scope="session")
def reviewed_backup(whole_office: "WorkingOffice") -> str:
    """A backup that went through its review; tests only look at it, and restores use it."""
    run = whole_office.back_up()
    whole_office.review(run)
    return run
