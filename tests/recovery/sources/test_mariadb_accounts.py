"""MariaDB databases backed up and restored by accounts with the least rights: those of the document, and less."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from recovery.errors import SourceError, SwapError
from recovery.sources.mariadb import MariadbSource
from recovery.sources.server import Account
from tests.recovery.sources.mariadb_databases import dumped, make_database
from tests.testbed.mariadb import MariaDBServer


def documented(number: int, name: str) -> str:
    """One of the document's blocks of SQL, for another database and without passwords."""
    document = Path(__file__).parents[3] / "docs" / "mariadb.md"
    block = document.read_text().split("```sql\n")[number].partition("```")[0]
    pattern = name.replace("_", "\\_")
    return block.replace("`simpel", f"`{pattern}").replace("IDENTIFIED BY '…'", "")


@pytest.fixture
def accounts(mariadb: MariaDBServer) -> Iterator[MariadbSource]:
    """A database with the accounts of the document."""
    source = make_database(mariadb)
    pattern = source.database.replace("_", "\\_")
    mariadb.execute(f"CREATE USER pemilik@localhost; GRANT ALL ON `{pattern}`.* TO pemilik@localhost")
    mariadb.execute(
        "CREATE TABLE jabatan (id int PRIMARY KEY) WITH SYSTEM VERSIONING; INSERT INTO jabatan VALUES (1);"
        "DELETE FROM jabatan;"
        "CREATE SEQUENCE nomor; CREATE TABLE pecah (a float); INSERT INTO pecah VALUES (1.23456789);"
        # Views work with the rights of the application's account, which has none on a copy.
        "CREATE DEFINER=pemilik@localhost VIEW daftar AS SELECT jabatan.id FROM jabatan;"
        "CREATE DEFINER=pemilik@localhost VIEW banyaknya AS SELECT count(daftar.id) AS n FROM daftar;",
        source.database,
    )
    mariadb.execute(documented(1, source.database))
    mariadb.execute(documented(2, source.database))
    source.account, source.restore_account = Account("pulih_backup"), Account("pulih_restore")
    yield source
    mariadb.execute("DROP USER pulih_backup@localhost, pulih_restore@localhost, pemilik@localhost")


def test_the_documented_rights_are_enough_to_back_up_and_to_restore(accounts: MariadbSource) -> None:
    source = accounts
    assert source.preflight() == []
    dump = dumped(source)
    copy = dump.load()
    assert dump.differences(copy) == []
    assert source.check(copy) == []
    assert source.free_space() > 0
    receipt = source.prepare_swap(copy)
    assert source.quiet() == {"sessions": [], "proven": True}
    source.swap(receipt)
    assert source.live_is(receipt) == "new"
    assert dump.differences(None) == []
    source.swap_back(receipt)
    source.discard(copy)
    assert source.copies() == []


ON_ROUTINES = """
DELIMITER //
CREATE PROCEDURE tutup() SELECT 1//
SET SESSION sql_mode = 'ORACLE'//
CREATE PACKAGE paket AS FUNCTION satu RETURN INT; END//
CREATE PACKAGE BODY paket AS FUNCTION satu RETURN INT AS BEGIN RETURN 1; END; END//
DELIMITER ;
GRANT EXECUTE ON PACKAGE paket TO aplikasi_2@localhost;
GRANT EXECUTE ON PACKAGE BODY paket TO aplikasi_2@localhost;
GRANT EXECUTE ON PROCEDURE tutup TO aplikasi_2@localhost;
GRANT EXECUTE, ALTER ROUTINE ON FUNCTION pajak TO aplikasi_2@localhost WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION pajak TO pembaca_2;
"""
# What the live database has more than the backup: with a routine of its own go the rights on it.
NEWER = """
CREATE OR REPLACE FUNCTION pajak(gaji int) RETURNS int DETERMINISTIC RETURN gaji DIV 9;
CREATE PROCEDURE Sesudah() SELECT 2;
GRANT EXECUTE ON PROCEDURE Sesudah TO aplikasi_2@localhost;
SET SESSION sql_mode = 'ORACLE';
DELIMITER //
CREATE PACKAGE paket_baru AS FUNCTION satu RETURN INT; END//
DELIMITER ;
GRANT EXECUTE ON PACKAGE paket_baru TO pembaca_2;
"""
LOST = "GRANT Execute ON PROCEDURE `{}`.`Sesudah` TO `aplikasi_2`@`localhost`"


@pytest.fixture
def newer(accounts: MariadbSource, mariadb: MariaDBServer) -> Iterator[tuple[MariadbSource, str]]:
    """The database with rights on single routines, some of them on routines that are newer than the loaded copy."""
    name = accounts.database
    mariadb.execute("CREATE USER aplikasi_2@localhost; CREATE ROLE pembaca_2")
    mariadb.execute(ON_ROUTINES, name)
    copy = dumped(accounts).load()
    mariadb.execute(NEWER, name)
    yield accounts, copy
    mariadb.execute("DROP USER aplikasi_2@localhost; DROP ROLE pembaca_2")


