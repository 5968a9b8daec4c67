"""A private MariaDB server for tests: in a directory of its own, on a unix socket alone, gone when the test ends."""

import ctypes
import fcntl
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
from typing import Any

START_SECONDS = 60
# Nothing here outlives the test, so nothing needs to survive a power cut.
FAST = (
    "skip-networking",
    "innodb-flush-log-at-trx-commit=0",
    "innodb-flush-method=nosync",
    "innodb-buffer-pool-size=64M",
    "innodb-log-file-size=16M",
    "innodb-buffer-pool-dump-at-shutdown=0",
    "sync-frm=0",
    "skip-name-resolve",
)


class MariaDBServer:
    """A running server; its administrator is root, by its socket and without a password."""

    user = "root"

    def __init__(self, directory: Path, settings: tuple[str, ...]) -> None:
        self.directory = directory
        self.socket = directory / "s"
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def execute(self, statements: str, database: str = "") -> None:
        """Given SQL and a database, let the plain client run it, DELIMITER lines included."""
        argv = ["mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--comments"]
        argv += ["--default-character-set=utf8mb4", "--binary-mode"]
        done = subprocess.run([*argv, f"--database={database}"], input=statements.encode(), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()

    def connect(self, database: str | None = None, user: str = "root", password: str = "") -> Any:
        """A connection, each statement on its own."""
        import pymysql

        return pymysql.connect(
            unix_socket=str(self.socket),
            user=user,
            password=password,
            database=database,
            autocommit=True,
            charset="utf8mb4",
        )

    def rows(self, query: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Given a query, return its rows."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        programs = "mariadbd" if shutil.which("mariadbd") else "/usr/sbin/mariadbd"
        argv = [programs, "--no-defaults", f"--datadir={self.directory / 'data'}", f"--socket={self.socket}"]
        # Of its own: a server that starts removes what it takes for left-behind temporary tables.
        argv += [f"--pid-file={self.directory / 'pid'}", f"--tmpdir={self.directory}"]
        argv += [*(f"--{setting}" for setting in (*FAST, *self._settings))]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdout=log, stderr=log, cwd=self.directory, preexec_fn=_die_with_parent, **_as_user()
            )
        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                pass
            except Exception as error:
                import pymysql

                if not isinstance(error, pymysql.err.OperationalError):
                    raise
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"MariaDB did not start: {(self.directory / 'log').read_text()}")
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self.wait_until_dead()

    def wait_until_dead(self) -> None:
        """Wait until the server that somebody kills is gone."""
        assert self._process is not None
        self._process.wait(timeout=START_SECONDS)


@contextmanager
def run_mariadb(*settings: str) -> Iterator[MariaDBServer]:
    """Start a server, with more settings ("name=value"), and yield it.

    Raises RuntimeError naming Debian's package when MariaDB is not there.
    """
    # Not pytest's directory: a unix socket's path has at most 107 bytes, and root's directories are closed to others.
    directory = Path(tempfile.mkdtemp(prefix="pulih-my-"))
    try:
        shutil.copytree(_initialised(), directory / "data")
        _give_away(directory)
        server = MariaDBServer(directory, settings)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(directory)


def _initialised() -> Path:
    """A data directory as it is at first, made once per machine: that takes longer than most tests."""
    install = shutil.which("mariadb-install-db")
    if install is None:
        raise RuntimeError(
            "these tests need MariaDB's server programs, which are not on this machine: "
            "install Debian's package mariadb-server"
        )
    version = subprocess.run([shutil.which("mariadb") or "mariadb", "--version"], capture_output=True, check=True)
    number = version.stdout.decode().partition("-MariaDB")[0].rpartition(" ")[2]
    place = Path(tempfile.gettempdir()) / f"pulih-testbed-mariadb-{number}-{os.geteuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    data = place / "data"
    # Another process of the same test run may make it at this moment.
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not data.exists():
            making = Path(tempfile.mkdtemp(prefix="pulih-my-"))
            _give_away(making)
            argv = [install, "--no-defaults", f"--datadir={making}", "--auth-root-authentication-method=normal"]
            argv += ["--skip-test-db", "--innodb-log-file-size=16M"]
            done = subprocess.run(argv, capture_output=True, cwd="/", **_as_user())
            if done.returncode != 0:
                raise RuntimeError(f"mariadb-install-db failed: {done.stderr.decode()} {done.stdout.decode()}")
            shutil.move(making, data)
    return data


def _give_away(directory: Path) -> None:
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, "mysql", "mysql")


def _as_user() -> dict[str, Any]:
    environment = {"PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin", "LC_ALL": "C.UTF-8"}
    environment["USER"] = "mysql" if os.geteuid() == 0 else getpass.getuser()
    if os.geteuid() != 0:
        return {"env": environment}
    # MariaDB refuses to run as root.
    return {"env": environment, "user": "mysql", "group": "mysql", "extra_groups": []}


def _die_with_parent() -> None:
    # A test run that is killed must not leave a server behind (prctl PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
