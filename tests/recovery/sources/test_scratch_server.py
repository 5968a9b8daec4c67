"""Proofs on a server of the inventory: the copy is whole there, nobody else's is touched, and none of it stays."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import ConfigurationError, ConflictError, PulihError
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.sources.scratch_server import LentSource, ScratchServer, proof_label
from recovery.sources.server import Account
from tests.recovery.sources import mariadb_databases, postgresql_databases
from tests.testbed.mariadb import MariaDBServer, run_mariadb
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

MOMENT = "2026-11-20T15:00:03.000000+00:00"
PASSWORD = "kata: sandi"
RIGHTS = """
SELECT Db, User FROM mysql.db WHERE User <> 'mariadb.sys'
UNION SELECT Db, User FROM mysql.tables_priv WHERE User <> 'mariadb.sys'
"""
MARIADB_OWN = {"information_schema", "mysql", "performance_schema", "sys"}


@dataclass(frozen=True)
class Site:
    """Dumps of two databases of an engine, a rich one and a plain one, and a second server on which they are proven."""

    rich: Any
    plain: Any
    scratch: ScratchServer
    execute: Callable[[str], None]
    databases: Callable[[], set[str]]
    # Who may log in there, and the rights on databases that are there.
    strangers: Callable[[], set[Any]]

    def source(self) -> Any:
        """The live database, whose backups are proven on the second server."""
        live = self.plain.source
        return type(live)(
            live.host,
            live.database,
            server=live.server,
            port=live.port,
            account=live.account,
            lock_timeout=3,
            scratch_server=self.scratch,
        )


@pytest.fixture(scope="module")
def postgresql_site(rich: postgresql_databases.Dumped, postgresql: PostgreSQLServer) -> Iterator[Site]:
    """A server for proofs, which asks for a password."""
    with run_postgresql() as server:
        server.execute(f"CREATE ROLE bukti LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        rules = server.directory / "data" / "pg_hba.conf"
        rules.write_text("local all bukti scram-sha-256\n" + rules.read_text())
        server.execute("SELECT pg_reload_conf()")

        def found(query: str) -> set[Any]:
            with closing(postgresql_databases.connect(server, "postgres")) as connection:
                return {name for (name,) in connection.execute(query)}

        yield Site(
            rich,
            postgresql_databases.dumped(postgresql_databases.make_database(postgresql)),
            ScratchServer(str(server.directory), 5432, Account("bukti", lambda: PASSWORD)),
            server.execute,
            lambda: found("SELECT datname FROM pg_database WHERE oid >= 16384"),
            lambda: found("SELECT rolname FROM pg_roles WHERE rolcanlogin") - {"bukti", server.user},
        )


@pytest.fixture(scope="module")
def mariadb_site(rich_mariadb: mariadb_databases.Dumped, mariadb: MariaDBServer) -> Iterator[Site]:
    """A server for proofs, which asks for a password."""
    with run_mariadb() as server:
        server.execute(f"CREATE USER bukti@localhost IDENTIFIED BY '{PASSWORD}'")
        server.execute("GRANT ALL ON *.* TO bukti@localhost WITH GRANT OPTION")
        open_accounts = (
            "SELECT JSON_VALUE(Priv, '$.account_locked'), User FROM mysql.global_priv"
            " WHERE NOT COALESCE(JSON_VALUE(Priv, '$.is_role'), 0)"
            " AND User NOT IN ('root', 'bukti', 'mariadb.sys', 'mysql')"
        )
        yield Site(
            rich_mariadb,
            mariadb_databases.dumped(mariadb_databases.make_database(mariadb)),
            ScratchServer(str(server.socket), 3306, Account("bukti", lambda: PASSWORD)),
            server.execute,
            lambda: {name for (name,) in server.rows("SHOW DATABASES")} - MARIADB_OWN,
            lambda: {name for locked, name in server.rows(open_accounts) if not locked} | set(server.rows(RIGHTS)),
        )


@pytest.fixture(params=["postgresql", "mariadb"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each engine in turn."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


def test_a_database_is_proven_there_twice_and_nothing_of_it_stays(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: what the first proof leaves must not meet the second."""
    source = site.rich.source
    assert [line for line in site.source().preflight() if "proven" in line] == []
    monkeypatch.setattr(source, "scratch_server", site.scratch)
    for attempt in (1, 2):
        with closing(source.scratch(tmp_path / "p" / "simpel_data")) as scratch:
            assert scratch.copies() == []
            copy = site.rich.load("proof", into=scratch)
            assert site.databases() == {copy}
            assert len(scratch.copies()) == 1
            assert site.rich.differences(copy, scratch) == []
            if attempt == 2:
                verdict = judge_copy(scratch, copy, site.rich.result.fingerprint, "", MOMENT, tmp_path)
                assert [check for check in verdict.checks if check.state != "pass"] == []
        assert site.databases() == set()
        assert site.strangers() == set()


def test_what_a_killed_proof_left_gives_way_to_the_next_try(site: Site, tmp_path: Path) -> None:
    first = site.source().scratch(tmp_path / "p" / "simpel_data")
    with first.load(first.beside("proof"), site.plain.result.server_globals) as stream:
        stream.write(site.plain.plain)
        stream.finish()
    # Nobody closed it.
    with closing(site.source().scratch(tmp_path / "p" / "simpel_data")) as scratch:
        copy = site.plain.load("proof", into=scratch)
        assert site.plain.differences(copy, scratch) == []
    assert site.databases() == set()


