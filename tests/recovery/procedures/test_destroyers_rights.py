"""The account that destroys sets has a role of its own in a PostgreSQL catalog: it does its work with what
deployments/postgresql/pulih-pemusnahan.sql gives it, and the database refuses it what it must not do."""

import getpass
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from recovery import points
from recovery.errors import ApprovalError, RecordsError
from recovery.procedures.questions import question_of
from recovery.procedures.retention import NotOpened, begin_retention, conclude_retention, destroy, draw_up_record
from recovery.records import backups, destructions, holds, ledger, ledger_heads, procedures
from recovery.records.approvals import ApprovalRequest, ask
from recovery.records.catalog import open_catalog
from recovery.settings import RetentionSettings
from tests.testbed.old_backups import old_backup, old_records, set_directory
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql
from tests.testbed.small_office import KABID, KADIS, SmallOffice, open_office

pytestmark = pytest.mark.slow

RIGHTS = Path(__file__).parents[3] / "deployments" / "postgresql" / "pulih-pemusnahan.sql"
OWNER, DESTROYER = "pulih", "pulih-pemusnahan"
SHORT = RetentionSettings(verified=2, daily=0, weekly=0, monthly=0, yearly=0)


@dataclass(frozen=True)
class Two:
    """An office as its own account has it, as the account has it that destroys, and that account's database."""

    office: SmallOffice
    destroyer: SmallOffice
    database: str
    url: str
    made: list[backups.Backup]

    def states(self) -> list[str]:
        with self.office.installation.catalog.read() as connection:
            return [each.state for each in backups.list_backups(connection)]

    def there(self) -> list[bool]:
        return [set_directory(self.office, each).exists() for each in self.made]

    def begin(self) -> str:
        procedure_id = str(uuid.uuid4())
        assert begin_retention(self.destroyer.installation, procedure_id) is None
        draw_up_record(self.destroyer.installation, procedure_id)
        return procedure_id


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQLServer]:
    with run_postgresql() as running:
        running.execute(f'CREATE ROLE {OWNER} LOGIN; CREATE ROLE "{DESTROYER}" LOGIN')
        yield running


@pytest.fixture
def two(server: PostgreSQLServer, tmp_path: Path) -> Iterator[Two]:
    """An office with five backups, of which three are past their retention, and its account that destroys."""
    database = f"katalog_{uuid.uuid4().hex}"
    server.execute(f"CREATE DATABASE {database} OWNER {OWNER}")
    own = PostgreSQLServer(server.directory, OWNER)
    office = open_office(tmp_path / "office", catalog_url=own.url(database), running=False)
    schedule = office.installation.schedules["bulanan"]
    changed = schedule.model_copy(update={"retention_days": 10, "retention": SHORT})
    office.installation.schedules["bulanan"] = changed
    for _ in range(2):  # as after the next release
        own.execute(RIGHTS.read_text(encoding="utf-8"), database)
    url = PostgreSQLServer(server.directory, DESTROYER).url(database)
    reference = office.root / "keys" / "catalog-pemusnahan"
    reference.write_text(url)
    settings = office.installation.office.model_copy(update={"catalog": f"file:{reference}"})
    destroyer = replace(office, installation=replace(office.installation, office=settings))
    # Not of this second, whose name the next backup takes.
    now = datetime.now(UTC) - timedelta(minutes=1)
    made = [old_backup(office, now - timedelta(weeks=4 - number)) for number in range(5)]
    yield Two(office, destroyer, database, url, made)
    for each in (office, destroyer):
        each.installation.catalog.dispose()


def test_a_destruction_goes_through_from_the_plan_to_the_records(two: Two) -> None:
    """With a wrong answer before the right one, and old records of the installation among the sets."""
    two.office.installation.office.records.newest = 3
    now = datetime.now(UTC)
    days = (200, 170, 140, 105, 70, 35, 0)
    old = [old_records(two.office, now - timedelta(days=ago), number) for number, ago in enumerate(days, 1)]
    procedure_id = two.begin()
    with pytest.raises(ApprovalError):
        two.destroyer.decide("retention.approve", procedure_id, KADIS, "disetujui")
    with pytest.raises(ApprovalError):
        two.destroyer.decide("retention.approve", procedure_id, KABID, "disetujui", code="000000")
    two.destroyer.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(two.destroyer.installation, procedure_id)
    conclusion = conclude_retention(two.destroyer.installation, procedure_id)
    assert conclusion.good, conclusion.sentence
    assert ["destroyed"] * 3 + ["secured"] * 2 == two.states()
    assert [False] * 3 + [True] * 2 == two.there()
    records = two.office.root / "store" / "pulih" / "pulih"
    assert [False] * 4 + [True] * 3 == [(records / name).exists() for name in old]
    store, trusted = two.office.installation.store("utama"), two.office.installation.signer.trusted_pem
    with two.office.installation.catalog.read() as connection:
        assert [] == ledger.verify(connection, ledger_heads.read_heads(store, trusted), trusted)
        assert [] == destructions.verify(connection)
        assert procedure_id == procedures.get(connection, procedure_id).id
        assert ledger.head(connection) == ledger_heads.newest_head(store, trusted)


