"""What MariaDB's programs say becomes an error that an operator can treat, and tells nobody a value of the data."""

import os
import subprocess
from typing import Any

import pytest

from recovery.errors import SourceError
from recovery.hosts import program_mariadb_load
from recovery.hosts.program_error import ProgramError
from recovery.hosts.program_mariadb_client import Session, Target
from recovery.hosts.program_mariadb_errors import explained
from tests.recovery.sources.mariadb_databases import dumped, make_database
from tests.testbed.mariadb import MariaDBServer

TARGET = b"""{"server": "", "port": 0, "user": "", "database": "simpel", "private": "", "lock_timeout": 1,
"lock_nontransactional": false, "write_binlog": true}"""
# A value with an apostrophe, and with a line that looks like the client's own word.
LINE = "ERROR 1146 (42S02) at line 9: Budi Santoso"
SECRETS = ("Brien", "3271", "Budi", "Mawar")


SYNTAX = (
    "You have an error in your SQL syntax; check the manual that corresponds to your MariaDB server version for the"
)
DUMPING = "mariadb-dump: Error 2013: Lost connection to server during query"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "ERROR 1062 (23000) at line 7: Duplicate entry 'O'Brien-3271046504930002' for key 'PRIMARY'",
            "Duplicate entry …",
        ),
        (f"ERROR 1062 (23000) at line 7: Duplicate entry 'O'Brien\n{LINE}' for key 'PRIMARY'", "Duplicate entry …"),
        (
            f"ERROR 1064 (42000) at line 3: {SYNTAX} right syntax to use near ''Budi','3271','Mawar' at line 1",
            f"{SYNTAX} right syntax to use near …",
        ),
        (
            "ERROR 1136 (21S01) at line 3: Column count doesn't match value count at row 1",
            "Column count doesn't match value count at row 1",
        ),
        ("ERROR 1146 (42S02) at line 9: Table 'simpel.x' doesn't exist", "Table 'simpel.x' doesn't exist"),
        ("ERROR 2002 (HY000): Can't connect to server on 'h' (115)", "Can't connect to server on 'h' (115)"),
        (
            "mariadb-dump: Got error: 1045: \"Access denied for user 'a'@'b'\" when trying to connect",
            "Access denied for user 'a'@'b'",
        ),
        (f"{DUMPING} when dumping table `x` at row: 5", "Lost connection to server during query"),
        (
            "mariadb-dump: Couldn't execute 'SHOW CREATE TABLE `a`': Table 'a' doesn't exist in engine (1932)",
            "Table …",
        ),
        ("insert into t values ('Budi', 'x: ERROR 1146 (42S02): 3271')", "the program ended without a word"),
        ("mariadb: unknown option '--x'", "mariadb: unknown option …"),
        ("/usr/bin/mariadb: no such library", "/usr/bin/mariadb: no such library"),
        ("", "the program ended without a word"),
    ],
)
def test_a_message_is_told_without_values(said: str, told: str) -> None:
    message = explained(said, Target(TARGET), "").report["message"]
    assert message == f"the database simpel on the local socket: {told}"


def test_no_row_of_a_failing_statement_is_told_or_written_anywhere(
    mariadb: MariaDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_database(mariadb)
    mariadb.execute(
        "CREATE TABLE penduduk (nik varchar(99) PRIMARY KEY, isi text);"
        f"INSERT INTO penduduk VALUES ('O\\'Brien-3271\n{LINE}', 'ERROR 1146 (42S02): Jl. Mawar')",
        source.database,
    )
    dump = dumped(source)
    statement = dump.plain[dump.plain.index(b"INSERT INTO `penduduk`") :].partition(b";\n")[0] + b";\n"
    assert b"Mawar" in statement
    broken = dump.plain.replace(statement, statement * 2)
    with pytest.raises(SourceError) as raised:
        dump.load("ganda", plain=broken)
    assert raised.value.message.endswith(": Duplicate entry …"), raised.value.message

    said: list[str] = []
    places: list[str] = []
    popen = subprocess.Popen

    def listening(text: str, *arguments: Any, **options: Any) -> ProgramError:
        said.append(text)
        return explained(text, *arguments, **options)

    def looking(*arguments: Any, **options: Any) -> Any:
        places.append(os.readlink(f"/proc/self/fd/{options['stderr'].fileno()}"))
        return popen(*arguments, **options)

    mariadb.execute(f"CREATE DATABASE `{source.database}_lain`")
    monkeypatch.setattr(program_mariadb_load, "explained", listening)
    monkeypatch.setattr(subprocess, "Popen", looking)
    with source._target(source.account) as text:
        target = Target(text.encode())
        with pytest.raises(ProgramError):
            program_mariadb_load._fill(target, "mariadb", f"{source.database}_lain", [broken])
        with pytest.raises(ProgramError) as failed, Session(target, source.database) as session:
            session.run("INSERT INTO penduduk SELECT * FROM penduduk")
    monkeypatch.undo()
    mariadb.execute(f"DROP DATABASE `{source.database}_lain`")
    assert [place for place in places if not place.startswith("/memfd:")] == []
    # The client's own message, and nothing of the statement beside what stands in it.
    assert len(said) == 1
    assert said[0].startswith("ERROR 1062 (23000) at line ")
    assert "Mawar" not in said[0]
    assert [secret for secret in SECRETS if secret in failed.value.report["message"]] == []
