"""Opening, creating and upgrading the catalog, its transactions, and what it says when it cannot be used."""

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select, text

from recovery.errors import RecordsError
from recovery.records import schema
from recovery.records.catalog import Catalog, open_catalog
from recovery.records.complaints import explain
from recovery.records.schema import leases, metadata
from tests.recovery.records.workers import run_together, upgrade


def _lease(resource: str) -> dict[str, object]:
    return {"resource": resource, "holder": "h", "token": 1, "taken_at": "", "expires_at": "", "purpose": ""}


def test_opening_a_catalog_imports_neither_migrations_nor_prefect() -> None:
    """Every process of every task opens it: a process start must stay cheap."""
    program = (
        "import sys; from recovery.records import open_catalog; open_catalog('sqlite:////nonexistent/c.sqlite'); "
        "print(sorted({'alembic', 'prefect', 'psycopg', 'pandas', 'typst'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_upgrade_creates_exactly_the_tables_that_the_schema_describes(uncreated_url: str) -> None:
    """The migrations and schema.py say the same, columns, constraints and indexes included."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    catalog = open_catalog(uncreated_url)
    catalog.upgrade()
    with catalog.read() as connection:
        # Alembic cannot compare defaults on SQLite: it finds a difference between two equal empty texts.
        options = {"compare_server_default": catalog.dialect == "postgresql", "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        assert {*metadata.tables, "alembic_version"} == set(inspect(connection).get_table_names())
        checks = {
            table: len(inspect(connection).get_check_constraints(table))
            for table in ("procedures", "steps", "backups", "approval_requests", "swaps")
        }
    assert checks == dict.fromkeys(checks, 1)
    catalog.upgrade()
    catalog.check()
    catalog.dispose()


def test_the_newest_migration_is_the_one_that_the_schema_names() -> None:
    """Opening a catalog trusts REVISIONS instead of reading the migrations."""
    from alembic.script import ScriptDirectory

    from recovery.records.migrations import configuration

    scripts = ScriptDirectory.from_config(configuration())
    assert list(schema.REVISIONS) == [script.revision for script in reversed(list(scripts.walk_revisions()))]


@pytest.mark.slow
def test_four_processes_may_upgrade_at_once(uncreated_url: str) -> None:
    """Workers that start together all call upgrade(); one does it, the others wait."""
    assert run_together(upgrade, uncreated_url) == [0, 0, 0, 0]
    catalog = open_catalog(uncreated_url)
    with catalog.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 1
    catalog.dispose()


def test_an_upgrade_that_fails_leaves_nothing_behind(uncreated_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DDL is part of the transaction, on SQLite too: there is no half-made schema."""
    from recovery.records import migrations

    whole = migrations.migrate

    def migrate_and_fail(connection: object) -> None:
        whole(connection)  # type: ignore[arg-type]
        raise RuntimeError("the power went")

    catalog = open_catalog(uncreated_url)
    monkeypatch.setattr(migrations, "migrate", migrate_and_fail)
    with pytest.raises(RuntimeError, match="the power went"):
        catalog.upgrade()
    with catalog.read() as connection:
        assert inspect(connection).get_table_names() == []
    monkeypatch.undo()
    catalog.upgrade()
    catalog.check()
    catalog.dispose()


def test_a_new_sqlite_catalog_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    """It holds officials' names and encrypted secrets."""
    previous = os.umask(0)
    try:
        catalog = open_catalog(f"sqlite:///{tmp_path}/state/catalog.sqlite")
        catalog.upgrade()
    finally:
        os.umask(previous)
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "state").iterdir()}
    assert oct(stat.S_IMODE((tmp_path / "state").stat().st_mode)) == "0o700"
    assert modes == {"catalog.sqlite": "0o600", "catalog.sqlite-wal": "0o600", "catalog.sqlite-shm": "0o600"}
    catalog.dispose()


def test_sqlite_writes_ahead_syncs_fully_and_checks_references(sqlite_url: str) -> None:
    """Readers do not wait for the writer, and what was recorded survives a power cut."""
    catalog = open_catalog(sqlite_url)
    with catalog.read() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60000}
    catalog.dispose()


