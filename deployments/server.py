"""A Prefect server and its workers on loopback, as background processes with pid files, logs and health waits.

For the embedded installation, the demonstration and the tests; in production systemd starts the same programs.
"""

import http.client
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery.errors import HostError

logger = logging.getLogger(__name__)

WORK_POOL = "pulih"
# Of its own, so that only its worker needs the credentials that remove.
RETENTION_POOL = "pulih-pemusnahan"
# Nothing leaves the machine, and nobody is sold anything in front of an official.
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_CLI_PROMPT": "false",
}


@dataclass(frozen=True)
class LocalServer:
    """A Prefect server on this machine: where it keeps its files and where it listens."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        """Address of the user interface."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """Address that clients and workers use."""
        return f"{self.url}/api"

    def environment(self) -> dict[str, str]:
        """Return the variables with which a client or a worker reaches this server and no other."""
        return {**QUIET, "PREFECT_HOME": str(self.home), "PREFECT_API_URL": self.api_url}


def start_server(
    home: Path, *, port: int = 0, settings: Mapping[str, str] | None = None, timeout: float = 180
) -> LocalServer:
    """Start a Prefect server whose files lie in `home`, wait until it is healthy, and return it.

    Port 0 means a free one; a server that runs already is returned as it is. `settings` are further PREFECT_ variables.
    Raises HostError, with the end of its log, when it does not become healthy in time.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = running_server(home)
    if running:
        return running
    server = LocalServer(home, port or _free_port())
    environment = {
        **_clean_environment(),
        **server.environment(),
        "PREFECT_SERVER_UI_API_URL": server.api_url,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        **(settings or {}),
    }
    arguments = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(server.port)]
    process = _launch(home, "server", arguments, environment, {"port": str(server.port)})
    _wait(lambda: _healthy(server), process, home, "server", timeout)
    logger.info("Prefect server is healthy at %s", server.url)
    return server


def start_worker(
    server: LocalServer,
    *,
    name: str = "pekerja",
    pool: str = WORK_POOL,
    query_seconds: float = 2,
    environment: Mapping[str, str] | None = None,
    timeout: float = 180,
) -> None:
    """Start a process worker of a work pool and wait until the server has heard from it.

    `environment` are further variables for the worker and the runs that it starts. A worker of this name that runs
    already is left alone. Raises HostError, with the end of its log, when it does not report in time, and when another
    account keeps it from working here.
    """
    kind = f"worker-{name}"
    if _running(server.home, kind):
        return
    _share_runner_storage()
    variables = {
        **_clean_environment(),
        **server.environment(),
        "PREFECT_WORKER_QUERY_SECONDS": str(query_seconds),
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "5",
        **(environment or {}),
    }
    # The name carries a token, so that the heartbeat of a worker that died a moment ago is not taken for this one's.
    title = f"{name}-{secrets.token_hex(3)}"
    arguments = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    arguments += ["--name", title, "--install-policy", "never"]
    process = _launch(server.home, kind, arguments, variables, {"name": title})
    _wait(lambda: _worker_reported(server, pool, title), process, server.home, kind, timeout)
    logger.info("Prefect worker %s is online", title)


def _share_runner_storage() -> None:
    """Let workers of several accounts run on one machine: Prefect keeps the files of all of them in one directory, and
    whoever comes first would have it for himself. Each makes a directory of his own in it, which is nobody else's."""
    directory = Path(tempfile.gettempdir()) / "runner_storage"
    directory.mkdir(exist_ok=True)
    # Of what a link of that name leads to, nobody is to give away what is ours.
    if directory.lstat().st_uid == os.geteuid():
        directory.chmod(0o1777)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise HostError(
            f"{directory} belongs to another account, and Prefect's worker needs to write there",
            state="no worker was started",
            hint=f"sudo chmod 1777 {directory}, or let its owner remove it",
        )


def running_server(home: Path) -> LocalServer | None:
    """Given a home, return the server that runs there, or None."""
    record = _running(home, "server")
    return LocalServer(home, int(record["port"])) if record else None


def stop(home: Path, *, timeout: float = 30) -> list[str]:
    """Stop every worker and the server of this home, workers first; return what was stopped.

    Only processes that this home's pid files name are touched, and only while they are still the same processes.
    """
    stopped = []
    for path in sorted(home.glob("*.pid"), reverse=True):  # "worker-…" before "server": runs end before their server
        record = _running(home, path.stem)
        if record:
            _end(int(record["pid"]), record["started"], timeout)
            stopped.append(path.stem)
        path.unlink(missing_ok=True)
    return stopped


def log_of(home: Path, kind: str = "server") -> Path:
    """Given a home and "server" or "worker-<name>", return the path of its log."""
    return home / f"{kind}.log"


def _launch(
    home: Path, kind: str, arguments: list[str], environment: dict[str, str], facts: dict[str, str]
) -> subprocess.Popen[bytes]:
    # The working directory is the home: Prefect also reads a .env file where it starts.
    with log_of(home, kind).open("ab") as log:
        process = subprocess.Popen(
            arguments,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    record = {"pid": str(process.pid), "started": _started(process.pid), **facts}
    _pid_file(home, kind).write_text(json.dumps(record), encoding="ascii")
    return process


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], home: Path, kind: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            why = f"ended with status {process.returncode}" if ended else f"was not ready within {timeout:.0f} seconds"
            if not ended:
                _end(process.pid, _started(process.pid), 5)
            _pid_file(home, kind).unlink(missing_ok=True)
            lines = log_of(home, kind).read_text(errors="replace").splitlines()[-15:]
            raise HostError(
                f"the Prefect {kind} {why}:\n" + "\n".join(lines),
                state="it does not run",
                hint=f"read {log_of(home, kind)}",
            )
        time.sleep(0.2)


def _healthy(server: LocalServer) -> bool:
    return _ask(server, "GET", "/api/health") is not None


def _worker_reported(server: LocalServer, pool: str, name: str) -> bool:
    workers = _ask(server, "POST", f"/api/work_pools/{pool}/workers/filter")
    return any(worker["name"] == name for worker in workers or [])


def _ask(server: LocalServer, method: str, path: str) -> Any:
    """Return the JSON that the server answers, or None while it does not answer 200."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request(method, path, body="{}" if method == "POST" else None)
        response = connection.getresponse()
        text = response.read()
        return json.loads(text) if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _running(home: Path, kind: str) -> dict[str, str] | None:
    try:
        record: dict[str, str] = json.loads(_pid_file(home, kind).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None
    # A pid comes round again after a reboot; its start time does not.
    return record if record["started"] == _started(int(record["pid"])) else None


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]


def _end(pid: int, started: str, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    if not started or _started(pid) != started:
        return
    os.kill(pid, signal.SIGTERM)
    while _started(pid) == started and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        # Whatever is left of its session: runs that a worker did not end, or the program itself.
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    while _started(pid) == started:
        if time.monotonic() > deadline + 10:
            raise HostError(f"process {pid} cannot be ended", state="it still runs", hint="look at it with ps")
        time.sleep(0.05)


def _pid_file(home: Path, kind: str) -> Path:
    return home / f"{kind}.pid"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
