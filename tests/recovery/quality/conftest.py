"""Fixtures of the judge's tests."""

from pathlib import Path

import pytest

from tests.recovery.quality.copies import Copy, make_copy


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A sound copy with its own original."""
    return make_copy(tmp_path)
