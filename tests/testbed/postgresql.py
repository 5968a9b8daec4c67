"""A private PostgreSQL server for tests: in a directory of its own, on a unix socket alone, gone when the test ends."""

import ctypes
import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Where Debian and Ubuntu keep each release: 15 on Debian 12, 16 on Ubuntu 24.04.
RELEASES = Path("/usr/lib/postgresql")
ADMINISTRATOR = "postgres"
START_SECONDS = 60

# Nothing here outlives the test, so nothing needs to survive a power cut.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60")


class PostgreSQLServer:
    """A running server; every database in it is reached by url()."""

    def __init__(self, directory: Path, user: str) -> None:
        self.directory = directory
        self.user = user

    def url(self, database: str) -> str:
        """Given a database's name, return its SQLAlchemy URL."""
        return f"postgresql+psycopg://{self.user}@/{database}?host={self.directory}"

    def execute(self, statements: str, database: str = "postgres") -> None:
        """Given SQL and a database, run it as the server's administrator, outside a transaction."""
        import psycopg

        with psycopg.connect(host=str(self.directory), user=self.user, dbname=database, autocommit=True) as connection:
            connection.execute(statements.encode())


@contextmanager
def run_postgresql(*settings: str, made_with: tuple[str, ...] = ()) -> Iterator[PostgreSQLServer]:
    """Start a server, with more settings ("name=value") and options of initdb, and yield it.

    Raises RuntimeError naming Debian's package when PostgreSQL is not there.
    """
    programs = _programs()
    # PostgreSQL refuses to run as root. Inside, its administrator has one name whoever runs the tests.
    account = "postgres" if os.geteuid() == 0 else getpass.getuser()
    # Not pytest's directory: a unix socket's path has at most 107 bytes, and root's directories are closed to others.
    directory = Path(tempfile.mkdtemp(prefix="pulih-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, account, account)
        data = directory / "data"
        options = ["--no-sync", "--auth=trust", f"--username={ADMINISTRATOR}", "--encoding=UTF8", "--locale=C.UTF-8"]
        _run([str(programs / "initdb"), f"--pgdata={data}", *options, *made_with], account, directory)
        with _serve(programs, data, directory, account, settings):
            yield PostgreSQLServer(directory, ADMINISTRATOR)
    finally:
        shutil.rmtree(directory)


@contextmanager
def _serve(programs: Path, data: Path, directory: Path, account: str, settings: tuple[str, ...]) -> Iterator[None]:
    command = [str(programs / "postgres"), "-D", str(data), "-k", str(directory), "-c", "listen_addresses="]
    for setting in (*FAST, *settings):
        command += ["-c", setting]
    log = (directory / "log").open("wb")
    with (
        log,
        subprocess.Popen(
            command, stdout=log, stderr=log, cwd=directory, preexec_fn=_die_with_parent, **_as_user(account)
        ) as server,
    ):
        try:
            _wait_until_ready(server, directory)
            yield
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(timeout=START_SECONDS)


def _wait_until_ready(server: "subprocess.Popen[bytes]", directory: Path) -> None:
    import psycopg

    give_up_at = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(directory), user=ADMINISTRATOR, dbname="postgres").close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"PostgreSQL did not start: {(directory / 'log').read_text()}") from None
            time.sleep(0.02)


def _programs() -> Path:
    installed = sorted(RELEASES.glob("*/bin/initdb"), key=lambda program: float(program.parts[-3]), reverse=True)
    found = shutil.which("postgres")
    for directory in [program.parent for program in installed] + ([Path(found).resolve().parent] if found else []):
        if (directory / "postgres").exists() and (directory / "initdb").exists():
            return directory
    raise RuntimeError(
        "these tests need PostgreSQL's server programs, which are not on this machine: install the package postgresql"
    )


def _run(command: list[str], account: str, directory: Path) -> None:
    done = subprocess.run(command, capture_output=True, cwd=directory, check=False, **_as_user(account))
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.decode()}")


def _as_user(account: str) -> dict[str, object]:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    if os.geteuid() != 0:
        return {"env": environment}
    return {"env": environment, "user": account, "group": account, "extra_groups": []}


def _die_with_parent() -> None:
    # A test run that is killed must not leave a server behind (prctl PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
