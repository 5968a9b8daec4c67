"""The database servers of the benchmarks, with the settings of production, and what an administrator types for each."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed.mariadb import run_mariadb
from tests.testbed.postgresql import run_postgresql

DATABASE = "simpel"
POSTGRESQL = ("fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=256MB", "max_wal_size=4GB")
# Debian's settings and the server's defaults; only the sizes are what an administrator raises.
MARIADB = (
    "innodb-flush-log-at-trx-commit=1",
    "innodb-flush-method=O_DIRECT",
    "innodb-doublewrite=1",
    "sync-frm=1",
    "innodb-buffer-pool-size=1G",
    "innodb-log-file-size=512M",
    "character-set-server=utf8mb4",
)


@dataclass(frozen=True)
class Engine:
    """A running server with an empty database, and the shell's words for it."""

    kind: str
    # As the inventory names them.
    server: str
    user: str
    # The SQLAlchemy URL of the database.
    url: str
    # The file whose first line is the number of the server's process.
    pid_file: Path
    # Commands: dump to stdout, make the database anew and empty, load from stdin.
    dump: str
    anew: str
    load: str
    # The part of borgmatic's configuration that is about the database.
    borgmatic: dict[str, list[dict[str, str]]]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def dump_program(self) -> str:
        """The program that dumps, by name."""
        return self.dump.split()[0]

    @property
    def pid(self) -> int:
        """The server's process."""
        return int(self.pid_file.read_text().split("\n")[0])


@contextmanager
def postgresql() -> Iterator[Engine]:
    """Lend a PostgreSQL server."""
    with run_postgresql(*POSTGRESQL) as server:
        server.execute(f"CREATE DATABASE {DATABASE}")
        # The socket's directory comes from the environment: as a host's name borgmatic would make a path of it.
        place = {"name": DATABASE, "username": server.user}
        yield Engine(
            kind="postgresql",
            server=str(server.directory),
            user=server.user,
            url=server.url(DATABASE),
            pid_file=server.directory / "data" / "postmaster.pid",
            dump="pg_dump -Fc -Z0",
            anew=f"dropdb --force {DATABASE} && createdb {DATABASE}",
            load=f"pg_restore --exit-on-error --dbname={DATABASE}",
            borgmatic={"postgresql_databases": [{**place, "format": "custom", "options": "--compress=0"}]},
            environment={"PGHOST": str(server.directory), "PGUSER": server.user, "PGDATABASE": DATABASE},
        )


@contextmanager
def mariadb() -> Iterator[Engine]:
    """Lend a MariaDB server."""
    with run_mariadb(*MARIADB) as server:
        server.execute(f"CREATE DATABASE {DATABASE}")
        socket = f"--socket={server.socket}"
        place = f"--no-defaults {socket} --user={server.user}"
        consistent = "--single-transaction --quick"
        account = {"name": DATABASE, "username": server.user}
        # A client that is told no host takes the socket; borgmatic hands these options on.
        options = {"options": f"{socket} {consistent}", "restore_options": socket}
        yield Engine(
            kind="mariadb",
            server=str(server.socket),
            user=server.user,
            url=f"mariadb+pymysql://{server.user}@/{DATABASE}?unix_socket={server.socket}&charset=utf8mb4",
            pid_file=server.directory / "pid",
            dump=f"mariadb-dump {place} {consistent} {DATABASE}",
            anew=f"mariadb {place} --execute='DROP DATABASE {DATABASE}; CREATE DATABASE {DATABASE}'",
            load=f"mariadb {place} --binary-mode --database={DATABASE}",
            borgmatic={"mariadb_databases": [{**account, **options}]},
        )


RUN: dict[str, Callable[[], AbstractContextManager[Engine]]] = {"postgresql": postgresql, "mariadb": mariadb}
# The MiB that are measured when nobody says otherwise.
SIZES = {"postgresql": [100, 2048], "mariadb": [100, 1024]}
