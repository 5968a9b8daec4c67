"""Services under a real supervisord and under plain commands: judged by what they do."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import ConfigurationError, ServiceError
from recovery.hosts.base import Argument, out_of_time
from recovery.hosts.local import LocalHost
from recovery.hosts.services import open_service
from recovery.settings import ServiceSettings

HOST = LocalHost()
PROGRAM = Path(__file__).with_name("fake_service.py")
SUPERVISORD = Path(sys.executable).with_name("supervisord")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def look(port: int, url: str = "") -> dict[str, Any]:
    """What the shipped program sees of a service."""
    return HOST.call("service", "look", str(port), url, "", "", "", "0.3")


class Supervised:
    """A supervisord with four programs: simpel, tuli (ignores SIGTERM), gagal (fails at once), selesai (ends well)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.deaf_port = free_port(), free_port()
        self.status = directory / "status"
        self.status.write_text("200")
        self.configuration = directory / "supervisord.conf"
        run = f"{sys.executable} -S {PROGRAM}"
        self.configuration.write_text(f"""
[unix_http_server]
file={directory}/s
[supervisord]
nodaemon=true
pidfile={directory}/pid
logfile={directory}/log
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{directory}/s
[program:simpel]
command={run} {self.port} {self.status}
autostart=false
startsecs=0
[program:tuli]
command={run} {self.deaf_port} {self.status} deaf
autostart=false
startsecs=0
stopwaitsecs=600
[program:selesai]
command=/bin/true
autostart=false
autorestart=false
startsecs=0
[program:gagal]
command=/bin/false
autostart=false
startretries=0
startsecs=1
""")
        self.daemon = subprocess.Popen(
            [SUPERVISORD, "-c", self.configuration], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(lambda: (directory / "s").exists())

    def service(self, program: str = "simpel", **changes):
        port = self.deaf_port if program == "tuli" else self.port
        settings = {
            "name": "web",
            "kind": "supervisor",
            "program": program,
            "configuration": str(self.configuration),
            "health_url": f"http://127.0.0.1:{port}/sehat",
            "port": port,
            "stop_timeout": 60,
            "start_timeout": 60,
        }
        return open_service(HOST, ServiceSettings(**{**settings, **changes}))

    def control(self, *arguments: str) -> str:
        command = [Path(sys.executable).with_name("supervisorctl"), "-c", self.configuration, *arguments]
        return subprocess.run(command, capture_output=True, text=True).stdout

    def end(self) -> None:
        for program in ("tuli", "simpel"):
            self.control("signal", "KILL", program)
        self.daemon.terminate()
        self.daemon.wait()


@pytest.fixture(scope="module")
def shared_supervised():
    # Not in pytest's directory: the path of a socket may have 107 characters only.
    directory = Path(tempfile.mkdtemp(prefix="s"))
    supervised = Supervised(directory)
    yield supervised
    supervised.end()
    shutil.rmtree(directory)


@pytest.fixture
def supervised(shared_supervised):
    shared_supervised.status.write_text("200")
    yield shared_supervised
    shared_supervised.control("stop", "simpel")


def test_a_service_is_started_and_stopped_with_evidence(supervised):
    service = supervised.service()
    started = service.start()
    assert tuple(started[key] for key in ("service", "state", "port", "health")) == ("web", "running", "open", "200")
    assert service.state() == "running"
    assert service.healthy()
    stopped = service.stop()
    assert tuple(stopped[key] for key in ("state", "port", "health")) == ("stopped", "closed", "Connection refused")
    assert type(stopped["seconds"]) is int
    assert service.state() == "stopped"
    assert not service.healthy()
    assert service.prove_down()["port"] == "closed"


def test_starting_what_runs_and_stopping_what_is_down_change_nothing(supervised):
    service = supervised.service()
    assert service.stop()["state"] == "stopped"
    service.start()
    pid = supervised.control("pid", "simpel")
    assert service.start()["state"] == "running"
    assert pid == supervised.control("pid", "simpel")


def test_a_running_service_is_not_proven_down(supervised):
    supervised.service().start()
    with pytest.raises(ServiceError, match=r"web is not down \(manager: running, port: open, health: 200\)"):
        supervised.service().prove_down()


@pytest.mark.slow
def test_a_service_that_ignores_the_stop_is_an_error_within_its_time(supervised):
    supervised.service("tuli").start()
    begun = time.monotonic()
    with pytest.raises(
        ServiceError, match=r"web is not down after 3 s \(manager: stopping, port: open, health: 200"
    ) as caught:
        supervised.service("tuli", stop_timeout=3).stop()
    assert time.monotonic() - begun < 300
    assert caught.value.state == "the service may be running or not"
    supervised.control("signal", "KILL", "tuli")
    wait_until(lambda: supervised.service("tuli").state() == "stopped")


def test_a_service_that_does_not_come_up_is_an_error(supervised):
    with pytest.raises(
        ServiceError, match=r"web is not healthy after 1 s \(manager: (stopped|backoff|starting), port: closed"
    ):
        supervised.service("gagal", start_timeout=1).start()


def test_a_service_that_answers_500_is_not_healthy(supervised):
    supervised.service().start()  # so that on a busy machine, too, it answers within the time below
    supervised.status.write_text("500")
    service = supervised.service(start_timeout=2)
    with pytest.raises(ServiceError, match=r"web is not healthy after 2 s \(manager: running, port: open, health: 500"):
        service.start()
    assert not service.healthy()
    assert service.state() == "running"


def test_a_program_that_ended_by_itself_is_stopped_when_nobody_starts_it_again(supervised):
    """For a second it may be between an end and its restart; then it counts."""
    supervised.control("start", "selesai")
    wait_until(lambda: "EXITED" in supervised.control("status", "selesai"))
    assert "stopped" == supervised.service("selesai").prove_down()["state"]


def test_a_redirect_is_not_health(supervised):
    service = supervised.service()
    service.start()
    supervised.status.write_text("302")
    assert not service.healthy()


def test_the_manager_is_not_believed_while_something_else_serves_the_port(supervised):
    stray = subprocess.Popen([sys.executable, "-S", PROGRAM, str(supervised.port), supervised.status])
    try:
        wait_until(lambda: look(supervised.port)["port"] == "open")
        with pytest.raises(ServiceError, match=r"not down after 0\.5 s \(manager: stopped, port: open, health: 200"):
            supervised.service(stop_timeout=0.5).stop()
    finally:
        stray.kill()
        stray.wait()


def test_a_program_that_supervisord_does_not_know_is_no_stopped_service(supervised):
    with pytest.raises(ServiceError, match="supervisord cannot tell the state of lain"):
        supervised.service("lain").prove_down()


def test_an_absent_supervisord_is_no_proof_of_a_stopped_service(tmp_path):
    configuration = tmp_path / "supervisord.conf"
    configuration.write_text(f"[supervisorctl]\nserverurl=unix://{tmp_path}/tidak-ada\n")
    settings = ServiceSettings(name="web", kind="supervisor", program="simpel", configuration=str(configuration))
    with pytest.raises(ServiceError, match="supervisord cannot tell the state of simpel"):
        open_service(HOST, settings).prove_down()


class Commanded:
    """A service that commands start in the background and stop by its pid."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.status = directory / "status"
        self.status.write_text("200")
        self.pid = directory / "pid"
        run = f"{sys.executable} -S {PROGRAM} {self.port} {self.status}"
        self.start = ["sh", "-c", f"{run} & echo $! > {self.pid}"]
        self.stop = ["sh", "-c", f"kill $(cat {self.pid})"]

    def service(self, **changes):
        settings = {
            "name": "web",
            "kind": "command",
            "start": self.start,
            "stop": self.stop,
            "health_url": f"http://127.0.0.1:{self.port}/",
            "port": self.port,
            "stop_timeout": 60,
            "start_timeout": 60,
        }
        return open_service(HOST, ServiceSettings(**{**settings, **changes}))


@pytest.fixture
def commanded(tmp_path):
    commanded = Commanded(tmp_path)
    yield commanded
    # By its name: its number may be somebody else's by now.
    subprocess.run(["pkill", "--signal", "KILL", "--full", f"{PROGRAM} {commanded.port} "], check=False)


def test_a_service_of_commands_is_started_and_stopped(commanded):
    service = commanded.service()
    assert tuple(service.start()[key] for key in ("state", "port", "health")) == ("unknown", "open", "200")
    assert tuple(service.stop()[key] for key in ("state", "port")) == ("unknown", "closed")


def test_a_stop_command_that_returns_0_and_does_nothing_is_an_error(commanded):
    commanded.service().start()
    with pytest.raises(ServiceError, match=r"web is not down after 1 s \(port: open, health: 200\)"):
        commanded.service(stop=["true"], stop_timeout=1).stop()


def test_a_start_command_that_returns_0_and_does_nothing_is_an_error(commanded):
    with pytest.raises(
        ServiceError, match=r"web is not healthy after 1 s \(port: closed, health: Connection refused\)"
    ):
        commanded.service(start=["true"], start_timeout=1).start()


def test_a_command_that_fails_although_the_service_obeys_does_not_count(commanded):
    service = commanded.service(stop=["sh", "-c", f"kill $(cat {commanded.pid}); exit 1"])
    service.start()
    assert service.stop()["port"] == "closed"


def test_what_a_failing_command_says_is_told(commanded):
    with pytest.raises(ServiceError, match="its manager said: sh on local ended with status 1: izin ditolak"):
        commanded.service(start=["sh", "-c", "echo izin ditolak >&2; exit 1"], start_timeout=2).start()


def test_a_start_command_that_hangs_is_ended_with_its_time(commanded):
    with pytest.raises(ServiceError, match=r"its manager said: sleep on local did not end within 0\.5 s"):
        commanded.service(start=["sleep", "600"], start_timeout=0.5).start()


def test_a_port_that_accepts_but_never_answers_is_neither_healthy_nor_down(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        settings = ServiceSettings(name="web", kind="command", start=["true"], stop=["true"], port=port)
        service = open_service(HOST, settings)
        assert service.state() == "running"
        assert look(port, f"http://127.0.0.1:{port}/")["health"]["status"] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "supervisor", "program": "web"}, "lacks its program or the absolute path"),
        ({"kind": "command", "port": 80}, "lacks its start or stop command"),
        ({"kind": "command", "start": ["a"], "stop": ["b"]}, "nothing tells whether the service web is down"),
    ],
)
def test_settings_that_cannot_prove_anything_are_refused(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        open_service(HOST, ServiceSettings(name="web", **settings))


class FakeSlowHost(LocalHost):
    """Some looks, counted from the first, take longer than they may."""

    def __init__(self, *slow: int) -> None:
        super().__init__("mesin")
        self.slow, self.looks = slow, 0

    def call(self, *arguments: Argument, timeout: float = 60) -> dict[str, Any]:
        self.looks += 1
        if self.looks in self.slow:
            raise out_of_time(self.name, self.helper(*arguments), timeout, b"")
        return super().call(*arguments, timeout=timeout)


def test_a_look_that_takes_too_long_is_followed_by_another_one():
    """A machine that is starting a service may be busy; as long as there is time, that says nothing."""
    port = free_port()
    start = [sys.executable, "-c", f"import socket, time; s = socket.create_server(('', {port})); time.sleep(60)"]
    daemon = ["sh", "-c", '"$@" >/dev/null 2>&1 & echo $!', "sh", *start]
    pids: list[int] = []

    class Host(FakeSlowHost):
        def run(self, argv, **options):
            completed = super().run(argv, **options)
            if list(argv) == daemon:
                pids.append(int(completed.stdout))
            return completed

    settings = {"name": "web", "kind": "command", "start": daemon, "stop": ["true"], "port": port, "start_timeout": 10}
    service = open_service(Host(2, 3), ServiceSettings.model_validate(settings))
    try:
        assert service.start()["port"] == "open"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def test_looks_that_take_too_long_until_the_time_is_over_are_an_error_of_the_service():
    """Not of a command: whoever starts a service on new data then puts the old data back."""
    settings = {"name": "web", "kind": "command", "start": ["true"], "stop": ["true"], "port": free_port()}
    service = open_service(
        FakeSlowHost(*range(2, 1000)), ServiceSettings.model_validate({**settings, "start_timeout": 0.3})
    )
    with pytest.raises(
        ServiceError, match=r"web is not healthy after 0\.3 s \(the shipped program .* did not end within"
    ):
        service.start()
