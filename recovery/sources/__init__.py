"""Components and how they are dumped, loaded and swapped."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from recovery.hosts.base import Host
from recovery.secrets import resolve
from recovery.settings import SERVER_PORTS, ComponentSettings
from recovery.sources.base import Source

if TYPE_CHECKING:
    from recovery.sources.scratch_server import ScratchServer


def secret(reference: str | None) -> Callable[[], str] | None:
    """Given a reference to a password, return what reads it when it is needed, or None."""
    return None if reference is None else lambda: resolve(reference).decode()


def open_source(host: Host, component: ComponentSettings) -> Source:
    """Given the host and a component's settings, return the source. Nothing is touched yet."""
    if component.kind == "files":
        from recovery.sources.files import FilesSource

        return FilesSource(host, component.path, lock_timeout=component.lock_timeout)
    if component.kind == "postgresql":
        from recovery.sources.postgresql import PostgresqlSource
        from recovery.sources.server import Account

        account = Account(component.user, secret(component.password))
        restorer = Account(component.restore_user, secret(component.restore_password))
        return PostgresqlSource(
            host,
            component.database,
            server=component.server,
            port=component.server_port,
            account=account,
            restore_account=restorer if component.restore_user else account,
            lock_timeout=component.lock_timeout,
            scratch_server=_scratch_server(component),
        )
    if component.kind == "mariadb":
        from recovery.sources.mariadb import MariadbSource
        from recovery.sources.server import Account

        account = Account(component.user, secret(component.password))
        restorer = Account(component.restore_user, secret(component.restore_password))
        return MariadbSource(
            host,
            component.database,
            server=component.server,
            port=component.server_port,
            account=account,
            restore_account=restorer if component.restore_user else account,
            lock_timeout=component.lock_timeout,
            scratch_server=_scratch_server(component),
            lock_nontransactional=component.lock_nontransactional,
            write_binlog=component.write_binlog,
        )
    from recovery.sources.sqlite import SqliteSource

    return SqliteSource(host, component.path, lock_timeout=component.lock_timeout)


def _scratch_server(component: ComponentSettings) -> "ScratchServer | None":
    given = component.scratch_server
    if given is None:
        return None
    from recovery.sources.scratch_server import ScratchServer
    from recovery.sources.server import Account

    port = given.port or SERVER_PORTS[component.kind]
    return ScratchServer(given.server, port, Account(given.user, secret(given.password)))