def rights_on_routines(server: MariaDBServer, name: str) -> set[tuple[str, ...]]:
    return set(
        server.rows(f"SELECT Routine_name, Routine_type, User, Proc_priv FROM mysql.procs_priv WHERE Db = '{name}'")
    )


def test_rights_on_single_routines_outlive_a_swap_and_a_swap_back(
    newer: tuple[MariadbSource, str], mariadb: MariaDBServer, caplog: pytest.LogCaptureFixture
) -> None:
    source, copy = newer
    before = rights_on_routines(mariadb, source.database)
    assert len(before) == 7
    assert source.preflight() == []
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    kept = rights_on_routines(mariadb, source.database)
    assert before - kept == {
        ("Sesudah", "PROCEDURE", "aplikasi_2", "Execute"),
        ("paket_baru", "PACKAGE", "pembaca_2", "Execute"),
    }
    assert kept <= before
    with closing(mariadb.connect(None, "aplikasi_2")) as application, application.cursor() as cursor:
        cursor.execute(f"CALL `{source.database}`.tutup()")
        cursor.execute(f"SELECT `{source.database}`.pajak(90)")
        assert cursor.fetchall() == ((9,),)
    source.swap_back(receipt)
    assert rights_on_routines(mariadb, source.database) == before
    source.swap(receipt)
    source.swap_back(receipt)
    assert rights_on_routines(mariadb, source.database) == before
    assert caplog.messages == []


def test_rights_that_the_restoring_account_cannot_give_again_are_told_as_statements(
    newer: tuple[MariadbSource, str], mariadb: MariaDBServer, caplog: pytest.LogCaptureFixture
) -> None:
    source, copy = newer
    written = source.database.replace("_", "\\_")
    mariadb.execute(f"REVOKE GRANT OPTION ON `{written}`.* FROM pulih_restore@localhost")
    assert source.preflight() == [
        "the account pulih_restore could not give rights on single routines again: GRANT USAGE ON"
        f" `{source.database}`.* TO pulih_restore WITH GRANT OPTION"
    ]
    before = rights_on_routines(mariadb, source.database)
    receipt = source.prepare_swap(copy)
    source.swap(receipt)
    assert caplog.messages == []
    assert source.swap_back(receipt) == {"live": "old", "moved": True}
    assert [message.partition("): ")[2] for message in caplog.messages] == [
        LOST.format(source.database),
        f"GRANT Execute ON PACKAGE `{source.database}`.`paket_baru` TO `pembaca_2`",
    ]
    assert "a right could not be given again (the database " in caplog.messages[0]
    assert len(before - rights_on_routines(mariadb, source.database)) == 2
    # An administrator takes them out of the log.
    mariadb.execute("SET SESSION sql_mode = 'ORACLE';" + ";".join(m.partition("): ")[2] for m in caplog.messages))
    assert rights_on_routines(mariadb, source.database) == before


def test_an_account_that_cannot_see_rights_on_routines_says_so_before_and_when_they_go(
    newer: tuple[MariadbSource, str], mariadb: MariaDBServer, caplog: pytest.LogCaptureFixture
) -> None:
    source, copy = newer
    mariadb.execute("REVOKE SELECT ON mysql.procs_priv FROM pulih_restore@localhost")
    assert source.preflight() == [
        "the account pulih_restore could not give rights on single routines again: GRANT SELECT ON mysql.procs_priv"
        " TO pulih_restore"
    ]
    source.swap(source.prepare_swap(copy))
    assert caplog.messages == [
        f"the other data of {source.database} lacks procedure Sesudah, package paket_baru; whatever rights accounts"
        " have on them go with them, and the account pulih_restore cannot see which: GRANT SELECT ON mysql.procs_priv"
        " TO pulih_restore"
    ]
    routines = "DROP PROCEDURE tutup; DROP FUNCTION pajak; SET sql_mode = 'ORACLE'; DROP PACKAGE paket"
    mariadb.execute(routines, source.database)
    assert source.preflight() == []


