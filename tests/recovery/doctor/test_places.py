"""Places that are missing, closed or full are found."""

import re
import shutil
from pathlib import Path

import pytest

from recovery.doctor import examine, places
from recovery.installation import Installation
from recovery.settings import StoreSettings
from tests.recovery.doctor.conftest import only


def test_a_state_directory_that_is_missing_or_open_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """Scratch copies of personal data lie in there."""
    (tmp_path / "state").chmod(0o755)
    assert f"chmod 700 {tmp_path / 'state'}" == only(installation, "state directory").mend
    shutil.rmtree(tmp_path / "state")
    assert f"{tmp_path / 'state'} is not there" == only(installation, "state directory").message
    assert "there is no catalog at" in only(installation, "catalog").message


def test_a_store_that_is_missing_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    """A mount that is not there; the directory is not made, or backups would fill the system's disk."""
    (tmp_path / "store").rmdir() if not any((tmp_path / "store").iterdir()) else shutil.rmtree(tmp_path / "store")
    trouble = only(installation, "store utama")
    assert "problem" == trouble.state
    assert str(tmp_path / "store") in trouble.message
    assert not (tmp_path / "store").exists()


def test_a_store_that_cannot_be_written_is_a_problem(installation: Installation) -> None:
    """/proc refuses everybody, root included."""
    installation.stores = {"utama": StoreSettings(name="utama", path="/proc/sys")}
    trouble = only(installation, "store utama")
    assert "problem" == trouble.state
    assert trouble.mend


def test_a_schedule_with_an_off_site_store_is_enough(installation: Installation) -> None:
    """One copy of everything elsewhere is what a fire leaves."""
    assert "a fire takes server and store together" == only(installation, "off-site store").mend
    schedule = installation.schedules["bulanan"].model_copy(update={"offsite_store": "jauh"})
    installation.schedules = {"bulanan": schedule}
    assert "off-site store" not in {each.subject for each in examine(installation, None)}


def test_little_room_is_a_warning(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not yet a failure, but the next one."""
    monkeypatch.setattr(places, "SPACE_WANTED", 1 << 60)
    for subject in ("state directory", "store utama"):
        trouble = only(installation, subject)
        assert ("warning", True) == (trouble.state, bool(re.fullmatch(r"only \d+ MiB are free", trouble.message)))