def test_a_transaction_that_raises_leaves_nothing(catalog: Catalog) -> None:
    """Rolled back as a whole."""
    with pytest.raises(KeyError), catalog.begin() as connection:
        connection.execute(insert(leases).values(_lease("a")))
        raise KeyError("b")
    with catalog.read() as connection:
        assert connection.execute(select(leases)).all() == []


def test_there_is_one_writer_at_a_time_and_readers_do_not_wait(catalog: Catalog) -> None:
    """What a writer reads stays true until it commits."""
    began, finish, order = threading.Event(), threading.Event(), []

    def first() -> None:
        with catalog.begin() as connection:
            connection.execute(insert(leases).values(_lease("a")))
            began.set()
            assert finish.wait(30)
            order.append("first")

    def second() -> None:
        with catalog.begin() as connection:
            order.append(f"second sees {len(connection.execute(select(leases)).all())}")

    writers = [threading.Thread(target=first), threading.Thread(target=second)]
    writers[0].start()
    assert began.wait(30)
    writers[1].start()
    with catalog.read() as connection:
        assert connection.execute(select(leases)).all() == []
    finish.set()
    for writer in writers:
        writer.join(30)
    assert order == ["first", "second sees 1"]


def test_a_transaction_inside_another_is_refused_at_once(catalog: Catalog) -> None:
    """It would wait for itself."""
    told = pytest.raises(RecordsError, match="was begun inside another one of the same thread")
    with told, catalog.begin(), catalog.begin():
        pass
    with catalog.begin():
        pass


def test_a_reader_sees_one_state_however_long_it_looks(catalog: Catalog) -> None:
    """An audit that reads while others write must not find a broken chain that is none."""
    with catalog.read() as reader:
        assert reader.execute(select(leases)).all() == []
        with catalog.begin() as writer:
            writer.execute(insert(leases).values(_lease("a")))
        assert reader.execute(select(leases)).all() == []
    with catalog.read() as reader:
        assert len(reader.execute(select(leases)).all()) == 1


def test_what_a_reader_writes_is_not_kept(sqlite_url: str, postgresql_url: str) -> None:
    """read() never commits."""
    catalog = open_catalog(sqlite_url)
    with catalog.read() as connection:
        connection.execute(insert(leases).values(_lease("a")))
    with catalog.read() as connection:
        assert connection.execute(select(leases)).all() == []
    catalog.dispose()
    server = open_catalog(postgresql_url)
    refusal = r"cannot be opened or written \(cannot execute INSERT in a read-only transaction\)"
    with pytest.raises(RecordsError, match=refusal), server.read() as connection:
        connection.execute(insert(leases).values(_lease("a")))
    server.dispose()


def test_a_violated_constraint_is_told_without_the_row(catalog: Catalog) -> None:
    """Rows hold personal data; messages end up in logs."""
    with pytest.raises(RecordsError) as caught, catalog.begin() as connection:
        connection.execute(insert(leases).values(_lease("a-secret-name")))
        connection.execute(insert(leases).values(_lease("a-secret-name")))
    assert "refused a change that contradicts what it holds" in str(caught.value)
    assert "a-secret-name" not in str(caught.value)
    assert "nothing of this transaction was recorded" in str(caught.value)


def test_the_ledger_and_decisions_are_only_ever_added_to(catalog: Catalog) -> None:
    """Triggers keep accidents away, on both dialects."""
    from recovery.records import ledger

    with catalog.begin() as connection:
        ledger.append(connection, "first", {})
    for statement in ("UPDATE ledger SET kind = 'other'", "DELETE FROM ledger"):
        with pytest.raises(RecordsError, match="ledger is only ever added to"), catalog.begin() as connection:
            connection.execute(text(statement))
    with catalog.read() as connection:
        assert ledger.verify(connection) == []
        triggers = "sqlite_master WHERE type = 'trigger'"
        if catalog.dialect == "postgresql":
            triggers = "pg_trigger WHERE NOT tgisinternal"
        assert connection.execute(text(f"SELECT count(*) FROM {triggers}")).scalar() in (2, 4)


