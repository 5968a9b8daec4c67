"""A fresh small office for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.small_office import SmallOffice, open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[SmallOffice]:
    """A small office whose service runs; whatever is left of it is ended."""
    built = open_office(tmp_path / "office")
    yield built
    built.stop_service_for_good()
    built.installation.catalog.dispose()
