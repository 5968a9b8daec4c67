"""The listing of a tree: complete, or not there."""

import sqlite3
from pathlib import Path

import pytest

from recovery.errors import VerificationError
from recovery.sources.listing import Listing, _moment
from recovery.sources.tar_entries import FILE, Entry


def test_a_listing_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    """Half of one would be judged as a tree with half of its files."""
    with pytest.raises(KeyError), Listing(tmp_path / "listing"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_listing_that_cannot_be_written_proves_nothing(tmp_path: Path) -> None:
    """Here somebody took its table away; a full disk is told in the same words."""
    with pytest.raises(VerificationError) as caught, Listing(tmp_path / "listing") as listing:
        listing.add(Entry(FILE, b"a", 0o644, 0, 0, 0, 1, b"", b"", []), bytes(16))
        connection = sqlite3.connect(tmp_path / "listing")
        connection.execute("DROP TABLE berkas")
        connection.close()
    assert str(caught.value) == (
        "the listing of the tree could not be written: no such table: berkas; nothing is known about the copy\n"
        f"HINT: make room in {tmp_path}"
    )


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [(0, "1970-01-01T00:00:00.000000+00:00"), (1_500, "1970-01-01T00:00:00.000001+00:00"), (1 << 90, None)],
)
def test_a_time_that_no_calendar_has_is_none(nanoseconds: int, expected: str | None) -> None:
    """File systems hold such times, and a tree with one is backed up all the same."""
    assert _moment(nanoseconds) == expected
