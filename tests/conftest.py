"""Fixtures for every folder of tests."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from deployments.server import LocalServer


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LocalServer]":
    """The one Prefect server of the test session (10 to 20 seconds to start, so never a second one)."""
    from tests.testbed.prefect_server import running_server

    # In memory where that is possible: Prefect commits often, and its database is what applying waits for.
    memory = Path("/dev/shm")
    directory = memory if os.access(memory, os.W_OK) else tmp_path_factory.getbasetemp()
    with (
        tempfile.TemporaryDirectory(prefix="pulih-prefect-", dir=directory, ignore_cleanup_errors=True) as home,
        running_server(Path(home)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def prefect_worker(prefect_server: "LocalServer") -> "LocalServer":
    """The server, with a process worker of the work pool "pulih"; the server's end ends it."""
    from tests.testbed.prefect_server import start_test_worker

    start_test_worker(prefect_server)
    return prefect_server
