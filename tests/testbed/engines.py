"""Database servers that tests may kill and start again: one class per engine, so that one test is for all of them.

Each server lies in a directory of its own; killed, it leaves its data as a power cut would, and started it recovers.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.testbed import mariadb, postgresql
from tests.testbed.family import descendants

START_SECONDS = 60
TABLE = "pegawai"


class EngineServer(Protocol):
    """A server of one engine."""

    kind: str
    directory: Path

    def start(self) -> None:
        """Start it, as an init system does after a crash too, and return when it answers."""

    def kill(self) -> None:
        """SIGKILL every process of it; return when they are gone."""

    def make(self, database: str) -> None:
        """Make a database with the table `pegawai` of 200 rows, an index, a view and a trigger."""

    def fill(self, database: str, number: int) -> None:
        """Put so many more rows, of about a hundred bytes each, into `pegawai`."""

    def component(self, database: str) -> dict[str, Any]:
        """Return what the inventory says about a database, without the component's name."""

    def rows(self, database: str) -> list[tuple[Any, ...]]:
        """Return the rows of `pegawai` in a database, a closed one included."""

    def damage(self, database: str) -> None:
        """Destroy half of the rows and change the others."""

    def databases(self) -> dict[str, bool]:
        """Return the databases that are not the server's own, and whether one can connect to each."""

    def remove(self) -> None:
        """Kill it and remove its directory."""


class PostgresqlServer:
    """A PostgreSQL server. It is killed with whoever started it."""

    kind = "postgresql"

    def __init__(self, directory: Path | None = None) -> None:
        # A server that exists already is taken up by its directory, in another process as well.
        self._process: subprocess.Popen[bytes] | None = None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="pulih-engine-"))
        self.user = "postgres" if os.geteuid() == 0 else postgresql.getpass.getuser()
        if directory is None:
            if os.geteuid() == 0:
                shutil.chown(self.directory, self.user, self.user)
            options = ["--no-sync", "--auth=trust", f"--username={self.user}", "--encoding=UTF8", "--locale=C.UTF-8"]
            programs = postgresql._programs()
            command = [str(programs / "initdb"), f"--pgdata={self.directory / 'data'}", "--wal-segsize=1", *options]
            postgresql._run(command, self.user, self.directory)

    def start(self) -> None:
        """See EngineServer.start."""
        command = [str(postgresql._programs() / "postgres"), "-D", str(self.directory / "data")]
        # What was committed must survive the death of the server's processes; of the machine it need not.
        durable = ("synchronous_commit=on", "listen_addresses=", f"unix_socket_directories={self.directory}")
        for setting in (*postgresql.FAST, *durable):
            command += ["-c", setting]
        if self._process is not None:
            # The next server takes a zombie's number for a server that runs.
            self._process.wait(START_SECONDS)
        with (self.directory / "log").open("ab") as log:
            self._process = server = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                preexec_fn=_die_with_parent,
                **postgresql._as_user(self.user),  # type: ignore[call-overload]
            )
        _wait(lambda: self._answers(server), "the PostgreSQL server answers")

    def kill(self) -> None:
        """See EngineServer.kill."""
        kill_tree(self._pid())

    def make(self, database: str) -> None:
        """See EngineServer.make."""
        self._execute(f'CREATE DATABASE "{database}"')
        self._execute(
            """
            CREATE TABLE pegawai (id serial PRIMARY KEY, nama text NOT NULL, gaji integer);
            INSERT INTO pegawai (nama, gaji) SELECT 'Pegawai ' || n, n * 1000 FROM generate_series(1, 200) n;
            CREATE INDEX pegawai_nama ON pegawai (nama);
            CREATE VIEW bergaji AS SELECT nama FROM pegawai WHERE gaji > 0;
            CREATE FUNCTION menolak() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'dikunci'; END $$;
            CREATE TRIGGER dikunci BEFORE TRUNCATE ON pegawai EXECUTE FUNCTION menolak();
            """,
            database,
        )

    def fill(self, database: str, number: int) -> None:
        """See EngineServer.fill."""
        rows = f"SELECT repeat(md5(n::text), 3), n FROM generate_series(1, {number}) n"
        self._execute(f"INSERT INTO pegawai (nama, gaji) {rows}", database)

    def component(self, database: str) -> dict[str, Any]:
        """See EngineServer.component."""
        return {"kind": self.kind, "database": database, "server": str(self.directory), "user": self.user}

    def rows(self, database: str) -> list[tuple[Any, ...]]:
        """See EngineServer.rows."""
        closed = self.databases().get(database) is False
        if closed:
            self._execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')
        try:
            return self._execute("SELECT * FROM pegawai ORDER BY id", database)
        finally:
            if closed:
                self._execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')

    def damage(self, database: str) -> None:
        """See EngineServer.damage."""
        self._execute("DELETE FROM pegawai WHERE id % 2 = 0; UPDATE pegawai SET nama = 'rusak'", database)

    def databases(self) -> dict[str, bool]:
        """See EngineServer.databases."""
        found = self._execute("SELECT datname, datallowconn FROM pg_database WHERE oid >= 16384")
        return {name: bool(opened) for name, opened in found}

    def remove(self) -> None:
        """See EngineServer.remove."""
        self.kill()
        shutil.rmtree(self.directory)

    def _execute(self, statements: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        import psycopg

        place = {"host": str(self.directory), "user": self.user, "dbname": database}
        with closing(psycopg.connect(**place, autocommit=True)) as connection:  # type: ignore[arg-type]
            cursor = connection.execute(statements.encode())
            return cursor.fetchall() if cursor.description else []

    def _answers(self, server: "subprocess.Popen[bytes]") -> bool:
        import psycopg

        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {(self.directory / 'log').read_text()[-2000:]}")
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _pid(self) -> int:
        return _pid_of(self.directory / "data" / "postmaster.pid", self.directory)


class MariadbServer:
    """A MariaDB server. It is killed with whoever started it."""

    kind = "mariadb"

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="pulih-engine-"))
        shutil.copytree(mariadb._initialised(), self.directory / "data")
        mariadb._give_away(self.directory)
        # What was committed must survive the death of the server's processes.
        self._server = mariadb.MariaDBServer(self.directory, ("innodb-flush-log-at-trx-commit=1",))

    def start(self) -> None:
        """See EngineServer.start."""
        if self._server._process is not None:
            self._server._process.wait(START_SECONDS)
        self._server.start()

    def kill(self) -> None:
        """See EngineServer.kill."""
        kill_tree(_pid_of(self.directory / "pid", self.directory))

    def make(self, database: str) -> None:
        """See EngineServer.make."""
        self._server.execute(f"CREATE DATABASE `{database}`")
        self._server.execute(
            """
            CREATE TABLE pegawai (id int AUTO_INCREMENT PRIMARY KEY, nama varchar(120) NOT NULL, gaji int, KEY (nama));
            INSERT INTO pegawai (nama, gaji) SELECT CONCAT('Pegawai ', seq), seq * 1000 FROM seq_1_to_200;
            CREATE VIEW bergaji AS SELECT nama FROM pegawai WHERE gaji > 0;
            CREATE TABLE catatan (isi varchar(120));
            CREATE TRIGGER dicatat AFTER DELETE ON pegawai FOR EACH ROW INSERT INTO catatan VALUES (OLD.nama);
            """,
            database,
        )

    def fill(self, database: str, number: int) -> None:
        """See EngineServer.fill."""
        rows = f"SELECT REPEAT(MD5(seq), 3), seq FROM seq_1_to_{number}"
        self._server.execute(f"INSERT INTO pegawai (nama, gaji) {rows}", database)

    def component(self, database: str) -> dict[str, Any]:
        """See EngineServer.component."""
        return {"kind": self.kind, "database": database, "server": str(self._server.socket), "user": "root"}

    def rows(self, database: str) -> list[tuple[Any, ...]]:
        """See EngineServer.rows."""
        return self._server.rows(f"SELECT * FROM `{database}`.pegawai ORDER BY id")

    def damage(self, database: str) -> None:
        """See EngineServer.damage."""
        self._server.execute("DELETE FROM pegawai WHERE id % 2 = 0; UPDATE pegawai SET nama = 'rusak'", database)

    def databases(self) -> dict[str, bool]:
        """See EngineServer.databases; here all are open."""
        own = ("information_schema", "mysql", "performance_schema", "sys")
        return {name: True for (name,) in self._server.rows("SHOW DATABASES") if name not in own}

    def remove(self) -> None:
        """See EngineServer.remove."""
        self.kill()
        shutil.rmtree(self.directory)


