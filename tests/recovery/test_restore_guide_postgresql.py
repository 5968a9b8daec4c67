"""RESTORE.md for PostgreSQL, proven by doing what it says on a server that lost everything, roles included."""

from contextlib import closing
from pathlib import Path

import pytest

from tests.recovery.sources.postgresql_databases import PLAIN, Dumped, connect, dumped, source_of
from tests.recovery.test_restore_guide import Place, place
from tests.testbed.postgresql import PostgreSQLServer, run_postgresql

pytestmark = pytest.mark.slow

OWNER = """
CREATE ROLE pemilik LOGIN;
CREATE DATABASE simpel OWNER pemilik;
"""


def count(server: PostgreSQLServer, database: str) -> int:
    with closing(connect(server, database)) as connection:
        return int(connection.execute("SELECT count(*) FROM pegawai").fetchone()[0])


def guided(tmp_path: Path, server: PostgreSQLServer, dump: Dumped) -> Place:
    found = place(tmp_path, "postgresql", dump.plain, dump.result.server_globals)
    found.environment.update({"PGHOST": str(server.directory), "PGUSER": server.user})
    return found


def test_a_database_is_restored_beside_a_damaged_one_and_on_a_bare_server(tmp_path: Path) -> None:
    with run_postgresql() as server:
        for statement in OWNER.strip().splitlines():
            server.execute(statement)
        server.execute(
            PLAIN + "ALTER TABLE pegawai OWNER TO pemilik; ALTER DATABASE simpel SET work_mem = '9MB'", "simpel"
        )
        source = source_of(server, "simpel")
        dump = dumped(source)
        guide = guided(tmp_path, server, dump)
        server.execute("DELETE FROM pegawai WHERE id > 10", "simpel")

        guide.target = "lain"
        said = guide.follow("postgresql")
        assert "basis data: TIDAK COCOK" in said
        assert "dipasang: TIDAK" in said
        assert count(server, "simpel") == 10
        guide.target = "simpel"

        said = guide.follow("postgresql")

        assert "Signature Verified Successfully" in said
        assert said.count(": COCOK") == 5
        assert "TIDAK" not in said
        assert said.count("BERHASIL") == 2
        assert dump.differences(None) == []
        assert count(server, "simpel.lama") == 10
        again = guide.follow("postgresql")
        assert "dipasang: TIDAK" in again
        assert count(server, "simpel.lama") == 10

        server.execute('DROP DATABASE "simpel.lama"')
        server.execute("DROP DATABASE simpel")
        server.execute("DROP ROLE pemilik")
        assert guide.follow("postgresql").count("BERHASIL") == 2
        assert dump.differences(None) == []
