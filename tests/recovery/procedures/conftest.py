"""A fresh small office for each test, and the option of the sweep's sample."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.small_office import SmallOffice, open_office


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option is there when this folder or a file of it is named on the command line."""
    parser.addoption("--sweep-seed", default="1", help="another sample of the sweep's cases")


@pytest.fixture
def office(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SmallOffice]:
    """A small office whose service runs, unless the module says WITHOUT_SERVICE; whatever is left of it is ended."""
    built = open_office(tmp_path / "office", running=not getattr(request.module, "WITHOUT_SERVICE", False))
    yield built
    built.stop_service_for_good()
    built.installation.catalog.dispose()
