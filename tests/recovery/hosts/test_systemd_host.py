"""The machine of the tests leaves nothing behind, however the process that booted it ends."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from recovery.doctor.hosts import _reached
from tests.testbed.systemd_host import SystemdHost, run_systemd_host
from tests.testbed.systemd_root import built_root, cache, remove_old_roots

pytestmark = pytest.mark.timeout(900)

BOOTS = """\
import sys, time
from pathlib import Path
from tests.testbed.systemd_host import run_systemd_host

with run_systemd_host(Path(sys.argv[1])) as machine:
    machine.write("/etc/tertinggal", "")
    print(machine.pid, machine.ssh_port, flush=True)
    time.sleep(600)
"""


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up_at, "waited in vain"
        time.sleep(0.02)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def groups(pid: int) -> list[Path]:
    # Not through all of the tree, where groups come and go meanwhile.
    top, name = Path("/sys/fs/cgroup"), f"pulih-testbed-{pid}-*"
    return [*top.glob(name), *top.glob(f"*/{name}")]


@pytest.mark.root
def test_a_killed_test_run_leaves_no_machine(tmp_path: Path) -> None:
    """Its processes end with it, its files were never on a disk, and the next boot takes its empty groups away."""
    here = Path(__file__).resolve().parents[3]
    booting = subprocess.Popen(
        [sys.executable, "-c", BOOTS, str(tmp_path / "first")], stdout=subprocess.PIPE, text=True, cwd=here
    )
    with booting:
        assert booting.stdout is not None
        machine, port = (int(word) for word in booting.stdout.readline().split())
        assert groups(booting.pid)
        booting.send_signal(signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{machine}").exists())
    wait_until(lambda: not answers(port))
    with run_systemd_host(tmp_path / "second") as second:
        assert not groups(booting.pid)
        assert not second.inside("/etc/tertinggal").exists()
    assert not (built_root() / "etc/tertinggal").exists()


def test_the_machine_cannot_change_the_kernel_of_this_one(machine: SystemdHost) -> None:
    """Packages set the kernel's parameters when they boot; here that would be everybody's kernel."""
    machine.run("sh", "-c", "! echo 1 >/proc/sys/vm/overcommit_memory", ok=(0,))
    assert "running" == machine.systemctl("is-system-running", "--wait", ok=(0, 1)).strip()


def test_a_machine_that_is_another_one_is_told_without_a_warning(machine: SystemdHost) -> None:
    """Its identity is not the worker's."""
    (found,) = _reached(machine.settings("aplikasi"))
    assert ("host aplikasi", "ok") == (found.subject, found.state)


def test_a_root_of_another_recipe_is_removed_unless_a_machine_runs_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes hundreds of megabytes, for ever."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    current, used, old = (cache() / f"debian-12-{name}" for name in ("kini", "dipakai", "lama"))
    for root in (current, used, old):
        (root / "etc").mkdir(parents=True)
    held = os.open(used, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    remove_old_roots(current)
    assert [used, current] == sorted(cache().iterdir())
    os.close(held)
    remove_old_roots(current)
    assert [current] == list(cache().iterdir())
