"""The systemd units are what systemd takes, and say what they must."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).resolve().parents[2] / "deployments" / "systemd"
PROGRAM = "/opt/pulih/.venv/bin/pulih"


def read(name: str) -> configparser.ConfigParser:
    # interpolation=None: a % is systemd's own.
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(UNITS / name, encoding="utf-8")
    return parser


def test_every_timer_starts_a_service_that_is_there() -> None:
    """A timer without its service fails only when somebody enables it."""
    timers = sorted(UNITS.glob("*.timer"))
    assert timers
    for timer in timers:
        assert (UNITS / read(timer.name)["Timer"]["Unit"]).is_file()


def test_the_guard_makes_a_round_every_minute_and_leaves_started_services_alone() -> None:
    """With systemd's default it would kill, at its end, the very services that it has started by a command."""
    service, timer = read("pulih-guard.service"), read("pulih-guard.timer")
    assert f"{PROGRAM} guard" == service["Service"]["ExecStart"]
    assert "oneshot" == service["Service"]["Type"]
    assert "process" == service["Service"]["KillMode"]
    assert "SuccessExitStatus" not in service["Service"], "an alarm is a failure on purpose"
    assert "1min" == timer["Timer"]["OnUnitInactiveSec"]
    assert "timers.target" == timer["Install"]["WantedBy"]


def test_silence_is_listened_for_every_hour_with_the_server_s_address() -> None:
    """Where no address is set, the catalog alone is asked."""
    service, timer = read("pulih-alarm.service"), read("pulih-alarm.timer")
    assert f"{PROGRAM} doctor --alarm" == service["Service"]["ExecStart"]
    assert service["Service"]["EnvironmentFile"].startswith("-")
    assert "SuccessExitStatus" not in service["Service"], "an alarm is a failure on purpose"
    assert "1h" == timer["Timer"]["OnUnitInactiveSec"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Checked with a program that exists here: systemd refuses one that does not."""
    program = tmp_path / "pulih"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    units = []
    for unit in sorted(UNITS.iterdir()):
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text(encoding="utf-8").replace(PROGRAM, str(program)), encoding="utf-8")
        units.append(str(copy))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)
