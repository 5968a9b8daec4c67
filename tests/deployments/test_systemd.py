"""The systemd units are what systemd takes, and say what they must."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

from deployments.server import RETENTION_POOL, WORK_POOL
from recovery.errors import ALARMS_EXIT_CODE
from recovery.guard.alive import LONGEST_ROUND
from tests.testbed.only_root import did_not_run

UNITS = Path(__file__).resolve().parents[2] / "deployments" / "systemd"
PROGRAM = "/opt/pulih/.venv/bin/pulih"
PREFECT = "/opt/pulih/.venv/bin/prefect"
REMOVER = "pulih-pemusnahan"
PAGE = UNITS.parents[1] / "docs" / "operations.md"


def read(name: str) -> configparser.ConfigParser:
    # A % is systemd's own, and a name may stand twice: files of variables add up.
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
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


def test_a_round_of_the_guard_that_dies_is_followed_by_a_look_at_whether_any_comes_to_its_end() -> None:
    """tests/deployments/test_systemd_failures.py shows it on a real systemd. A round is killed when the look says that
    it takes too long."""
    guard = read("pulih-guard.service")
    assert f"{LONGEST_ROUND.seconds // 60}min" == guard["Service"]["TimeoutStartSec"]
    look = read(guard["Unit"]["OnFailure"])["Service"]
    whole_round = f'test "$MONITOR_EXIT_STATUS" = {ALARMS_EXIT_CODE}'
    assert f"/bin/sh -c '{whole_round} || exec {PROGRAM} doctor --alarm'" == look["ExecStart"]
    assert "pulih" == look["User"]
    assert "EnvironmentFile" not in look, "it needs no Prefect server"
    assert "err" == look["SyslogLevel"], "what it says is an error of the journal, whoever else can be told"


def test_whom_to_tell_without_the_inventory_is_remembered_in_a_directory_that_it_does_not_name() -> None:
    """The worker's, for its account alone; a unit that gave it another mode would open it."""
    for unit in ("pulih-guard", "pulih-guard-failed", "pulih-alarm", "pulih-worker"):
        service = read(f"{unit}.service")["Service"]
        assert ("pulih", "0700", "pulih") == (service["StateDirectory"], service["StateDirectoryMode"], service["User"])


def test_silence_is_listened_for_every_hour_with_the_server_s_address() -> None:
    """Where no address is set, the catalog alone is asked."""
    service, timer = read("pulih-alarm.service"), read("pulih-alarm.timer")
    assert f"{PROGRAM} doctor --alarm" == service["Service"]["ExecStart"]
    assert service["Service"]["EnvironmentFile"].startswith("-")
    assert "SuccessExitStatus" not in service["Service"], "an alarm is a failure on purpose"
    assert "1h" == timer["Timer"]["OnUnitInactiveSec"]


def test_each_pool_has_a_worker_and_only_one_of_them_is_given_what_removes() -> None:
    """Of its own account, with a file that no other unit and no drop-in names."""
    workers = {"pulih-worker.service": WORK_POOL, "pulih-destruction-worker.service": RETENTION_POOL}
    for name, pool in workers.items():
        start = read(name)["Service"]["ExecStart"]
        assert f"{PREFECT} worker start --pool {pool} --type process --install-policy never" == start
        assert "always" == read(name)["Service"]["Restart"]
    texts = {path: path.read_text(encoding="utf-8") for path in UNITS.rglob("*") if path.is_file()}
    assert ["pulih-destruction-worker.service"] == [path.name for path, text in texts.items() if "removal.env" in text]
    accounts = {path.name: re.findall("^User=(.*)$", text, re.MULTILINE) for path, text in texts.items()}
    assert ["pulih-destruction-worker.service"] == [name for name, users in accounts.items() if users == [REMOVER]]
    # What a restore starts by a command lives on, and sees the machine as it is.
    worker = read("pulih-worker.service")["Service"]
    assert "process" == worker["KillMode"]
    assert not {"NoNewPrivileges", "PrivateTmp", "ProtectSystem"} & worker.keys()
    # A worker that is asked to end kills its runs (test_systemd_boots.py).
    assert ("SIGKILL", "SIGKILL") == (worker["KillSignal"], worker["SuccessExitStatus"])


def test_the_server_is_given_no_key_of_ours() -> None:
    """The drop-in is for all units whose name begins as it says."""
    (drop_in,) = UNITS.glob("*.d/*.conf")
    assert "pulih-.service.d" == drop_in.parent.name
    assert not (UNITS / "prefect-server.service").name.startswith("pulih-")
    text = drop_in.read_text(encoding="utf-8")
    given = set(re.findall("^LoadCredential=(.*?):", text, re.MULTILINE))
    example = (UNITS.parent / "inventory.example.yaml").read_text(encoding="utf-8")
    assert given == set(re.findall(r"^ +(?:- |\w+: )credential:(\S+)$", example, re.MULTILINE))
    # Without these no unit starts whose file is not there (test_systemd_boots.py).
    assert given == set(re.findall(r"^SetCredential=(.*?):\\n$", text, re.MULTILINE))
    server = read("prefect-server.service")["Service"]
    assert f"{PREFECT} server start --host 127.0.0.1 --port 4200" == server["ExecStart"]
    assert "prefect" == server["User"]


def test_a_verb_of_an_administrator_s_is_a_unit_that_is_given_what_all_units_are_given() -> None:
    """What the worker has and root at a terminal has not; its name is what the drop-in is for."""
    program = (UNITS.parent / "pulih.sh").read_text(encoding="utf-8")
    worker = read("pulih-worker.service")["Service"]
    assert '--unit="pulih-' in program
    assert f"--uid={worker['User']} --working-directory={worker['WorkingDirectory']} " in program
    assert f"EnvironmentFile=-{worker['EnvironmentFile']} " in program
    assert f"-- {PROGRAM} " in program
    for name in ("StateDirectory", "StateDirectoryMode", "UMask"):
        assert f"--property={name}={worker[name]} " in program


def test_the_stores_are_made_equal_every_day() -> None:
    service, timer = read("pulih-sync.service"), read("pulih-sync.timer")
    assert (f"{PROGRAM} sync", "oneshot") == (service["Service"]["ExecStart"], service["Service"]["Type"])
    assert ("*-*-* 05:30:00", "true") == (timer["Timer"]["OnCalendar"], timer["Timer"]["Persistent"])


def test_every_unit_is_installed_by_the_page_for_administrators() -> None:
    """Its lines name what is to be enabled: each timer, and each service that no timer starts."""
    page = PAGE.read_text(encoding="utf-8")
    (line,) = re.findall(r"^sudo systemctl enable --now (.*)$", page, re.MULTILINE)
    enabled = [path.name for path in sorted(UNITS.iterdir()) if path.is_file() and "Install" in read(path.name)]
    assert sorted(enabled) == sorted(line.split())


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """Checked with a program that exists here: systemd refuses one that does not."""
    if shutil.which("systemd-analyze") is None:
        raise did_not_run("systemd is not installed here")
    for name in ("pulih", "prefect"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    # With what is given to all of them: it is looked for beside a unit.
    shutil.copytree(UNITS, tmp_path / "units")
    units = sorted(path for path in (tmp_path / "units").iterdir() if path.is_file())
    for unit in units:
        text = unit.read_text(encoding="utf-8").replace(PROGRAM, str(tmp_path / "pulih"))
        unit.write_text(text.replace(PREFECT, str(tmp_path / "prefect")), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    assert (0, "") == (done.returncode, done.stderr)
