"""Writers that commit without a pause: each backup is one moment, and its restored copy equals it to the last row.

One test for all engines: an engine joins by a class like PostgresqlBank.
"""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from recovery.procedures.backup.b2_verify import judge_copy
from recovery.sources.base import Source
from tests.recovery.sabotage.proving import MOMENT, dump_of
from tests.recovery.sources import mariadb_databases
from tests.recovery.sources.postgresql_databases import connect, make_database
from tests.testbed.engines import first_every_time
from tests.testbed.mariadb import MariaDBServer, run_mariadb
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

ACCOUNTS, EACH, WRITERS = 40, 1000, 3
# What nobody may see: money that was taken from one account and not yet given to another, or a transfer without its
# record. Accounts are opened and closed meanwhile, so that rows come and go in every table.
BANK = f"""
CREATE TABLE rekening (id integer PRIMARY KEY, saldo bigint NOT NULL, catatan text);
INSERT INTO rekening SELECT n, {EACH} FROM generate_series(1, {ACCOUNTS}) n;
CREATE TABLE mutasi (id bigserial PRIMARY KEY, dari integer NOT NULL, ke integer NOT NULL, isi text);
INSERT INTO mutasi (dari, ke, isi) SELECT 1, 2, md5(n::text) FROM generate_series(1, 20000) n;
CREATE TABLE jumlah (mutasi bigint NOT NULL);
INSERT INTO jumlah VALUES (20000);
CREATE TABLE antre (id bigserial PRIMARY KEY, isi text); CREATE INDEX ON antre (isi);
"""


MARIADB_BANK = f"""
CREATE TABLE rekening (id int PRIMARY KEY, saldo bigint NOT NULL, bunga float, catatan text);
INSERT INTO rekening (id, saldo) SELECT seq, {EACH} FROM seq_1_to_{ACCOUNTS};
CREATE TABLE mutasi (id bigint AUTO_INCREMENT PRIMARY KEY, dari int NOT NULL, ke int NOT NULL, isi text);
INSERT INTO mutasi (dari, ke, isi) SELECT 1, 2, MD5(seq) FROM seq_1_to_20000;
CREATE TABLE jumlah (mutasi bigint NOT NULL);
INSERT INTO jumlah VALUES (20000);
CREATE TABLE antre (id bigint AUTO_INCREMENT PRIMARY KEY, isi varchar(40), KEY (isi));
"""


class Bank(Protocol):
    """A database of one engine in which money is moved."""

    source: Source

    def transfer(self, chance: int) -> None:
        """Move money once, in a transaction of several statements, by a connection of the calling thread's own."""

    def facts(self, copy: str) -> dict[str, int]:
        """Return "sum" of all accounts, "moved" (records of transfers) and "counted" (what their counter says)."""


class PostgresqlBank:
    """A bank in PostgreSQL."""

    def __init__(self, server: PostgreSQLServer) -> None:
        self._server = server
        self.source = make_database(server, BANK)
        self._mine = threading.local()

    @classmethod
    @contextmanager
    def open(cls) -> "Iterator[PostgresqlBank]":
        """Start a server with the bank in it."""
        with run_postgresql() as server:
            yield cls(server)

    def transfer(self, chance: int) -> None:
        """See Bank.transfer."""
        if not hasattr(self._mine, "connection"):
            self._mine.connection = connect(self._server, self.source.database)
        first, second = sorted((1 + chance % ACCOUNTS, 1 + chance * 7 % ACCOUNTS))
        connection = self._mine.connection
        with connection.transaction():
            connection.execute("UPDATE jumlah SET mutasi = mutasi + 1")
            for account, amount in ((first, -1), (second, 1)):
                change = "UPDATE rekening SET saldo = saldo + %s, catatan = md5(random()::text) WHERE id = %s"
                connection.execute(change, (amount, account))
            connection.execute("INSERT INTO mutasi (dari, ke, isi) VALUES (%s, %s, 'x')", (first, second))
            connection.execute("INSERT INTO antre (isi) SELECT md5(random()::text) FROM generate_series(1, 3)")
            connection.execute("DELETE FROM antre WHERE id IN (SELECT id FROM antre ORDER BY id LIMIT 3)")

    def facts(self, copy: str) -> dict[str, int]:
        """See Bank.facts."""
        queries = {
            "sum": "SELECT sum(saldo)::bigint FROM rekening",
            "moved": "SELECT count(*) FROM mutasi",
            "counted": "SELECT mutasi FROM jumlah",
        }
        with closing(connect(self._server, copy)) as connection:
            return {name: connection.execute(query).fetchone()[0] for name, query in queries.items()}


