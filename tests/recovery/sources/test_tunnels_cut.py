"""Judging a copy through a tunnel that is cut or falls silent: nothing is known of it then, and nothing is left."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, make_url

from recovery.hosts.ssh import SshHost
from recovery.quality.judge import judge
from recovery.sources.mariadb import MariadbSource
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.server import ServerSource
from tests.recovery.hosts.looking import gone
from tests.recovery.sources import mariadb_databases, postgresql_databases
from tests.testbed.mariadb import MariaDBServer
from tests.testbed.postgresql import PostgreSQLServer
from tests.testbed.sshd import SshServer, run_sshd

LIMIT = 2.0


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    """The machine's sshd."""
    with run_sshd() as running:
        yield running


def on_mariadb(host: SshHost, server: MariaDBServer) -> ServerSource:
    made = mariadb_databases.make_database(server)
    return MariadbSource(host, made.database, server=made.server, account=made.account, lock_timeout=3)


def on_postgresql(host: SshHost, server: PostgreSQLServer) -> ServerSource:
    made = postgresql_databases.make_database(server)
    return PostgresqlSource(host, made.database, server=made.server, port=made.port, account=made.account)


def relays(source: ServerSource) -> list[int]:
    """The programs that hand a tunnel's bytes over to the database's server."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"relay" in words and any(word.startswith(source.server.encode()) for word in words):
                found.append(int(process.name))
    return found


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("mariadb", "cut"),
        pytest.param("mariadb", "frozen", marks=pytest.mark.endurance),
        ("postgresql", "cut"),
        pytest.param("postgresql", "frozen", marks=pytest.mark.endurance),
    ],
)
def test_a_judge_whose_tunnel_ends_says_that_he_could_not_look(
    kind: str, how: str, server: SshServer, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_bytes(server.host_keys.read_bytes())
    host = SshHost(server.settings(title=request.node.name, host_keys=str(known), answer_timeout=LIMIT))
    engine = request.getfixturevalue(kind)
    source = {"mariadb": on_mariadb, "postgresql": on_postgresql}[kind](host, engine)
    module = {"mariadb": mariadb_databases, "postgresql": postgresql_databases}[kind]
    dump = module.dumped(source)  # type: ignore[attr-defined]
    copy = dump.load("terowongan")
    ends: list[int] = []

    def end(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """The judge has reached the copy, and is about to count the rows of its first table."""
        if "COUNT(*)" in statement.upper() and not ends:
            ends.extend(relays(source))
            # Great Expectations asks again, and the tunnel would lead there by a connection of its own.
            known.write_bytes(b"")
            if how == "cut":
                server.cut()
            else:
                server.freeze(True)

    expected = dump.result.fingerprint
    event.listen(Engine, "before_cursor_execute", end)
    try:
        with closing(source):
            url = source.judge_url(copy, tmp_path)
            query = make_url(url).query
            tunnel = Path(str(query.get("unix_socket", "")) or f"{query['host']}/x").parent
            assert tunnel.parent == Path(tempfile.gettempdir())
            verdict = judge(url, expected, expected, suite=None, moment=datetime.now(UTC))
    finally:
        event.remove(Engine, "before_cursor_execute", end)
        server.freeze(False)
        known.write_bytes(server.host_keys.read_bytes())
    assert ends != []
    assert verdict.state == "error"
    assert "fail" not in {check.state for check in verdict.checks}
    assert not tunnel.exists()
    assert all(gone(pid) for pid in {*ends, *relays(source)})
    source.discard(copy)
