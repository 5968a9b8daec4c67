"""The machine with a real systemd, booted once for this folder's tests."""

from collections.abc import Iterator

import pytest

from tests.testbed.systemd_host import SystemdHost, run_systemd_host


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHost]:
    """A running machine."""
    with run_systemd_host(tmp_path_factory.mktemp("machine")) as booted:
        yield booted


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever runs on the machine needs root: without it his tests say that they did not run."""
    for item in items:
        if "machine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.root)
