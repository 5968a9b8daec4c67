"""PostgreSQL databases: dumped by pg_dump in a snapshot that the fingerprint shares, swapped by renames.

All work is done by the shipped program on the host, with that host's psql, pg_dump and pg_restore.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from recovery.hosts.base import Host
from recovery.sources.server import Account, ServerSource

if TYPE_CHECKING:
    from recovery.sources.scratch_server import LentSource, ScratchServer

DEFAULT_PORT = 5432

# Where servers put their sockets when nobody says otherwise: Debian's, and PostgreSQL's own.
SOCKET_DIRECTORIES = ["/var/run/postgresql", "/tmp"]  # noqa: S108


class PostgresqlSource(ServerSource):
    """One PostgreSQL database on a host.

    From the moment when a swap is prepared nobody can connect to the copy; after a swap the old database refuses
    connections, because what is written into it would be lost.
    """

    kind = "postgresql"
    extension = "pgdump"
    system_databases: ClassVar[tuple[str, ...]] = ("postgres", "template0", "template1")

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

    def check(self, copy: str | None = None) -> list[str]:
        """See Source.check. Whatever is damaged cannot be dumped or measured: the server has no cheaper checker."""
        return []

    def version(self) -> int:
        """Return the server's major version."""
        return int(self._look("identify")["series"][0])

    def unloadable(self, made: dict[str, Any]) -> list[tuple[str, str]]:
        """See Source.unloadable: a server that was upgraded takes no backup of before."""
        made_by, version = made["tools"]["postgresql"].partition(".")[0], str(self.version())
        if made_by == version:
            return []
        message = f"no restore is possible: the newest backup is of PostgreSQL {made_by} and the server of {version}"
        return [(message, "back it up now (see 'Versions' in docs/postgresql.md)")]

    def in_own_server(self, directory: Path) -> "PostgresqlSource":
        """See ServerSource.in_own_server."""
        from recovery.sources.postgresql_scratch import ScratchSource

        return ScratchSource(directory, self.database, self.lock_timeout)

    def on_scratch_server(self, label: str) -> "LentSource":
        """See ServerSource.on_scratch_server."""
        from recovery.sources.scratch_server import LentPostgresql

        return LentPostgresql(self, label)

    def judge_url(self, copy: str, directory: Path) -> str:
        """See Source.judge_url. A password goes into a file that libpq reads, never into the URL."""
        self._own(copy)
        query = {
            "dbname": copy,
            "port": str(self.port),
            "application_name": "pulih",
            "client_encoding": "utf8",
            "options": "-c default_transaction_read_only=on -c statement_timeout=0"
            " -c idle_in_transaction_session_timeout=0",
        }
        name = f".s.PGSQL.{self.port}"
        near = self._near([f"{place}/{name}" for place in ([self.server] if self.server else SOCKET_DIRECTORIES)], name)
        if near or self.server:
            query["host"] = near or self.server
        # A server that goes by the account (peer) sees that of the host, not that of the worker.
        if user := self.restore_account.user or self.host.account():
            query["user"] = user
        if self.restore_account.password is not None:
            query["passfile"] = str(_pass_file(directory, self.restore_account.password()))
        from sqlalchemy import URL

        return URL.create("postgresql+psycopg", query=query).render_as_string(hide_password=False)


def _pass_file(directory: Path, password: str) -> Path:
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    path = directory / "pgpass"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"*:*:*:*:{escaped}\n")
    return path