def test_a_load_that_is_left_in_its_midst_leaves_nothing_there(site: Site, tmp_path: Path) -> None:
    scratch = site.source().scratch(tmp_path / "p" / "simpel_data")
    with scratch.load(scratch.beside("proof"), site.plain.result.server_globals) as stream:
        stream.write(site.plain.plain[:5000])
    assert site.databases() == set()


def test_a_database_of_somebody_else_is_refused_and_stays(site: Site, tmp_path: Path) -> None:
    """Another proof's copy of the same name is somebody else's, too."""
    source = site.source()
    scratch: LentSource = source.scratch(tmp_path / "p" / "simpel_data")
    name = scratch.beside("proof")
    quote = '"' if source.kind == "postgresql" else "`"
    site.execute(f"CREATE DATABASE {quote}{name}{quote}")
    if source.kind == "mariadb":
        with pytest.raises(ConflictError, match=f"holds a database {name} already; it was not changed") as caught:
            site.plain.load("proof", into=scratch)
        assert caught.value.hint.startswith("drop it there if nobody needs it")
        scratch.close()
    # In PostgreSQL such a name holds the label of this very proof, so it is this proof's.
    assert site.databases() == {name}
    site.execute(f"DROP DATABASE {quote}{name}{quote}")


def test_rights_on_a_database_that_is_not_there_are_not_taken_away(mariadb_site: Site, tmp_path: Path) -> None:
    scratch = mariadb_site.source().scratch(tmp_path / "p" / "simpel_data")
    name = scratch.beside("proof")
    mariadb_site.execute(f"CREATE USER lama@localhost ACCOUNT LOCK; GRANT SELECT ON `{name}`.* TO lama@localhost")
    with closing(scratch), pytest.raises(ConflictError, match=f"has rights on a database {name}, which is not there"):
        mariadb_site.plain.load("proof", into=scratch)
    assert mariadb_site.strangers() == {(name, "lama")}
    mariadb_site.execute("DROP USER lama@localhost")


def test_a_mark_that_was_not_finished_is_known_for_what_it_is(mariadb_site: Site, tmp_path: Path) -> None:
    """The process died right behind the statement that makes the database."""
    directory = tmp_path / "p" / "simpel_data"
    scratch = mariadb_site.source().scratch(directory)
    label, name = proof_label(directory), scratch.beside("proof")
    mariadb_site.execute(f"CREATE DATABASE `{name}` COMMENT 'pulih, proof {label}'")
    assert scratch.proofs() == [label]
    scratch.close()
    assert mariadb_site.databases() == set()


def test_the_live_server_is_no_scratch_server(site: Site, tmp_path: Path) -> None:
    live = site.plain.source
    source = site.source()
    source.scratch_server = ScratchServer(live.server, live.port, live.account)
    expected = f"the scratch server {live.server} is the server of the live database {live.database}"
    assert [line for line in source.preflight() if "proven" in line] == [f"no backup can be proven: {expected}"]
    with pytest.raises(ConfigurationError, match=f"{expected}; nothing was loaded there") as caught:
        site.plain.load("proof", into=source.scratch(tmp_path / "p" / "simpel_data"))
    assert caught.value.hint == "name another server (scratch_server), or none: then each proof makes one of its own"


@pytest.mark.parametrize("age", ["older", "newer"])
def test_a_server_of_a_version_that_proves_nothing_is_refused(
    site: Site, age: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older one; of PostgreSQL a newer one, too. No second version is installed here: the live one says another."""
    source = site.source()
    call = source._call
    other = {"older": {"postgresql": [99], "mariadb": [99, 1]}, "newer": {"postgresql": [12], "mariadb": [10, 5]}}
    series = other[age][source.kind]
    installed = call("identify", account=source.restore_account)["series"]

    def another(verb: str, *arguments: str, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = call(verb, *arguments, **options)
        return {**found, "series": series} if verb == "identify" else found

    monkeypatch.setattr(source, "_call", another)
    if (age, source.kind) == ("newer", "mariadb"):
        assert installed == source.on_scratch_server("").require_fit()["series"]
        return
    have, wanted = (".".join(map(str, each)) for each in (installed, series))
    expected = f"is of version {have} and the server of {source.database} of version {wanted}"
    with pytest.raises(ConfigurationError, match=expected):
        source.on_scratch_server("").require_fit()


def test_a_server_that_runs_events_is_refused(mariadb_site: Site) -> None:
    mariadb_site.execute("SET GLOBAL event_scheduler = ON")
    with pytest.raises(ConfigurationError, match="runs events"):
        mariadb_site.source().on_scratch_server("").require_fit()
    mariadb_site.execute("SET GLOBAL event_scheduler = OFF")


def test_a_server_that_does_not_answer_is_a_warning_before_a_backup_and_leaves_the_proofs_end_as_it_is(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = site.source()
    source.scratch_server = ScratchServer(str(tmp_path / "tiada"), 5432, Account("bukti"))
    (warning,) = [line for line in source.preflight() if "proven" in line]
    assert str(tmp_path / "tiada") in warning
    scratch = source.scratch(tmp_path / "p" / "simpel_data")
    with pytest.raises(PulihError, match="tiada"), closing(scratch):
        site.plain.load("proof", into=scratch)
    assert "the copy of a proof is left on" in caplog.text
