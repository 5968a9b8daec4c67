"""MariaDB databases: dumped by mariadb-dump beside a measuring session with the same snapshot, swapped by RENAME TABLE.

All work is done by the shipped program on the host, with that host's mariadb and mariadb-dump.
"""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from recovery.hosts.base import Host
from recovery.sources.server import LONG, Account, ServerSource

if TYPE_CHECKING:
    from recovery.sources.scratch_server import LentSource, ScratchServer

logger = logging.getLogger(__name__)

DEFAULT_PORT = 3306
SOCKET_NAME = "mysqld.sock"
DEFAULT_SOCKET = f"/run/mysqld/{SOCKET_NAME}"
# Moving many tables takes as long as the server needs to write it down for each.
SWAP_SECONDS = 600
# What a judge's session is: it reads only, and names in quotation marks are names.
JUDGING = "SET SESSION tx_read_only = 1, sql_mode = 'ANSI_QUOTES', max_statement_time = 0"


class MariadbSource(ServerSource):
    """One MariaDB database on a host."""

    kind = "mariadb"
    extension = "sql"
    checks_copies = True
    system_databases: ClassVar[tuple[str, ...]] = ("mysql", "information_schema", "performance_schema", "sys")

    def __init__(
        self,
        host: Host,
        database: str,
        *,
        server: str = "",
        port: int = DEFAULT_PORT,
        account: Account | None = None,
        restore_account: Account | None = None,
        lock_timeout: float = 30,
        scratch_server: "ScratchServer | None" = None,
        lock_nontransactional: bool = False,
        write_binlog: bool = True,
    ) -> None:
        super().__init__(
            host,
            database,
            server=server,
            port=port,
            account=account,
            restore_account=restore_account,
            lock_timeout=lock_timeout,
            scratch_server=scratch_server,
        )
        self.lock_nontransactional = lock_nontransactional
        self.write_binlog = write_binlog

    def check(self, copy: str | None = None) -> list[str]:
        """See Source.check: the server's own CHECK TABLE.

        Not of a proof's copy: it would read all indexes that the proof's own server has built this minute, and say
        nothing of the backup's bytes. A copy beside live data lies where it will serve for years.
        """
        if not self.checks_copies:
            return []
        account = self.restore_account if copy else self.account
        return list(self._call("check", copy or self.database, limit=LONG, account=account)["findings"])

    def unloadable(self, made: dict[str, Any]) -> list[tuple[str, str]]:
        """See Source.unloadable: a server takes no row that is longer than it allows."""
        found = self._look("packet", str(made["snapshot"].get("longest_statement", 0)))["warnings"]
        return [(warning, "see 'Long rows' in docs/mariadb.md") for warning in found]

    def swap(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap. Rights on single routines that it cannot keep are logged."""
        return self._move("swap", receipt)

    def swap_back(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """See Source.swap_back. Rights on single routines that it cannot give again are logged."""
        return self._move("swap_back", receipt)

    def in_own_server(self, directory: Path) -> "MariadbSource":
        """See ServerSource.in_own_server."""
        from recovery.sources.mariadb_scratch import MariadbScratch

        return MariadbScratch(directory, self.database, self.lock_timeout)

    def on_scratch_server(self, label: str) -> "LentSource":
        """See ServerSource.on_scratch_server."""
        from recovery.sources.scratch_server import LentMariadb

        return LentMariadb(self, label)

    def judge_url(self, copy: str, directory: Path) -> str:
        """See Source.judge_url. A password goes into a file that the driver reads, never into the URL."""
        self._own(copy)
        # As a part of the URL's path a name with a question mark or a dollar sign would be read as another one.
        query = {"charset": "utf8mb4", "init_command": JUDGING, "database": copy}
        address: dict[str, Any] = {}
        near = self._near([self.server or DEFAULT_SOCKET], SOCKET_NAME)
        if near:
            query["unix_socket"] = f"{near}/{SOCKET_NAME}"
        elif self.server and not self.server.startswith("/"):
            address = {"host": self.server, "port": self.port}
        else:
            query["unix_socket"] = self.server or DEFAULT_SOCKET
        # A server that goes by the account (unix_socket) sees that of the host, not that of the worker.
        if user := self.restore_account.user or self.host.account():
            address["username"] = user
        if self.restore_account.password is not None:
            query["read_default_file"] = str(_option_file(directory, self.restore_account.password()))
        from sqlalchemy import URL

        url = URL.create("mysql+pymysql", query=query, **address)
        return url.render_as_string(hide_password=False)

    def _move(self, verb: str, receipt: dict[str, Any]) -> dict[str, Any]:
        done = self._call(verb, self._checked(receipt), limit=SWAP_SECONDS, account=self.restore_account)
        for warning in done.pop("warnings"):
            logger.warning("%s", warning)
        return done

    def _options(self) -> dict[str, Any]:
        return {"lock_nontransactional": self.lock_nontransactional, "write_binlog": self.write_binlog}


def _option_file(directory: Path, password: str) -> Path:
    path = directory / "judge.cnf"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        # As the driver reads it: nothing is escaped.
        file.write(f"[client]\npassword={password}\n")
    return path
