"""SIMPEL's database in a PostgreSQL server, with the accounts that docs/postgresql.md names."""

import signal

from demo.engines.server import DATABASE, OWNER, ServerEngine
from demo.site import write_private
from recovery.errors import ConfigurationError
from recovery.hosts.program_error import ProgramError
from recovery.hosts.program_postgresql_client import program

ADMINISTRATOR = "postgres"
ROLES = f"""
CREATE ROLE {OWNER} LOGIN PASSWORD '{{owner}}';
CREATE ROLE pulih_backup LOGIN BYPASSRLS PASSWORD '{{backup}}';
GRANT pg_read_all_data TO pulih_backup;
CREATE ROLE pulih_restore LOGIN CREATEDB BYPASSRLS PASSWORD '{{restore}}';
GRANT pg_read_all_data, pg_monitor, {OWNER} TO pulih_restore;
"""


class PostgresqlEngine(ServerEngine):
    """A PostgreSQL server."""

    name = "postgresql"
    title = "PostgreSQL"
    account = "postgres"
    ending = signal.SIGINT

    @property
    def address(self) -> str:
        """See Engine.address."""
        return f"postgresql://{OWNER}@127.0.0.1:{self._port}/{DATABASE}?passfile={self._keys / 'simpel.pgpass'}"

    def table(self, name: str) -> str:
        """See Engine.table."""
        return f"public.{name}"

    def _require_programs(self) -> None:
        for needed in ("initdb", "postgres"):
            _program(needed)

    def _make_server(self, passwords: dict[str, str]) -> None:
        write_private(self._keys / "simpel.pgpass", f"*:*:*:*:{passwords['owner']}".encode())
        with self._told(passwords["administrator"]) as told:
            options = ["--auth=scram-sha-256", f"--username={ADMINISTRATOR}", "--encoding=UTF8", "--locale=C.UTF-8"]
            self._run([_program("initdb"), f"--pgdata={self._data}", f"--pwfile={told}", *options])
        with self._running():
            self._administer(ROLES.format(**passwords))
            self._administer(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")

    def _command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self._port, "unix_socket_directories": ""}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self._data), *options]

    def _answers(self) -> str:
        import psycopg

        try:
            self._administer("SELECT 1")
        except psycopg.OperationalError as error:
            return str(error)
        return ""

    def _administer(self, statements: str) -> None:
        import psycopg

        with psycopg.connect(
            host="127.0.0.1",
            port=self._port,
            user=ADMINISTRATOR,
            password=self._administrators_password(),
            dbname="postgres",
            autocommit=True,
        ) as connection:
            connection.execute(statements.encode())


def _program(name: str) -> str:
    try:
        return program(name)
    except ProgramError as error:
        raise ConfigurationError(
            f"PostgreSQL's program {name} is not installed",
            state="nothing was started",
            hint="sudo apt install postgresql, or try the demonstration with SQLite: make demo",
        ) from error
