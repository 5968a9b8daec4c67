"""Where a set cannot be fetched to. The rest is tried through the verb, in the tests of the command line."""

from pathlib import Path

import pytest

from recovery.errors import StoreError
from recovery.fetching import _unfinished_directory


def test_a_place_in_which_no_directory_can_be_made_is_named() -> None:
    """One that refuses everybody, root included."""
    with pytest.raises(StoreError, match=r"^/proc cannot be written \(.*\); nothing was written\nHINT: "):
        _unfinished_directory(Path("/proc"), "set")
