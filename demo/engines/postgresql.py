"""SIMPEL's database in a PostgreSQL server of the demonstration's own, with the accounts that docs/postgresql.md names.

It listens on loopback alone, asks everybody for a password, and never runs as root: where the demonstration is root,
the account that Debian's package made has it, in a directory that this account can reach.
"""

import getpass
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.simpel.generate import generate
from demo.site import Site, free_port, write_private
from recovery.errors import ConfigurationError, HostError
from recovery.hosts.program_error import ProgramError
from recovery.hosts.program_postgresql_client import program

START_SECONDS = 60
ADMINISTRATOR = "postgres"
# Root starts no database server; its own directories are closed to the account that does.
ACCOUNT = "postgres"
PLACE_FOR_ROOT = "/var/tmp"  # noqa: S108 - a private directory is made there
DATABASE = "simpel"
OWNER = "simpel_app"
ROLES = f"""
CREATE ROLE {OWNER} LOGIN PASSWORD '{{owner}}';
CREATE ROLE pulih_backup LOGIN BYPASSRLS PASSWORD '{{backup}}';
GRANT pg_read_all_data TO pulih_backup;
CREATE ROLE pulih_restore LOGIN CREATEDB BYPASSRLS PASSWORD '{{restore}}';
GRANT pg_read_all_data, pg_monitor, {OWNER} TO pulih_restore;
"""


class PostgresqlEngine:
    """A server in one directory, and the database in it."""

    def __init__(self, site: Site) -> None:
        self._site = site
        # A link to the true one where the demonstration is root.
        self._directory = site.root / "postgresql"

    @property
    def address(self) -> str:
        """See Engine.address."""
        return f"postgresql://{OWNER}@127.0.0.1:{self._port}/{DATABASE}?passfile={self._keys / 'simpel.pgpass'}"

    def make(self) -> None:
        """See Engine.make. Raises ConfigurationError when the programs are missing, HostError when they fail."""
        initdb = _program("initdb")
        if os.geteuid() == 0:
            place = Path(tempfile.mkdtemp(prefix="pulih-peraga-", dir=PLACE_FOR_ROOT))
            shutil.chown(place, ACCOUNT, ACCOUNT)
            self._directory.symlink_to(place)
        else:
            self._directory.mkdir(mode=0o700)
        (self._site.root / "postgresql.port").write_text(f"{free_port()}\n", encoding="ascii")
        passwords = {name: secrets.token_urlsafe(18) for name in ("administrator", "owner", "backup", "restore")}
        write_private(self._keys / "postgresql-administrator", passwords["administrator"].encode())
        write_private(self._keys / "postgresql-backup", passwords["backup"].encode())
        write_private(self._keys / "postgresql-restore", passwords["restore"].encode())
        write_private(self._keys / "simpel.pgpass", f"*:*:*:*:{passwords['owner']}".encode())
        self._make_server(initdb, passwords["administrator"])
        with self._running():
            self._administer("postgres", ROLES.format(**passwords))
            self._administer("postgres", f"CREATE DATABASE {DATABASE} OWNER {OWNER}")

    def fill(self) -> None:
        """See Engine.fill."""
        with self._running():
            generate(self.address, self._site.uploads)

    def programs(self) -> str:
        """See Engine.programs."""
        account = f"user={ACCOUNT}\n" if os.geteuid() == 0 else ""
        return f"""
[program:postgresql]
command={" ".join(self._command())}
directory={self._directory.resolve()}
{account}priority=1
autostart=true
autorestart=true
stopsignal=INT
stopwaitsecs=30
stdout_logfile={self._site.root}/log/postgresql.log
redirect_stderr=true
"""

    def component(self) -> dict[str, Any]:
        """See Engine.component."""
        return {
            "kind": "postgresql",
            "database": DATABASE,
            "server": "127.0.0.1",
            "port": self._port,
            "user": "pulih_backup",
            "password": f"file:{self._keys / 'postgresql-backup'}",
            "restore_user": "pulih_restore",
            "restore_password": f"file:{self._keys / 'postgresql-restore'}",
        }

    def table(self, name: str) -> str:
        """See Engine.table."""
        return f"public.{name}"

    def remove(self) -> None:
        """See Engine.remove."""
        if self._directory.is_symlink():
            shutil.rmtree(self._directory.resolve(), ignore_errors=True)

    @property
    def _keys(self) -> Path:
        return self._site.root / "kunci"

    @property
    def _data(self) -> Path:
        return self._directory.resolve() / "data"

    @property
    def _port(self) -> int:
        return int((self._site.root / "postgresql.port").read_text(encoding="ascii"))

    def _command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self._data), *options]

    @contextmanager
    def _running(self) -> Iterator[None]:
        with subprocess.Popen(
            self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", **_as_account()
        ) as server:
            try:
                self._wait(server)
                yield
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(START_SECONDS)

    def _wait(self, server: "subprocess.Popen[bytes]") -> None:
        import psycopg

        give_up_at = time.monotonic() + START_SECONDS
        while True:
            try:
                self._administer("postgres", "SELECT 1")
            except psycopg.OperationalError as error:
                if server.poll() is not None or time.monotonic() > give_up_at:
                    raise HostError(
                        f"the demonstration's PostgreSQL server did not start: {error}", state="nothing was started"
                    ) from error
                time.sleep(0.05)
                continue
            return

    def _administer(self, database: str, statements: str) -> None:
        import psycopg

        password = (self._keys / "postgresql-administrator").read_text(encoding="ascii").strip()
        with psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=ADMINISTRATOR,
            password=password,
            dbname=database,
            autocommit=True,
        ) as connection:
            connection.execute(statements.encode())

    def _make_server(self, initdb: str, password: str) -> None:
        told = self._directory.resolve() / "kata-sandi"
        write_private(told, password.encode())
        if os.geteuid() == 0:
            shutil.chown(told, ACCOUNT, ACCOUNT)
        options = ["--auth=scram-sha-256", f"--username={ADMINISTRATOR}", "--encoding=UTF8", "--locale=C.UTF-8"]
        command = [initdb, f"--pgdata={self._data}", f"--pwfile={told}", *options]
        done = subprocess.run(command, capture_output=True, check=False, cwd="/", **_as_account())
        told.unlink()
        if done.returncode != 0:
            raise HostError(
                f"the demonstration's PostgreSQL server could not be made: {done.stderr.decode().strip()[-300:]}",
                state="nothing was started",
            )


def _program(name: str) -> str:
    try:
        return program(name)
    except ProgramError as error:
        raise ConfigurationError(
            f"PostgreSQL's program {name} is not installed",
            state="nothing was started",
            hint="sudo apt install postgresql, or try the demonstration with SQLite: make demo",
        ) from error


def _as_account() -> dict[str, Any]:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    if os.geteuid() != 0:
        return {"env": {**environment, "USER": getpass.getuser()}}
    return {"env": environment, "user": ACCOUNT, "group": ACCOUNT, "extra_groups": []}