def test_what_it_could_not_end_it_ends_with_the_next_plan(two: Two) -> None:
    """A plan whose place another one takes, a set that is held after the approval, and one of which something stays."""
    catalog = two.office.installation.catalog
    replaced, procedure_id = two.begin(), two.begin()
    two.destroyer.decide("retention.approve", procedure_id, KABID, "disetujui")
    with catalog.begin() as connection:
        holds.add(connection, application="simpel", backup_id=two.made[1].id, reason="Perkara 12")
    stray = set_directory(two.office, two.made[0]) / "stray"

    def put_it(name: str) -> None:
        if name == "retention: begun" and stray.parent.exists():
            stray.write_bytes(b"x")

    with points.observe(put_it):
        destroy(two.destroyer.installation, procedure_id)
    assert not conclude_retention(two.destroyer.installation, procedure_id).good
    assert ["begun", "skipped", "destroyed"] == _became(two, procedure_id)
    stray.unlink()
    told = begin_retention(two.destroyer.installation, str(uuid.uuid4()))
    assert NotOpened("nothing", "Tidak ada cadangan yang perlu dimusnahkan.") == told
    assert ["destroyed", "skipped", "destroyed"] == _became(two, procedure_id)
    with catalog.read() as connection:
        assert procedures.SUPERSEDED == procedures.get(connection, replaced).outcome


def _became(two: Two, procedure_id: str) -> list[str]:
    with two.office.installation.catalog.read() as connection:
        became = destructions.of_procedure(connection, procedure_id)
    return [became[each.id].state for each in two.made[:3]]


def test_a_question_that_nobody_answered_is_asked_anew(two: Two) -> None:
    procedure_id = two.begin()
    catalog = two.destroyer.installation.catalog
    question, month = question_of(two.destroyer.installation, procedure_id, "retention.approve"), timedelta(days=30)
    first = ask(catalog, question, lifetime=timedelta(days=14))
    second = ask(catalog, question, lifetime=timedelta(days=14), now=datetime.now(UTC) + month)
    assert isinstance(first, ApprovalRequest) and isinstance(second, ApprovalRequest)
    assert (1, 2) == (first.attempt, second.attempt)


REFUSED = [
    "DELETE FROM ledger",
    "UPDATE ledger SET facts = '{}'",
    "TRUNCATE ledger",
    "DELETE FROM backups",
    "DELETE FROM destructions",
    "UPDATE decisions SET decision = 'disetujui'",
    "DELETE FROM decisions",
    "UPDATE destructions SET objects = '{}'",
    "UPDATE backups SET manifest_sha256 = ''",
    "UPDATE backups SET verdict = 'pass'",
    "UPDATE backups SET state = 'failed'",
    "INSERT INTO backups SELECT * FROM backups",
    "UPDATE officials SET roles = '[\"kabid\"]'",
    "UPDATE officials SET secret = NULL",
    "INSERT INTO officials (nip, name, position, unit, roles) VALUES ('1', 'x', 'x', 'x', '[]')",
    "INSERT INTO holds SELECT * FROM holds",
    "UPDATE holds SET removed_at = '2026'",
    "DELETE FROM holds",
    "INSERT INTO steps (procedure_id, step_id, state, opened_at) VALUES ('x', 'restore.3', 'done', '2026')",
    "UPDATE swaps SET state = 'kept'",
    "UPDATE procedures SET parameters = '{}'",
    "INSERT INTO procedures (id, kind, state, release, parameters, opened_at) "
    "VALUES ('x', 'restore', 'open', '', '', '')",
    "INSERT INTO leases (resource, holder, token, taken_at, expires_at) "
    "VALUES ('component:simpel/data', 'x', 1, '', '9')",
    "INSERT INTO decisions (request_id, procedure_id, step_id, nip, decision, method, submitted_at, recorded_at, "
    "request_hash) VALUES ('x', 'x', 'restore.3', 'x', 'disetujui', 'totp', '2026', '2026', '')",
    "INSERT INTO forms (number, kind, procedure_id, version, facts, pdf_sha256, path, created_at) "
    "VALUES ('1', 'restore', 'x', 1, '{}', '', '', '2026')",
    "INSERT INTO number_sequences (series, year, last) VALUES ('restore', 2026, 900)",
    "UPDATE receipt_codes SET used_at = NULL",
    "UPDATE alembic_version SET version_num = '0001'",
    "CREATE TABLE more (id integer)",
    "DROP TABLE holds",
    "ALTER TABLE ledger DISABLE TRIGGER ALL",
    "ALTER TABLE backups DISABLE ROW LEVEL SECURITY",
    'SET ROLE "pulih"',
]


