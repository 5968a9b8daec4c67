"""However the demonstration is ended, nothing of it is left running: at once, or by who comes next."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.site import Site
from tests.flows.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# `make demo` up to where a story is told, with SIMPEL under its service manager and without Prefect.
STORY = """
import signal, sys
from demo import __main__ as demonstration, running, site, story

def start(place, say, port):
    site.prepare(place)
    running.start_services(place)

def tell(place, server, say):
    say("the story is told")
    while True:
        signal.pause()

demonstration.start, story.tell = start, tell
sys.exit(demonstration.main())
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    place = Site(tmp_path / "kantor")
    yield place
    _down(place)


@pytest.mark.parametrize(
    ("signals", "statuses"),
    [
        ([signal.SIGTERM], {143}),
        ([signal.SIGHUP], {129}),
        # As when somebody logs out; which of them is first is not said.
        ([signal.SIGTERM, signal.SIGHUP], {129, 143}),
    ],
    ids=["kill", "a closed terminal", "both"],
)
def test_a_demonstration_that_is_told_to_end_stops_what_it_has_started(
    site: Site, signals: list[signal.Signals], statuses: set[int]
) -> None:
    """As Ctrl-C does."""
    with _story(site) as story:
        for each in signals:
            story.send_signal(each)
        assert story.wait(60) in statuses
    assert not _answers(site)
    assert not site.service_manager_pid.exists()


def test_under_nohup_a_closed_terminal_ends_nothing(site: Site) -> None:
    """Somebody wanted it to go on."""
    with _story(site, lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as story:
        story.send_signal(signal.SIGHUP)
        story.send_signal(signal.SIGTERM)
        assert 143 == story.wait(60)


def test_what_a_killed_demonstration_left_is_stopped_by_make_down_and_by_the_next_one(site: Site) -> None:
    """Nothing can be done in a process that is killed."""
    with _story(site) as story:
        story.kill()
    assert _answers(site)
    assert "supervisord" in _down(site)
    assert not _answers(site)

    with _story(site) as story:
        story.kill()
    left = int(site.service_manager_pid.read_text())
    with _story(site) as story:
        assert left != int(site.service_manager_pid.read_text())
        wait_until(lambda: not _runs(left), "the service manager of the one before has ended", every=0.05)


@contextmanager
def _story(site: Site, prepare: Callable[[], object] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """A demonstration whose story is being told."""
    command = [sys.executable, "-c", STORY, "story", "--directory", str(site.root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=prepare) as process:
        try:
            assert process.stdout is not None
            assert any("the story is told" in line for line in process.stdout), "it has ended"
            wait_until(lambda: _answers(site), "SIMPEL answers", every=0.05)
            yield process
        finally:
            process.terminate()


def _runs(pid: int) -> bool:
    try:
        # Of a process that has ended, and that nobody has asked after, this is empty.
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def _answers(site: Site) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", site.simpel_port)) == 0


def _down(site: Site) -> str:
    command = [sys.executable, "-m", "demo", "down", "--directory", str(site.root)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
