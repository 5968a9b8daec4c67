"""The process of whose forks the calls are made on this machine: whatever happens to it, a call fails or is done."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from recovery.errors import CommandError, HostError, SourceMissingError
from recovery.hosts import local, local_forks
from recovery.hosts.local import LocalHost
from recovery.hosts.local_forks import Forking
from tests.flows.waiting import wait_until
from tests.recovery.hosts.looking import gone, wait_for
from tests.testbed.family import descendants

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def forking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Forking]:
    """One of this test's own."""
    own = Forking()
    monkeypatch.setattr(local, "FORKING", own)
    yield own
    own._end()


def process_of(forking: Forking) -> int:
    """Number of the process that forks, which a first call begins."""
    LocalHost().call("system", "space", "/")
    assert forking._running is not None
    return forking._running[1].pid


def open_in(process: int) -> list[str]:
    try:
        return sorted(os.listdir(f"/proc/{process}/fd"))
    except (FileNotFoundError, PermissionError):  # it has ended, reaped or not
        return []


def calls_of(process: int) -> list[int]:
    """Its calls that have begun: they have three files open, those that have ended none, and those to come more."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in children if open_in(int(child)) == ["0", "1", "2"]]


@pytest.fixture
def lasting(forking: Forking) -> Iterator[tuple[int, list[HostError]]]:
    """A call that lasts: it waits for a change that never comes. Gives its process, and how it failed."""
    process, failures = process_of(forking), list[HostError]()
    looked_at = ("", "", "", "", "", "5")
    was = LocalHost().call("service", "look", *looked_at)

    def call() -> None:
        try:
            LocalHost().call("service", "changed", *looked_at, json.dumps(was), "600", timeout=600)
        except HostError as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    (called,) = wait_until(lambda: calls_of(process), "the call has begun", every=0.01)
    yield called, failures
    with suppress(ProcessLookupError):
        os.kill(called, signal.SIGKILL)
    thread.join(60)


def test_calls_are_forks_of_one_process(forking: Forking) -> None:
    process = process_of(forking)
    for _ in range(3):
        assert LocalHost().call("system", "space", "/")["free"] > 0
    assert process == process_of(forking)


def test_one_that_was_killed_between_two_calls_is_replaced(forking: Forking) -> None:
    before = process_of(forking)
    os.kill(before, signal.SIGKILL)
    os.waitid(os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert process_of(forking) != before


def test_one_that_stands_still_is_an_error_and_the_next_call_has_another(
    forking: Forking, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = process_of(forking)
    os.kill(before, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(local_forks, "BEGIN_SECONDS", 0.5)
        with pytest.raises(HostError, match=r"the shipped program \(system space\) could not be started \(timed out\)"):
            LocalHost().call("system", "space", "/")
    assert gone(before)
    assert process_of(forking) != before


def test_a_call_is_a_group_of_its_own_with_nothing_open_but_its_three_files(
    lasting: tuple[int, list[HostError]],
) -> None:
    called, _failures = lasting
    assert os.getpgid(called) == called
    assert os.getsid(called) == called
    assert open_in(called) == ["0", "1", "2"]


def test_when_it_is_killed_the_calls_under_way_are_killed_and_fail(
    forking: Forking, lasting: tuple[int, list[HostError]]
) -> None:
    """Nobody could see their ends; what goes on unseen might meet what is done next."""
    called, failures = lasting
    os.kill(process_of(forking), signal.SIGKILL)
    assert gone(called, 60)
    wait_until(lambda: failures, "the call has failed", every=0.01)
    assert ["the shipped program (service changed) on local was killed by signal 9"] == [
        failure.message for failure in failures
    ]


def test_a_call_that_is_killed_fails(lasting: tuple[int, list[HostError]]) -> None:
    called, failures = lasting
    os.kill(called, signal.SIGTERM)
    wait_until(lambda: failures, "the call has failed", every=0.01)
    assert isinstance(failures[0], CommandError)
    assert failures[0].code == -signal.SIGTERM


def test_a_call_that_takes_too_long_is_killed(forking: Forking) -> None:
    process = process_of(forking)
    looked_at = ("", "", "", "", "", "5")
    was = LocalHost().call("service", "look", *looked_at)
    with pytest.raises(CommandError, match=r"\(service changed\) on local did not end within 1 s; it was killed"):
        LocalHost().call("service", "changed", *looked_at, json.dumps(was), "600", timeout=1)
    wait_until(lambda: not descendants(process), "what was called is gone", every=0.01)


def unread(forking: Forking) -> int:
    """How much of what was sent to the process that forks it has not taken."""
    assert forking._running is not None
    return int.from_bytes(fcntl.ioctl(forking._running[0], termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def test_a_call_that_it_had_not_begun_when_it_was_killed_is_made_by_another(forking: Forking) -> None:
    """The call waited to be taken, so nothing of it was done."""
    before = process_of(forking)
    os.kill(before, signal.SIGSTOP)
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(LocalHost().call("system", "space", "/")["free"]))
    thread.start()
    # What it has sent waits in the stopped one's socket.
    wait_until(lambda: unread(forking), "the call waits to be taken", every=0.01)
    os.kill(before, signal.SIGKILL)
    thread.join(60)
    assert 1 == len(found)
    assert process_of(forking) != before


def test_it_ends_with_the_process_that_calls(tmp_path: Path) -> None:
    """However that ends; a fork of that process has one of its own, which ends with it, too."""
    program = f"""
import os, sys, time
from pathlib import Path
from recovery.hosts import local
def number():
    local.LocalHost().call("system", "space", "/")
    return str(local.FORKING._running[1].pid)
first = number()
if os.fork() == 0:
    Path({str(tmp_path)!r}, "fork").write_text(number())
    os._exit(0)
os.wait()
Path({str(tmp_path)!r}, "own").write_text(first)
if sys.argv[1] == "wait":
    time.sleep(600)
"""
    for end in ("exit", "wait"):
        process = subprocess.Popen([sys.executable, "-c", program, end], cwd=PROJECT)
        own = int(wait_for(tmp_path / "own"))
        forked = int((tmp_path / "fork").read_text())
        assert own != forked
        assert gone(forked)
        if end == "wait":
            assert not gone(own, 0.2)
            process.kill()
        process.wait(60)
        assert gone(own)
        (tmp_path / "own").unlink()


def test_a_call_has_the_environment_and_the_directory_of_its_caller(
    forking: Forking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = process_of(forking)
    (tmp_path / "di-sini").mkdir()
    with pytest.raises(SourceMissingError):
        LocalHost().call("system", "space", "di-sini")
    monkeypatch.chdir(tmp_path)
    assert LocalHost().call("system", "space", "di-sini")
    assert process == process_of(forking)
    assert b"LC_ALL=C.UTF-8\0" == Path(f"/proc/{process}/environ").read_bytes()


def test_a_name_that_no_program_could_be_given_is_refused(forking: Forking) -> None:
    with pytest.raises(HostError, match=r"could not be started \(embedded null byte\)"):
        LocalHost().call("system", "space", "/\0")


def test_many_threads_call_at_once(forking: Forking) -> None:
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(LocalHost().call("system", "space", "/")["free"]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 20