def test_a_missing_sqlite_catalog_is_told_and_not_created(tmp_path: Path) -> None:
    """A mistyped path must not become a second, empty catalog."""
    path = tmp_path / "typo.sqlite"
    catalog = open_catalog(f"sqlite:///{path}")
    with pytest.raises(RecordsError) as caught, catalog.begin():
        pass
    assert str(caught.value) == (
        f"there is no catalog at {path}; nothing was read or recorded\n"
        "HINT: check the path if it should be there; rebuild a lost one, or create a new one with `pulih apply`"
    )
    assert not path.exists()


def test_a_catalog_without_tables_is_told(uncreated_url: str) -> None:
    """check() says what to do, and so does whoever reads without checking."""
    catalog = open_catalog(uncreated_url)
    if catalog.dialect == "sqlite":
        Path(str(catalog._url.database)).parent.mkdir()
        Path(str(catalog._url.database)).touch()
    with pytest.raises(RecordsError, match="has no tables yet; nothing was read or recorded\nHINT: run `pulih apply`"):
        catalog.check()
    with pytest.raises(RecordsError, match="lacks what this release expects"), catalog.read() as connection:
        connection.execute(select(leases))
    catalog.dispose()


def test_a_catalog_of_a_later_release_is_refused_and_left_alone(catalog: Catalog) -> None:
    """Whoever goes back to an old release must not damage what the new one wrote."""
    with catalog.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RecordsError, match=r"was written by a later release \(schema 9999\)"):
        catalog.check()
    with pytest.raises(RecordsError, match="probably written by a later release"):
        catalog.upgrade()
    with catalog.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


@contextmanager
def _as_nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_catalog_that_cannot_be_written_is_told(sqlite_url: str, tmp_path: Path) -> None:
    """Reading goes on where the file allows it; writing says whose permission is missing."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.chmod(0o444)
    path.parent.chmod(0o555)
    # pytest's own directories are closed to others, one more of them when several processes run the tests.
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.name.startswith(("pytest-", "popen-", "test_")):
            folder.chmod(0o755)
    catalog = open_catalog(sqlite_url)
    with _as_nobody(), pytest.raises(RecordsError, match="cannot be opened or written"), catalog.begin():
        pass
    with _as_nobody(), pytest.raises(RecordsError, match=r"cannot be created \(Permission denied\)"):
        open_catalog(f"sqlite:///{path.parent}/other/catalog.sqlite").upgrade()
    with _as_nobody(), pytest.raises(RecordsError, match=r"cannot be created \(Permission denied\)"):
        open_catalog(f"sqlite:///{path.parent}/other.sqlite").upgrade()
    # A directory that cannot be entered, which keeps its owner out in another way than others.
    path.parent.chmod(0o700 if os.geteuid() == 0 else 0)
    with _as_nobody(), pytest.raises(RecordsError, match="cannot be opened or written"), catalog.begin():
        pass
    path.parent.chmod(0o700)
    catalog.dispose()


def test_a_damaged_sqlite_catalog_is_told(tmp_path: Path) -> None:
    """Neither written to nor taken for an empty one."""
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(b"this is no database, however long one looks at it" * 100)
    catalog = open_catalog(f"sqlite:///{path}")
    for attempt in (catalog.check, catalog.upgrade):
        with pytest.raises(RecordsError, match=r"is damaged or its disk fails \(file is not a database\)"):
            attempt()


def test_a_catalog_that_another_process_keeps_is_told(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the patience, not before; the sentence says what to look for."""
    monkeypatch.setattr("recovery.records.catalog.PATIENCE_SECONDS", 0.1)
    catalog = open_catalog(sqlite_url)
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsError, match="was kept by another process for more than 0 seconds"), catalog.begin():
        pass
    other.close()
    catalog.dispose()


