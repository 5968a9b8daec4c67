"""An office whose catalog was in PostgreSQL: it is rebuilt into an empty database, whole or not at all."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery import points
from recovery.errors import ConfigurationError, ConflictError, KeyMissingError, RecordsError
from recovery.installation import Installation
from recovery.inventory import load_inventory
from recovery.rebuild import FROM_MANIFESTS, Rebuilt, rebuild
from recovery.rebuild_target import choose_target, is_unfinished
from recovery.records import backups, ledger, ledger_heads, officials
from recovery.records.catalog import open_catalog
from recovery.records.ledger import Head
from recovery.settings import OfficialSettings
from tests.recovery.killed_work import PATIENCE, PROCESSES
from tests.recovery.procedures.processes import at
from tests.recovery.test_rebuild import ROOT, DiedError, Lost, build, nothing_is_applied
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql
from tests.testbed.small_office import SmallOffice

pytestmark = pytest.mark.slow

ACCOUNT = "pulih"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQLServer]:
    """A server with the account of an office, and its database: it stayed when all else was lost."""
    with run_postgresql() as running:
        running.execute(f"CREATE ROLE {ACCOUNT} LOGIN")
        running.execute(f"CREATE DATABASE lama OWNER {ACCOUNT}")
        yield running


def url(server: PostgreSQLServer, database: str) -> str:
    return PostgreSQLServer(server.directory, ACCOUNT).url(database)


@pytest.fixture(scope="module")
def gone(server: PostgreSQLServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallOffice]:
    """What is left of that office, and its application."""
    root = tmp_path_factory.mktemp("gone") / "office"
    office = build(root, running=True, catalog_url=url(server, "lama"))
    (root / "keys").mkdir(mode=0o700)
    yield office
    office.stop_service_for_good()


@pytest.fixture
def lost(gone: SmallOffice, server: PostgreSQLServer, tmp_path: Path) -> Lost:
    """A copy of what is left; where the inventory has the reference to its catalog, that of an empty database lies."""
    shutil.copytree(gone.root / "store", tmp_path / "store")
    server.execute("DROP DATABASE IF EXISTS baru WITH (FORCE)")
    server.execute(f"CREATE DATABASE baru OWNER {ACCOUNT}")
    reference(gone).write_text(url(server, "baru"))
    return Lost(tmp_path, gone.installation.signer.fingerprint, gone, gone.rows())


def reference(gone: SmallOffice) -> Path:
    """The file that the inventory of the records names."""
    return gone.root / "keys" / "catalog"


def opened(rebuilt: Rebuilt) -> Installation:
    assert rebuilt.inventory is not None
    return load_inventory(rebuilt.inventory).installation()


def require_whole(installation: Installation) -> None:
    """All three sets are offered, and the ledger goes on once behind the head that was found, as the store has it."""
    store, trusted = installation.store("utama"), installation.signer.trusted_pem
    with installation.catalog.read() as connection:
        assert "postgresql" == connection.dialect.name
        assert 3 == len([each for each in backups.list_backups(connection) if each.state == "secured"])
        assert 1 == len(ledger.entries(connection, kind="ledger.rebuilt"))
        assert [] == ledger.verify(connection, ledger_heads.read_heads(store, trusted), trusted)
        assert ledger.head(connection) == ledger_heads.newest_head(store, trusted)
    installation.catalog.dispose()


def pulih(environment: dict[str, str], *arguments: str | Path) -> str:
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (0, "") == (ended.returncode, ended.stderr)
    return ended.stdout


def test_a_restore_works_after_it_and_the_ledger_is_intact(lost: Lost, gone: SmallOffice) -> None:
    """As an administrator does it, into the place that the lost inventory names; then the usual procedure."""
    environment = {"HOME": str(lost.root), "PATH": os.environ["PATH"]}
    given = ("--from", lost.root / "store", "--identity", lost.key("escrow"), "--fingerprint", lost.fingerprint)
    told = json.loads(pulih(environment, "--json", "rebuild", *given, "--to", lost.root / "new"))
    assert (3, 1) == (told["sets"], told["added"])
    assert told["catalog"].startswith(f"postgresql+psycopg://{ACCOUNT}@/baru?")
    installation = load_inventory(Path(told["inventory"])).installation()
    assert f"file:{reference(gone)}" == installation.office.catalog
    require_whole(installation)
    left = {path.name for path in (lost.root / "new" / "state").iterdir()}
    assert {"formulir"} == left
    lost.restored_in(installation)
    installation.catalog.dispose()
    environment["PULIH_INVENTORY"] = told["inventory"]
    assert "intact\n" in pulih(environment, "ledger", "verify")


def content(server: PostgreSQLServer, database: str) -> tuple[Head, int]:
    catalog = open_catalog(server.url(database))
    try:
        with catalog.read() as connection:
            return ledger.head(connection), len(officials.list_all(connection))
    finally:
        catalog.dispose()


def test_the_catalog_of_an_office_that_still_runs_is_never_written_over(
    lost: Lost, gone: SmallOffice, server: PostgreSQLServer
) -> None:
    reference(gone).write_text(url(server, "lama"))
    before = content(server, "lama")
    with pytest.raises(ConflictError, match=r"/lama\?host=\S+ is not empty; nothing was written into it") as raised:
        lost.rebuild()
    assert f"let file:{reference(gone)} hold the URL of an empty database" in raised.value.hint
    assert before == content(server, "lama")
    assert not (lost.root / "new" / "inventory.yaml").exists()


@pytest.mark.parametrize("statement", ["CREATE TABLE pegawai (id integer)", "CREATE TABLE ledger (id integer)"])
def test_a_database_with_something_else_in_it_is_left_alone(
    lost: Lost, server: PostgreSQLServer, statement: str
) -> None:
    """A table of somebody, or one that only has a name of ours."""
    table = statement.split()[2]
    server.execute(statement, "baru")
    server.execute(f"INSERT INTO {table} VALUES (1); GRANT SELECT ON {table} TO {ACCOUNT}", "baru")
    with pytest.raises(ConflictError, match="is not empty; nothing was written into it"):
        lost.rebuild()


def test_a_catalog_without_a_row_is_taken_and_one_with_an_official_is_not(lost: Lost, server: PostgreSQLServer) -> None:
    """As `pulih apply` leaves them."""
    catalog = open_catalog(url(server, "baru"))
    catalog.upgrade()
    with catalog.begin() as connection:
        person = OfficialSettings(nip="1" * 18, name="Siti", position="Kabid", unit="bkd", roles=["kabid"])
        officials.put(connection, person)
    with pytest.raises(ConflictError, match="is not empty"):
        lost.rebuild()
    server.execute("SET session_replication_role = replica; DELETE FROM officials; DELETE FROM ledger", "baru")
    catalog.dispose()
    require_whole(opened(lost.rebuild()))


def test_what_came_into_the_database_meanwhile_is_found_before_anything_is_written(
    lost: Lost, server: PostgreSQLServer
) -> None:
    """Two administrators at once: the second one's transaction begins when the first one's has ended."""

    def interfere(name: str) -> None:
        if name == "rebuild: catalog filled":
            catalog = open_catalog(url(server, "baru"))
            catalog.upgrade()
            with catalog.begin() as connection:
                ledger.append(connection, "test", {})
            catalog.dispose()

    with points.observe(interfere), pytest.raises(ConflictError, match="is not empty; nothing was written into it"):
        lost.rebuild()
    assert (1, 0) == (content(server, "baru")[0].sequence, content(server, "baru")[1])


def rehearse(lost: Lost, server: PostgreSQLServer) -> list[str]:
    """Rebuild once, put all back, and return the points that were reached."""
    shutil.copytree(lost.root / "store", lost.root / "kept")
    names: list[str] = []
    with points.observe(names.append):
        lost.rebuild(directory="rehearsal")
    server.execute("DROP DATABASE baru WITH (FORCE)")
    server.execute(f"CREATE DATABASE baru OWNER {ACCOUNT}")
    shutil.rmtree(lost.root / "store")
    (lost.root / "kept").rename(lost.root / "store")
    return names


def die(root: Path, fingerprint: str, key: Path, point: int) -> None:
    with points.observe(at(point, lambda: os.kill(os.getpid(), signal.SIGKILL))):
        rebuild(Lost(root, fingerprint, None, []).store, root / "new", fingerprint, key)  # type: ignore[arg-type]


def kill(lost: Lost, point: int) -> None:
    process = PROCESSES.Process(target=die, args=(lost.root, lost.fingerprint, lost.key("escrow"), point))
    process.start()
    process.join(PATIENCE)
    assert -signal.SIGKILL == process.exitcode


# What it had come to when it died, and whether the database has the catalog then.
DEATHS = {
    "its inventory is written": ("rebuild: keys and inventory written", False),
    "the file is filled": ("rebuild: catalog filled", False),
    "all rows are in the database": ("catalog: before the commit", False),
    "the database has it": ("catalog: committed", True),
    "the store has the head": ("", True),
}


@pytest.mark.parametrize("came_to", DEATHS)
def test_a_rebuild_that_died_is_taken_up_and_nothing_half_is_believed(
    lost: Lost, server: PostgreSQLServer, came_to: str
) -> None:
    point, is_there = DEATHS[came_to]
    names = rehearse(lost, server)
    kill(lost, max(number for number, name in enumerate(names) if name == point) if point else len(names) - 1)
    died = load_inventory(lost.root / "new" / "inventory.yaml").installation()
    if is_there:
        died.catalog.check()
    else:
        with pytest.raises(RecordsError, match="has no tables yet"):
            died.catalog.check()
    died.catalog.dispose()
    nothing_is_applied(lost.root / "new")
    rebuilt = lost.rebuild()
    assert (3, 1) == (rebuilt.sets, rebuilt.added)
    (loss,) = rebuilt.unproven
    assert loss.startswith("ledger: the entries ") and " are lost; only the head of the last one is left" in loss
    assert any(each.startswith("the enrolment key is a new one") for each in rebuilt.to_do)
    installation = opened(rebuilt)
    require_whole(installation)
    with installation.catalog.read() as connection:
        assert rebuilt.ledger_sequence == ledger.head(connection).sequence
    installation.catalog.dispose()
    assert {"formulir"} == {path.name for path in (lost.root / "new" / "state").iterdir()}
    # And it has come to its end: another call is one too many.
    with pytest.raises(ConflictError, match="is not empty; nothing was written into it"):
        lost.rebuild()


def test_a_catalog_that_was_used_since_the_call_died_is_left_alone(lost: Lost, server: PostgreSQLServer) -> None:
    kill(lost, len(rehearse(lost, server)) - 1)
    catalog = open_catalog(url(server, "baru"))
    with catalog.begin() as connection:
        ledger.append(connection, "test", {})
    catalog.dispose()
    before = content(server, "baru")
    with pytest.raises(ConflictError, match="is not empty; nothing was written into it"):
        lost.rebuild()
    assert before == content(server, "baru")


def test_a_place_that_cannot_be_read_is_said_and_another_one_can_be_named(
    lost: Lost, gone: SmallOffice, server: PostgreSQLServer
) -> None:
    """On a bare machine the file with the URL is gone with the rest."""
    reference(gone).unlink()
    with pytest.raises(KeyMissingError) as raised:
        lost.rebuild()
    told = f"where the catalog is to be cannot be read: the secret file:{reference(gone)} cannot be read"
    assert raised.value.message.startswith(told)
    assert "name another reference with --catalog, or say --catalog sqlite" in raised.value.hint
    assert not (lost.root / "new" / "inventory.yaml").exists()
    (lost.root / "url").write_text(url(server, "baru"))
    rebuilt = lost.rebuild(catalog=f"file:{lost.root / 'url'}")
    installation = opened(rebuilt)
    assert f"file:{lost.root / 'url'}" == installation.office.catalog
    require_whole(installation)


@pytest.mark.parametrize("way", ["asked for", "recorded"])
def test_an_sqlite_catalog_lies_in_the_new_directory(lost: Lost, gone: SmallOffice, way: str) -> None:
    """Where the lost one lay says nothing of this machine."""
    given = {"catalog": "sqlite"} if way == "asked for" else {}
    if way == "recorded":
        reference(gone).write_text(f"sqlite:///{lost.root / 'elsewhere' / 'catalog.sqlite'}")
    rebuilt = lost.rebuild(**given)
    assert str(lost.root / "new" / "state" / "catalog.sqlite") == rebuilt.catalog
    installation = opened(rebuilt)
    assert installation.office.catalog is None
    assert f"sqlite:///{lost.root / 'new' / 'state' / 'catalog.sqlite'}" == installation.catalog_url
    with pytest.raises(ConflictError, match="is not empty; nothing was written"):
        lost.rebuild()
    assert not (lost.root / "elsewhere").exists()


def test_without_records_the_caller_names_the_database(lost: Lost, gone: SmallOffice) -> None:
    shutil.rmtree(lost.root / "store" / "pulih")
    rebuilt = lost.rebuild(catalog=f"file:{reference(gone)}")
    assert (FROM_MANIFESTS, None, 3) == (rebuilt.source, rebuilt.inventory, rebuilt.added)
    assert "/baru?" in rebuilt.catalog


def test_without_records_a_rebuild_that_died_is_taken_up_too(lost: Lost, gone: SmallOffice) -> None:
    """No inventory says where the catalog is: the caller does, as before."""
    shutil.rmtree(lost.root / "store" / "pulih")

    def die(name: str) -> None:
        if name == "rebuild: catalog in place":
            raise DiedError

    with pytest.raises(DiedError), points.observe(die):
        lost.rebuild(catalog=f"file:{reference(gone)}")
    assert is_unfinished(lost.root / "new" / "state")
    rebuilt = lost.rebuild(catalog=f"file:{reference(gone)}")
    assert (FROM_MANIFESTS, None, 3, 3) == (rebuilt.source, rebuilt.inventory, rebuilt.sets, rebuilt.added)
    assert "/baru?" in rebuilt.catalog
    assert not is_unfinished(lost.root / "new" / "state")
    with pytest.raises(ConflictError, match="is not empty; nothing was written into it"):
        lost.rebuild(catalog=f"file:{reference(gone)}")


def test_a_server_that_is_not_there_is_said(lost: Lost, gone: SmallOffice) -> None:
    reference(gone).write_text(f"postgresql://{ACCOUNT}:rahasia@/baru?host={lost.root}")
    with pytest.raises(RecordsError, match="cannot be used") as raised:
        lost.rebuild()
    assert "rahasia" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "error"),
    [("postgresql://pulih:rahasia@/baru", ConfigurationError), ("env:KATALOG", RecordsError)],
)
def test_what_is_no_reference_or_no_database_of_a_catalog_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, error: Any
) -> None:
    monkeypatch.setenv("KATALOG", "mysql://pulih:rahasia@/baru")
    with pytest.raises(error) as raised:
        choose_target(tmp_path, None, given)
    assert "rahasia" not in str(raised.value)