def test_the_database_refuses_what_it_must_not_do(two: Two) -> None:
    """Each of them is refused for want of a right, not because it is wrong; nothing of it is done."""
    before = _content(two)
    with psycopg.connect(two.url.replace("+psycopg", ""), autocommit=True) as connection:
        allowed = []
        for statement in REFUSED:
            try:
                connection.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                continue
            allowed.append(statement)
    assert [] == allowed
    assert before == _content(two)


def test_rows_of_others_are_out_of_its_reach(two: Two) -> None:
    """A change of theirs finds no row; an answer to another question, or one of their forms, is refused."""
    with two.office.installation.catalog.begin() as connection:
        connection.execute(text("UPDATE backups SET state = 'failed' WHERE id = :id"), {"id": two.made[0].id})
        connection.execute(
            text("INSERT INTO leases VALUES ('component:simpel/data', 'other', 7, '2026', '9999', 'restore')")
        )
    with psycopg.connect(two.url.replace("+psycopg", ""), autocommit=True) as connection:

        def changed(statement: str) -> int:
            return connection.execute(statement.encode()).rowcount

        assert 0 == changed(f"UPDATE backups SET state = 'destroyed' WHERE id = '{two.made[0].id}'")
        assert 0 == changed("UPDATE leases SET holder = 'me' WHERE resource = 'component:simpel/data'")
        assert 0 == changed("UPDATE procedures SET state = 'open' WHERE kind = 'backup'")
        assert 0 == changed("UPDATE number_sequences SET last = 0 WHERE series <> 'destruction'")
        assert 0 == changed("UPDATE approval_requests SET state = 'open' WHERE step_id <> 'retention.approve'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(b"UPDATE backups SET state = 'secured' WHERE state = 'secured'")


def test_nobody_else_loses_a_right_by_it(two: Two, server: PostgreSQLServer) -> None:
    """Policies hide no row from a role that may read, such as an auditor's; the owner goes on as before."""
    server.execute("CREATE ROLE auditor LOGIN; GRANT pg_read_all_data TO auditor")
    auditor = open_catalog(PostgreSQLServer(server.directory, "auditor").url(two.database))
    with auditor.read() as connection:
        assert 5 == len(backups.list_backups(connection))
        assert [] == ledger.verify(connection)
    auditor.dispose()
    two.office.back_up()
    assert 7 == len(two.states())


def test_whoever_lacks_the_rights_is_told(two: Two, server: PostgreSQLServer) -> None:
    server.execute(f'REVOKE INSERT ON leases FROM "{DESTROYER}"', two.database)
    with pytest.raises(RecordsError, match=r"lacks a right \(permission denied for table leases\)"):
        two.begin()


def test_a_url_without_an_account_is_of_whoever_runs_it(server: PostgreSQLServer) -> None:
    """So one URL serves both accounts where the server asks the system who is there."""
    account = getpass.getuser()
    with suppress(psycopg.errors.DuplicateObject):
        server.execute(f'CREATE ROLE "{account}" LOGIN')
    catalog = open_catalog(f"postgresql:///postgres?host={server.directory}")
    with catalog.read() as connection:
        assert account == connection.execute(text("SELECT current_user")).scalar()
    catalog.dispose()


def _content(two: Two) -> list[Any]:
    with two.office.installation.catalog.read() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"))
        names = [str(name) for (name,) in tables]
        return [(name, connection.execute(text(f"SELECT * FROM {name} ORDER BY 1")).fetchall()) for name in names]
