"""SIMPEL's database in a MariaDB server, with the accounts that docs/mariadb.md names."""

import os
import shutil
import signal

from demo.engines.server import DATABASE, OWNER, ServerEngine
from demo.site import write_private
from recovery.errors import ConfigurationError

ADMINISTRATOR = "administrator"
# Whoever comes to the address of loopback; there is no other way to this server.
FROM = "127.0.0.1"
ACCOUNTS = f"""
CREATE USER {OWNER}@'{FROM}' IDENTIFIED BY '{{owner}}';
GRANT ALL ON `{DATABASE}`.* TO {OWNER}@'{FROM}';
CREATE USER pulih_backup@'{FROM}' IDENTIFIED BY '{{backup}}';
GRANT RELOAD ON *.* TO pulih_backup@'{FROM}';
GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `{DATABASE}`.* TO pulih_backup@'{FROM}';
GRANT SELECT ON mysql.proc TO pulih_backup@'{FROM}';
GRANT SELECT ON mysql.db TO pulih_backup@'{FROM}';
GRANT SELECT ON mysql.tables_priv TO pulih_backup@'{FROM}';
GRANT SELECT ON mysql.columns_priv TO pulih_backup@'{FROM}';
GRANT SELECT ON mysql.procs_priv TO pulih_backup@'{FROM}';
CREATE USER pulih_restore@'{FROM}' IDENTIFIED BY '{{restore}}';
GRANT PROCESS, SET USER ON *.* TO pulih_restore@'{FROM}';
GRANT ALL ON `{DATABASE}`.* TO pulih_restore@'{FROM}' WITH GRANT OPTION;
GRANT ALL ON `{DATABASE}.pulih-%`.* TO pulih_restore@'{FROM}';
GRANT SELECT ON mysql.proc TO pulih_restore@'{FROM}';
GRANT SELECT ON mysql.db TO pulih_restore@'{FROM}';
GRANT SELECT ON mysql.procs_priv TO pulih_restore@'{FROM}';
GRANT SELECT (User, Host) ON mysql.user TO pulih_restore@'{FROM}';
"""
# Run by the server itself, before anybody can connect: at no time does an account without a password answer.
NOBODY_ELSE = """
DELETE FROM mysql.global_priv WHERE User NOT IN ('mariadb.sys');
FLUSH PRIVILEGES;
"""
DATABASE_MADE = f"""
CREATE USER {ADMINISTRATOR}@'{FROM}' IDENTIFIED BY '{{administrator}}';
GRANT ALL ON *.* TO {ADMINISTRATOR}@'{FROM}' WITH GRANT OPTION;
CREATE DATABASE `{DATABASE}` CHARACTER SET utf8mb4;
"""


class MariadbEngine(ServerEngine):
    """A MariaDB server."""

    name = "mariadb"
    title = "MariaDB"
    account = "mysql"
    ending = signal.SIGTERM

    @property
    def address(self) -> str:
        """See Engine.address."""
        return f"mariadb://{OWNER}@{FROM}:{self._port}/{DATABASE}?option-file={self._keys / 'simpel.cnf'}"

    def table(self, name: str) -> str:
        """See Engine.table."""
        return name

    def _require_programs(self) -> None:
        for needed in ("mariadb-install-db", "mariadbd", "mariadb-dump"):
            _program(needed)

    def _make_server(self, passwords: dict[str, str]) -> None:
        write_private(self._keys / "simpel.cnf", f"[client]\npassword={passwords['owner']}".encode())
        options = ["--no-defaults", f"--datadir={self._data}", "--skip-test-db"]
        self._run([_program("mariadb-install-db"), *options, "--auth-root-authentication-method=socket"])
        statements = NOBODY_ELSE + (DATABASE_MADE + ACCOUNTS).format(**passwords)
        with self._told(statements) as told, self._running(f"--init-file={told}"):
            pass

    def _command(self) -> list[str]:
        settings = {
            "datadir": self._data,
            "socket": self._data / "mysqld.sock" if len(str(self._data)) < 90 else "mysqld.sock",
            "pid-file": self._data / "pid",
            "bind-address": FROM,
            "port": self._port,
            "innodb-buffer-pool-size": "64M",
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [_program("mariadbd"), "--no-defaults", "--skip-name-resolve", *options]

    def _answers(self) -> str:
        import pymysql

        try:
            pymysql.connect(
                host=FROM, port=self._port, user=ADMINISTRATOR, password=self._administrators_password()
            ).close()
        except pymysql.err.OperationalError as error:
            return str(error)
        return ""


def _program(name: str) -> str:
    # Debian puts the server where an ordinary account does not look.
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/bin")
    if found is None:
        raise ConfigurationError(
            f"MariaDB's program {name} is not installed",
            state="nothing was started",
            hint="sudo apt install mariadb-server, or try the demonstration with SQLite: make demo",
        )
    return found