def test_foreign_keys_of_a_database_that_an_account_may_not_see_stop_the_swap(
    accounts: MariadbSource, mariadb: MariaDBServer
) -> None:
    source, other = accounts, f"lain.{accounts.database}"
    copy = dumped(source).load()
    assert source.ties() == []
    mariadb.execute(
        f"CREATE DATABASE `{other}`; CREATE TABLE `{other}`.`anak é` (id int,"
        f" FOREIGN KEY (id) REFERENCES `{source.database}`.pegawai (id))"
    )
    try:
        said = f"foreign keys of {other}.anak é point to the database {source.database} and would not go with its name"
        assert source.ties() == [said]
        with pytest.raises(SwapError, match=said):
            source.prepare_swap(copy)
    finally:
        mariadb.execute(f"DROP DATABASE `{other}`")
    receipt = source.prepare_swap(copy)
    mariadb.execute(
        f"CREATE DATABASE `{other}`; CREATE TABLE `{other}`.x (id int PRIMARY KEY); CREATE TABLE anak_lain (id int,"
        # The other way round nothing is wrong.
        f" FOREIGN KEY (id) REFERENCES `{other}`.x (id))",
        source.database,
    )
    try:
        source.swap(receipt)
        source.swap_back(receipt)
    finally:
        mariadb.execute(f"DROP TABLE `{source.database}`.anak_lain; DROP DATABASE `{other}`")


@pytest.mark.parametrize("dropped", ["FUNCTION pajak", "TRIGGER dicatat", ""])
def test_what_the_binary_log_asks_of_the_restoring_account_is_named_before_a_backup(
    accounts: MariadbSource, mariadb: MariaDBServer, dropped: str
) -> None:
    """Functions and triggers alike, and the load of what is warned of really ends so; without them nothing is asked."""
    source = accounts
    if dropped:
        mariadb.execute(f"DROP {dropped}", source.database)
    else:
        mariadb.execute("DROP TRIGGER dicatat; DROP FUNCTION pajak", source.database)
    mariadb.execute("SET GLOBAL log_bin_trust_function_creators = 0")
    try:
        found = source.preflight()
        if not dropped:
            assert found == []
            return
        left = "triggers" if "FUNCTION" in dropped else "functions"
        assert found == [
            f"the account pulih_restore could not restore {left}, as the server writes a binary log:"
            " SET GLOBAL log_bin_trust_function_creators = 1, or GRANT SUPER ON *.* TO pulih_restore"
        ]
        with pytest.raises(SourceError, match="do not have the SUPER privilege and binary logging is enabled"):
            dumped(source).load()
        mariadb.execute("GRANT SUPER ON *.* TO pulih_restore@localhost")
        assert source.preflight() == []
        source.discard(dumped(source).load())
    finally:
        mariadb.execute("SET GLOBAL log_bin_trust_function_creators = 1")


def test_whoever_leaves_the_binary_log_alone_needs_a_right_for_it(
    accounts: MariadbSource, mariadb: MariaDBServer
) -> None:
    accounts.write_binlog = False
    assert accounts.preflight() == [
        "the account pulih_restore could not restore: GRANT BINLOG ADMIN ON *.* TO pulih_restore"
    ]
    with pytest.raises(SourceError, match="BINLOG ADMIN"):
        dumped(accounts).load()
    mariadb.execute("GRANT BINLOG ADMIN ON *.* TO pulih_restore@localhost")
    assert accounts.preflight() == []
    accounts.discard(dumped(accounts).load())


def test_an_account_that_does_not_see_all_sessions_proves_nothing(
    accounts: MariadbSource, mariadb: MariaDBServer
) -> None:
    source = accounts
    copy = dumped(source).load()
    receipt = source.prepare_swap(copy)
    mariadb.execute("REVOKE PROCESS ON *.* FROM pulih_restore@localhost")
    with closing(mariadb.connect(source.database)):
        for looking in (source.quiet, lambda: source.swap(receipt)):
            with pytest.raises(SourceError, match="the account pulih_restore does not see who else uses") as raised:
                looking()
            assert raised.value.hint == "GRANT PROCESS ON *.* TO pulih_restore"
    assert source.live_is(receipt) == "old"
    source.discard(copy)


@pytest.mark.parametrize(
    ("right", "hint"),
    [
        ("RELOAD ON *.*", "GRANT RELOAD ON *.* TO pulih_backup"),
        ("EVENT ON `{}`.*", "GRANT EVENT ON `{}`.* TO pulih_backup"),
        ("SELECT, TRIGGER ON `{}`.*", "GRANT SELECT, TRIGGER ON `{}`.* TO pulih_backup"),
        ("SELECT ON mysql.proc", "GRANT SELECT ON mysql.proc TO pulih_backup"),
    ],
)
def test_what_an_account_may_not_read_is_named_with_its_grant(
    accounts: MariadbSource, mariadb: MariaDBServer, right: str, hint: str
) -> None:
    written = accounts.database.replace("_", "\\_")
    mariadb.execute(f"REVOKE {right.format(written)} FROM pulih_backup@localhost")
    with pytest.raises(
        SourceError, match=f"the account pulih_backup may not read all of the database {accounts.database}"
    ) as raised:
        accounts.preflight()
    assert raised.value.hint == hint.format(accounts.database)