ENGINES: dict[str, Callable[..., EngineServer]] = {"postgresql": PostgresqlServer, "mariadb": MariadbServer}


def first_every_time() -> list[Any]:
    """All engines as parameters of tests that cost a server and whole procedures: `make test` takes the first alone."""
    first, *others = ENGINES
    return [first, *(pytest.param(name, marks=pytest.mark.endurance) for name in others)]


def _pid_of(file: Path, directory: Path) -> int:
    """The process that a server's file names, 0 when it is gone."""
    try:
        pid = int(file.read_text().split("\n")[0])
        # A killed server leaves its file, and the number may be somebody else's by now.
        return pid if str(directory).encode() in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
    except FileNotFoundError:
        return 0


def kill_tree(pid: int) -> None:
    """Given a process, or 0 for none, SIGKILL it and all that it started, and return when they are gone."""
    if not pid or not _lives(pid):
        return
    # Stopped first, so that it starts nobody else meanwhile.
    os.kill(pid, signal.SIGSTOP)
    family = [pid, *descendants(pid)]
    for member in family:
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue
    _wait(lambda: not any(_lives(member) for member in family), f"{family} are gone")


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except FileNotFoundError:
        return False


def _wait(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > give_up_at:
            raise TimeoutError(what)
        time.sleep(0.02)


def _die_with_parent() -> None:
    # A test run that is killed must not leave a server behind (prctl PR_SET_PDEATHSIG).
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
