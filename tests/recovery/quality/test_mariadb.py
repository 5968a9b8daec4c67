"""What the judge finds out about tables of a MariaDB copy that are gone, damaged, or point to another database."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recovery.hosts.local import LocalHost
from recovery.quality.engine import open_datasource, quiet
from recovery.sources.mariadb import MariadbSource
from recovery.sources.server import Account
from tests.testbed.mariadb import MariaDBServer, run_mariadb

# A server of its own.
pytestmark = pytest.mark.slow

COPY = "simpel.pulih-bukti"
TABLES = """
CREATE TABLE induk (id int PRIMARY KEY);
CREATE TABLE anak (id int PRIMARY KEY, induk int, FOREIGN KEY (induk) REFERENCES induk (id));
CREATE TABLE lain.unit (id int PRIMARY KEY);
CREATE TABLE pegawai (id int PRIMARY KEY, unit int, FOREIGN KEY (unit) REFERENCES lain.unit (id));
CREATE TABLE riwayat (id int) WITH SYSTEM VERSIONING;
INSERT INTO riwayat VALUES (1), (2);
DELETE FROM riwayat WHERE id = 1;
INSERT INTO induk VALUES (1);
SET SESSION foreign_key_checks = 0;
INSERT INTO anak VALUES (1, 1), (2, 7), (3, NULL);
INSERT INTO pegawai VALUES (1, 1);
DROP DATABASE lain;
"""


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A server with one copy, as a load leaves it."""
    with run_mariadb() as server:
        server.execute(f"CREATE DATABASE lain; CREATE DATABASE `{COPY}`")
        server.execute(TABLES, COPY)
        yield server


@pytest.fixture
def engine(server: MariaDBServer, tmp_path: Path) -> Iterator[Any]:
    """Great Expectations' own, as the judge's metrics get it."""
    source = MariadbSource(LocalHost(), "simpel", server=str(server.socket), account=Account("root"))
    with quiet(), open_datasource(source.judge_url(COPY, tmp_path)) as datasource:
        yield datasource.get_execution_engine()


def test_rows_and_orphans_are_counted_and_what_is_elsewhere_is_not_guessed(engine: Any) -> None:
    """Former rows count, too; a parent in another database is where copies are not proven."""
    from recovery.quality.metrics import NotCheckable, _Orphans, _RowCount

    assert {"induk": 1, "anak": 3, "riwayat": 2, "tiada": None} == {
        table: _RowCount.look(engine, table) for table in ("induk", "anak", "riwayat", "tiada")
    }
    assert {"induk": 0, "anak": 1, "tiada": 0} == {
        table: _Orphans.look(engine, table) for table in ("induk", "anak", "tiada")
    }
    assert isinstance(_Orphans.look(engine, "pegawai"), NotCheckable)


def test_a_table_whose_file_is_damaged_is_an_observation_and_no_blind_judge(engine: Any, server: MariaDBServer) -> None:
    """Whoever asks: the table itself, or one that points to it."""
    from recovery.quality.metrics import Damaged, _Orphans, _RowCount

    # The server writes the dot and the hyphen of a database's name in this way.
    definition = server.directory / "data" / "simpel@002epulih@002dbukti" / "induk.frm"
    definition.write_bytes(b"no definition")
    server.execute("FLUSH TABLES")
    assert isinstance(_RowCount.look(engine, "induk"), Damaged)
    assert isinstance(_Orphans.look(engine, "anak"), Damaged)
