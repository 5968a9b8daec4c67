"""The office hears that the catalog cannot be used, although nothing can be recorded of what it was told."""

import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.errors import RecordsError
from recovery.guard.unreadable import MARK, told_when_unreadable
from tests.testbed.small_office import SmallOffice, open_office

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TOLD = (
    "Pulih: Rekaman Pulih tidak dapat dibaca atau ditulis: penjagaan tidak berjalan\n"
    "Peringatan: Rekaman Pulih tidak dapat dibaca atau ditulis: penjagaan tidak berjalan\n"
    "Perihal: katalog\n"
    "Rincian teknis: the disk fails; nothing was read\n"
    "Tindakan: mend it\n\n"
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallOffice:
    """An office of which nothing runs, and the system's temporary files."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return open_office(tmp_path / "office", running=False)


def fail(office: SmallOffice, now: datetime = NOW) -> str:
    """Let a round end with an error, and return what the office is told by it."""
    notices = office.root / "notices.txt"
    notices.unlink(missing_ok=True)
    with pytest.raises(RecordsError, match="the disk fails"), told_when_unreadable(office.installation, now):
        raise RecordsError("the disk fails", state="nothing was read", hint="mend it")
    return notices.read_text() if notices.exists() else ""


def test_the_office_is_told_once_in_an_hour(office: SmallOffice) -> None:
    """Guard and doctor come by every minute and every hour, and the error is theirs as before."""
    late = NOW + timedelta(minutes=61)
    assert [TOLD, "", TOLD, ""] == [fail(office, now) for now in (NOW, NOW + timedelta(minutes=59), late, late)]


def test_a_round_that_ends_well_tells_nothing(office: SmallOffice) -> None:
    with told_when_unreadable(office.installation, NOW):
        pass
    assert not (office.root / "notices.txt").exists()
    assert [] == list(office.installation.state_directory.glob(f"{MARK}*"))


def test_whom_nobody_reached_is_tried_again(office: SmallOffice) -> None:
    """The next minute: nothing fills up by it."""
    target = office.root / "keys" / "notices"
    right = target.read_text()
    target.write_text("file:///proc/no/such/place")
    assert "" == fail(office)
    target.write_text(right)
    assert [TOLD, ""] == [fail(office), fail(office)]


def test_where_the_state_directory_is_gone_a_temporary_file_remembers(office: SmallOffice, tmp_path: Path) -> None:
    """The catalog lies in it, so they fail together. Without any place it is told too often, and not too seldom."""
    shutil.rmtree(office.installation.state_directory)
    assert [TOLD, ""] == [fail(office), fail(office)]
    (mark,) = (tmp_path / "tmp").iterdir()
    assert mark.name.startswith(MARK)
    shutil.rmtree(tmp_path / "tmp")
    assert [TOLD, TOLD] == [fail(office), fail(office)]


def test_neither_a_clock_that_ran_ahead_nor_a_link_keeps_it_silent(office: SmallOffice) -> None:
    """Everybody can put a link among the temporary files."""
    mark = office.installation.state_directory / MARK
    mark.touch()
    ahead = (NOW + timedelta(days=365)).timestamp()
    os.utime(mark, (ahead, ahead))
    assert TOLD == fail(office)
    mark.unlink()
    fresh = office.root / "fresh"
    fresh.touch()
    os.utime(fresh, (NOW.timestamp(), NOW.timestamp()))
    mark.symlink_to(fresh)
    os.utime(mark, (NOW.timestamp(), NOW.timestamp()), follow_symlinks=False)
    assert TOLD == fail(office)


def test_an_office_without_targets_is_told_nothing(office: SmallOffice) -> None:
    """And nothing is put down as told."""
    office.installation.office.notice_targets = []
    assert "" == fail(office)
    assert not (office.installation.state_directory / MARK).exists()
