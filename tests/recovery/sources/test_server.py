"""What the sources of both engines refuse before any server is asked, and how the judge finds the server."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from recovery.errors import ConfigurationError, SetError, SourceError
from recovery.hosts.local import LocalHost
from recovery.sources.mariadb import MariadbSource
from recovery.sources.mariadb_scratch import MariadbScratch
from recovery.sources.postgresql import PostgresqlSource
from recovery.sources.postgresql_scratch import ScratchSource
from recovery.sources.server import Account
from recovery.sources.server_globals import read_globals

ENGINES = (PostgresqlSource, MariadbSource)


@pytest.mark.parametrize("engine", ENGINES)
def test_names_that_are_no_copies_of_the_database_are_refused(engine: Any) -> None:
    """Nothing that is done to a copy can be done to another database."""
    source = engine(LocalHost(), "simpel")
    with pytest.raises(ConfigurationError, match="'Gladi!' cannot be the label of a copy"):
        source.beside("Gladi!")
    receipt = {"kind": source.kind, "live": "simpel", "copy": source.beside("a")}
    changes = (
        ({"live": "lain"}, "the receipt is not one of simpel; nothing was touched"),
        ({"kind": "sqlite"}, "the receipt is not one of simpel; nothing was touched"),
        ({"copy": "lain"}, "lain is no copy of simpel; nothing was touched"),
    )
    for change, words in changes:
        for move in (source.swap, source.swap_back):
            with pytest.raises(ConfigurationError, match=words):
                move({**receipt, **change})


@pytest.mark.parametrize(
    "content", [b"", b"CREATE ROLE a;\n", b"-- pulih: [1]\n", b"-- pulih: {\n", b'{"server version": 1}\n']
)
def test_globals_that_this_release_did_not_write_are_a_bad_set(content: bytes) -> None:
    """Nothing is made of what cannot be read."""
    with pytest.raises(SetError, match="the backup's globals are none that this release wrote") as caught:
        read_globals(content)
    assert (caught.value.state, caught.value.hint) == (
        "nothing was loaded",
        "restore with the release that the manifest names",
    )


def test_the_judge_reaches_a_server_by_its_address(tmp_path: Path) -> None:
    """Without a user the client's own is taken, which is the worker's account; no password is in the address."""
    for server, account, user in (
        ("10.0.0.7", Account(), None),
        ("10.0.0.7", Account("pulih", lambda: "rahasia"), "pulih"),
    ):
        mariadb = MariadbSource(LocalHost(), "simpel", server=server, port=3307, restore_account=account)
        url = make_url(mariadb.judge_url("simpel.pulih-a", tmp_path))
        assert ("10.0.0.7", 3307, user, None) == (url.host, url.port, url.username, url.password)
        assert "unix_socket" not in url.query
        postgresql = PostgresqlSource(LocalHost(), "simpel", server=server, port=5433, restore_account=account)
        url = make_url(postgresql.judge_url("simpel.pulih-a", tmp_path))
        assert ("10.0.0.7", "5433", user, None) == (
            url.query["host"],
            url.query["port"],
            url.query.get("user"),
            url.password,
        )
    plain = make_url(PostgresqlSource(LocalHost(), "simpel").judge_url("simpel.pulih-a", tmp_path))
    assert "host" not in plain.query, "libpq knows where the local server's socket is"


@pytest.mark.parametrize("scratch", [ScratchSource, MariadbScratch])
def test_a_server_of_a_proof_that_does_not_start_in_time_is_said(
    scratch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that listens to the worker and starts no server stands for one that hangs."""
    monkeypatch.setattr(f"{scratch.__module__}.START_SECONDS", 0.1)
    source = scratch(tmp_path, "simpel", 5)
    source.server = str(tmp_path / "tiada")
    with (
        source.host.feed(["sh", "-c", "cat > /dev/null"]) as keeper,
        pytest.raises(SourceError, match=r"the server for the proof did not start within 0\.1 s; nothing was proven"),
    ):
        source._wait(keeper)
