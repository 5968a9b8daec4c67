"""RESTORE.md for MariaDB, proven by doing what it says on a server that lost everything, accounts included."""

from pathlib import Path

import pytest

from tests.recovery.sources.mariadb_databases import ACCOUNTS, RICH, RICH_GRANTS, dumped, source_of
from tests.recovery.test_restore_guide import place
from tests.testbed.mariadb import run_mariadb

pytestmark = pytest.mark.slow


def test_a_database_is_restored_with_plain_programs_on_a_bare_server(tmp_path: Path) -> None:
    with run_mariadb() as server, run_mariadb() as bare:
        server.execute("CREATE DATABASE simpel COLLATE utf8mb4_general_ci")
        for statements in (ACCOUNTS, RICH, RICH_GRANTS.format(name="simpel")):
            server.execute(statements, "simpel")
        dump = dumped(source_of(server, "simpel"))
        guide = place(tmp_path, "mariadb", dump.plain, dump.result.server_globals)
        guide.environment["MASUK"] = f"--no-defaults --user=root --socket={bare.socket}"

        guide.target = "lain"
        said = guide.follow("mariadb")
        assert "basis data: TIDAK COCOK" in said
        assert "dipasang: TIDAK" in said
        guide.target = "simpel"

        said = guide.follow("mariadb")

        assert "Signature Verified Successfully" in said
        assert said.count(": COCOK") == 6
        assert "TIDAK" not in said
        assert "dipasang: BERHASIL" in said
        assert bare.rows("SELECT count(*) FROM `Pegawai Negeri`", "simpel") == [(60,)]
        assert dump.result.fingerprint.differences(source_of(bare, "simpel").fingerprint()) == []
        locked = "SELECT JSON_VALUE(Priv, '$.account_locked') FROM mysql.global_priv WHERE User = 'aplikasi'"
        assert bare.rows(locked) == [("1",)]
        assert "dipasang: TIDAK" in guide.follow("mariadb")