class MariadbBank:
    """A bank in MariaDB, whose accounts hold rows of every kind of number that a dump writes in its own way."""

    def __init__(self, server: MariaDBServer) -> None:
        self._server = server
        self.source = mariadb_databases.make_database(server, MARIADB_BANK)
        # Writers keep commits and locks busy; what holds a dump up for so long is no writer.
        self.source.lock_timeout = 20
        self._mine = threading.local()

    @classmethod
    @contextmanager
    def open(cls) -> "Iterator[MariadbBank]":
        """Start a server with the bank in it."""
        with run_mariadb() as server:
            yield cls(server)

    def transfer(self, chance: int) -> None:
        """See Bank.transfer."""
        if not hasattr(self._mine, "connection"):
            self._mine.connection = self._server.connect(self.source.database)
        first, second = sorted((1 + chance % ACCOUNTS, 1 + chance * 7 % ACCOUNTS))
        connection = self._mine.connection
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE jumlah SET mutasi = mutasi + 1")
            for account, amount in ((first, -1), (second, 1)):
                cursor.execute(
                    "UPDATE rekening SET saldo = saldo + %s, bunga = RAND(), catatan = MD5(RAND()) WHERE id = %s",
                    (amount, account),
                )
            cursor.execute("INSERT INTO mutasi (dari, ke, isi) VALUES (%s, %s, 'x')", (first, second))
            cursor.execute("INSERT INTO antre (isi) SELECT MD5(RAND()) FROM seq_1_to_3")
            cursor.execute("DELETE FROM antre ORDER BY id LIMIT 3")
            cursor.execute("COMMIT")

    def facts(self, copy: str) -> dict[str, int]:
        """See Bank.facts."""
        queries = {
            "sum": "SELECT sum(saldo) FROM rekening",
            "moved": "SELECT count(*) FROM mutasi",
            "counted": "SELECT mutasi FROM jumlah",
        }
        return {name: int(self._server.rows(query, copy)[0][0]) for name, query in queries.items()}


BANKS: dict[str, Any] = {"postgresql": PostgresqlBank, "mariadb": MariadbBank}


# Each engine's own tests have a dump under writers, too; `make test` plays this one on the first alone.
@pytest.fixture(params=first_every_time())
def bank(request: pytest.FixtureRequest) -> Iterator[Bank]:
    opened: AbstractContextManager[Bank] = BANKS[request.param].open()
    with opened as found:
        yield found


@contextmanager
def busy(bank: Bank) -> Iterator[list[int]]:
    """Writers at work; what they committed is counted for each. Whatever one of them stumbles over is raised."""
    end, done, errors = threading.Event(), [0] * WRITERS, []

    def write(number: int) -> None:
        try:
            while not end.is_set():
                bank.transfer(done[number] * WRITERS + number)
                done[number] += 1
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        while not all(done) and not errors:
            end.wait(0.01)
        yield done
    finally:
        end.set()
        for writer in writers:
            writer.join()
    assert errors == []


def back_up_while_busy(bank: Bank, rounds: int, directory: Path) -> None:
    moved: list[int] = []
    with busy(bank) as done:
        for number in range(rounds):
            before = sum(done)
            original = dump_of(bank.source)
            assert sum(done) > before, "nobody wrote while the dump was made"
            copy = bank.source.beside(f"ke-{number}")
            with bank.source.load(copy, original.server_globals) as load:
                load.write(original.plain)
                load.finish()
            assert original.expected.differences(bank.source.fingerprint(copy)) == []
            facts = bank.facts(copy)
            assert facts["sum"] == ACCOUNTS * EACH
            assert facts["moved"] == facts["counted"]
            moved.append(facts["moved"])
            verdict = judge_copy(bank.source, copy, original.expected, "", MOMENT, directory)
            assert [check for check in verdict.checks if check.state != "pass"] == []
            bank.source.discard(copy)
    assert moved == sorted(moved)
    assert moved[0] > 20_000


def test_a_backup_under_writers_is_one_moment(bank: Bank, tmp_path: Path) -> None:
    back_up_while_busy(bank, 1, tmp_path)


@pytest.mark.endurance
def test_twenty_backups_under_writers_are_each_one_moment(bank: Bank, tmp_path: Path) -> None:
    back_up_while_busy(bank, 20, tmp_path)