def test_a_postgresql_catalog_that_another_process_keeps_is_told(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sentence on both dialects."""
    keeper = open_catalog(postgresql_url)
    monkeypatch.setattr("recovery.records.catalog.PATIENCE_SECONDS", 0.2)
    impatient = open_catalog(postgresql_url)
    told = pytest.raises(RecordsError, match="was kept by another process for more than 0 seconds")
    with keeper.begin(), told, impatient.begin():
        pass
    keeper.dispose()
    impatient.dispose()


def test_a_server_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    """The message ends up in logs."""
    catalog = open_catalog(f"postgresql://pulih:a-secret-word@/catalog?host={tmp_path}")
    with pytest.raises(RecordsError) as caught, catalog.begin():
        pass
    assert "the database server of the catalog postgresql+psycopg://pulih:***@/catalog" in str(caught.value)
    assert "cannot be used (connection failed: " in str(caught.value) or "connection is bad" in str(caught.value)
    assert "a-secret-word" not in str(caught.value)
    assert "HINT: start the server" in str(caught.value)


def test_a_lost_connection_is_told_and_the_next_one_works(postgresql_url: str) -> None:
    """A run stays suspended for days; the server is restarted meanwhile."""
    catalog = open_catalog(postgresql_url)
    other = open_catalog(postgresql_url)
    end_all = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    told = pytest.raises(RecordsError, match="the transaction is recorded whole or not at all")
    with told, catalog.begin() as connection:
        with other.read() as administrator:
            administrator.execute(end_all)
        connection.execute(select(leases))
    with catalog.read() as connection:
        connection.execute(select(leases))
    with other.read() as administrator:
        administrator.execute(end_all)
    with catalog.begin() as connection:
        assert connection.execute(select(leases)).all() == []
    catalog.dispose()
    other.dispose()


@pytest.mark.parametrize("url", ["mysql://a:pass-word@b/c", "sqlite:///relative.sqlite", "sqlite://", "no url", ""])
def test_a_url_of_another_kind_is_refused_without_repeating_it(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(RecordsError) as caught:
        open_catalog(url)
    assert str(caught.value) == (
        "the catalog's URL is of no kind that is known; nothing was opened\n"
        "HINT: write sqlite:////absolute/path or postgresql://user@host/database"
    )


def test_a_file_that_is_no_database_is_not_upgraded(tmp_path: Path) -> None:
    """The inventory names the wrong file: it stays as it is."""
    (tmp_path / "catalog.sqlite").write_bytes(b"somebody's notes" * 100)
    catalog = open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    with pytest.raises(RecordsError, match=r"is damaged or its disk fails \(file is not a database\)"):
        catalog.upgrade()
    assert (tmp_path / "catalog.sqlite").read_bytes() == b"somebody's notes" * 100
    catalog.dispose()


def test_more_threads_than_connections_are_told(sqlite_url: str) -> None:
    """Each waits its turn; who waits too long is told, and loses nothing."""
    catalog = open_catalog(sqlite_url)
    catalog._engine.pool._timeout = 0.01  # type: ignore[attr-defined]
    with ExitStack() as readers, pytest.raises(RecordsError) as caught:
        for _ in range(100):
            readers.enter_context(catalog.read())
    assert str(caught.value) == (
        "too many threads of one process use the catalog at once; nothing of this transaction was recorded\n"
        "HINT: retry the run: it goes on where the records end"
    )
    catalog.dispose()


def test_what_no_rule_knows_is_told_in_the_database_s_words() -> None:
    """The first line of them: the next ones hold values of the row."""
    strange = sqlite3.ProgrammingError("the weather is bad.\nDETAIL: 3503012345678901")
    told = explain(strange, "/state/catalog.sqlite", 60)
    assert told.message == "the catalog /state/catalog.sqlite could not be used (the weather is bad)"
    assert told.hint.startswith("check the database and its log, ")
    assert "3503012345678901" not in str(told)


def test_a_time_without_a_zone_is_not_recorded() -> None:
    """It could be seven hours off."""
    with pytest.raises(ValueError, match="a time without a zone is not recorded"):
        schema.timestamp(datetime(2026, 11, 20, 15, 0))  # noqa: DTZ001 - that is what is tried
