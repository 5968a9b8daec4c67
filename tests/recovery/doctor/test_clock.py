"""A clock that nobody keeps right, or that is not the server's, is found: one-time codes depend on it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.doctor.clock import MEND, compare_clocks, examine_clock
from recovery.doctor.finding import Finding

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def fake_program(folder: Path, name: str, prints: str, status: int = 0) -> None:
    """Put a program on the path that says what the real one would."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\nexit {status}\n")
    path.chmod(0o755)


NORMAL, LOST = "Leap status     : Normal", "Leap status     : Not synchronised"


@pytest.mark.parametrize(
    ("timedatectl", "chronyc", "expected"),
    [
        ("yes", None, [Finding("clock", "ok", "kept right by NTP")]),
        ("no", NORMAL, [Finding("clock", "warning", "nobody keeps it right: NTP does not answer or is off", MEND)]),
        (None, NORMAL, [Finding("clock", "ok", "kept right by NTP")]),
        (None, LOST, [Finding("clock", "warning", "nobody keeps it right: NTP does not answer or is off", MEND)]),
        (None, None, []),
        ("n/a", None, []),
    ],
)
def test_systemd_or_chrony_says_whether_the_clock_is_kept_right(
    timedatectl: str | None,
    chronyc: str | None,
    expected: list[Finding],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a container neither can tell, and then nothing is said."""
    if timedatectl:
        fake_program(tmp_path, "timedatectl", timedatectl)
    if chronyc:
        fake_program(tmp_path, "chronyc", chronyc)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert expected == list(examine_clock())


def test_a_program_that_fails_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As timedatectl where systemd does not run; chrony is asked next."""
    fake_program(tmp_path, "timedatectl", "yes", status=1)
    fake_program(tmp_path, "chronyc", LOST)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ["warning"] == [finding.state for finding in examine_clock()]


@pytest.mark.parametrize(
    ("away", "state", "message"),
    [
        (0, "ok", "the same as here"),
        (4.9, "ok", "the same as here"),
        (-5, "warning", "is 5 seconds away from this machine's"),
        (29, "warning", "is 29 seconds away from this machine's"),
        (-30, "problem", "is 30 seconds away from this machine's"),
        (7 * 3600, "problem", "is 25200 seconds away from this machine's"),
    ],
)
def test_half_a_minute_between_server_and_worker_refuses_every_official(away: float, state: str, message: str) -> None:
    """The server stamps the answer, and the worker judges the code by that time."""
    finding = compare_clocks(NOW + timedelta(seconds=away), NOW)
    assert (state, message) == (finding.state, finding.message)
