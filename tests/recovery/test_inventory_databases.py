"""The inventory's rules for databases of a server: complete, named once, and never one that holds the records."""

from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.hosts.local import LocalHost
from recovery.inventory import load_inventory
from recovery.settings import ComponentSettings
from recovery.sources import open_source
from recovery.sources.mariadb import MariadbSource
from recovery.sources.postgresql import PostgresqlSource

EXAMPLE = Path(__file__).resolve().parents[2] / "deployments" / "inventory.example.yaml"
FIRST = "        kind: sqlite\n        path: /srv/simpeg/data/simpeg.sqlite\n"
SECOND = "        kind: sqlite\n        path: /srv/perizinan/perizinan.sqlite\n"


def errors(tmp_path: Path, first: str, second: str = SECOND, *, text: str = "", **environment: str) -> list[str]:
    """What is said of the example (or another text) with other components, without file and line."""
    text = text or EXAMPLE.read_text(encoding="utf-8")
    assert FIRST in text
    assert SECOND in text
    path = tmp_path / "inventory.yaml"
    path.write_text(text.replace(FIRST, _fields(first)).replace(SECOND, _fields(second)), encoding="utf-8")
    for suite in EXAMPLE.parent.glob("suites/*"):
        (tmp_path / "suites").mkdir(exist_ok=True)
        (tmp_path / "suites" / suite.name).write_bytes(suite.read_bytes())
    try:
        load_inventory(path, {"PREFECT_HOME": "/nonexistent", **environment})
    except ConfigurationError as error:
        return [line.partition(": ")[2] for line in error.message.splitlines()[:-1]]
    return []


def _fields(text: str) -> str:
    return text if text.startswith(" ") else "".join(f"        {line}\n" for line in text.split("; "))


def test_a_database_of_a_server_is_a_component(tmp_path: Path) -> None:
    complete = "kind: postgresql; database: simpeg; server: /run/postgresql; port: 5433; user: a; password: file:/x"
    assert errors(tmp_path, complete) == []
    complete = "kind: mariadb; database: postgres; user: a; lock_nontransactional: true; write_binlog: false"
    assert errors(tmp_path, complete) == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("kind: postgresql", "database: is missing; a component of kind 'postgresql' needs it"),
        ("kind: mariadb; database: sys", "database: is one of the server's own, which holds no application's data"),
        (
            "kind: postgresql; database: a; lock_nontransactional: true",
            "lock_nontransactional: is no field of a component of kind 'postgresql'",
        ),
        ("kind: sqlite", "path: is missing; a component of kind 'sqlite' needs it"),
        ("kind: postgresql; database: a; path: /x", "path: is no field of a component of kind 'postgresql'"),
        ("kind: sqlite; path: /srv/a.db; database: a", "database: is no field of a component of kind 'sqlite'"),
        ("kind: sqlite; path: /srv/a.db; user: a", "user: is no field of a component of kind 'sqlite'"),
        (
            "kind: postgresql; database: postgres",
            "database: is one of the server's own, which holds no application's data",
        ),
        (
            f"kind: postgresql; database: {'n' * 43}",
            "database: has more than 42 bytes: a copy could get no name",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, fields: str, expected: str) -> None:
    assert errors(tmp_path, fields) == [f"applications[0].components[0].{expected}"]


def test_one_database_is_one_component(tmp_path: Path) -> None:
    same = "kind: postgresql; database: sama"
    expected = "applications[1].components[0].database: is the same database as applications[0].components[0].database"
    assert errors(tmp_path, same, same) == [expected]
    assert errors(tmp_path, same, f"{same}; port: 5433") == []


def test_the_records_can_never_be_a_restore_target(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://prefect:rahasia@/prefect?host=/run/postgresql"
    found = errors(tmp_path, "kind: postgresql; database: prefect", PREFECT_API_DATABASE_CONNECTION_URL=url)
    assert found == [
        "applications[0].components[0].database: has name and port of Prefect's database "
        "(PREFECT_API_DATABASE_CONNECTION_URL); it can never be a restore target"
    ]


@pytest.mark.parametrize("place", ["host:5432", "host:nonsense", "host"])
def test_a_port_that_cannot_be_read_counts_as_the_usual_one(tmp_path: Path, place: str) -> None:
    """Too careful rather than not: whoever put it there meant some server."""
    url = f"postgresql://prefect:rahasia@{place}/prefect"
    (found,) = errors(tmp_path, "kind: postgresql; database: prefect", PREFECT_API_DATABASE_CONNECTION_URL=url)
    assert "it can never be a restore target" in found


def test_settings_open_the_source_with_an_account_for_each_work(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("satu\n")
    component = ComponentSettings(
        name="data",
        kind="postgresql",
        database="simpeg",
        user="pulih_backup",
        password=f"file:{tmp_path / 'password'}",
        restore_user="pulih_restore",
    )
    source = open_source(LocalHost(), component)
    assert isinstance(source, PostgresqlSource)
    assert source.account.user == "pulih_backup"
    assert source.account.password is not None
    assert source.account.password() == "satu"
    assert source.restore_account.user == "pulih_restore"
    assert source.restore_account.password is None
    assert source.port == 5432
    assert component.location == "basis data simpeg"


def test_settings_open_a_mariadb_database() -> None:
    component = ComponentSettings(
        name="data", kind="mariadb", database="simpeg", lock_nontransactional=True, write_binlog=False
    )
    source = open_source(LocalHost(), component)
    assert isinstance(source, MariadbSource)
    assert (source.port, source.lock_nontransactional, source.write_binlog) == (3306, True, False)
    assert source.restore_account == source.account
    assert component.location == "basis data simpeg"


def test_a_scratch_server_is_a_field_of_databases_of_servers_alone(tmp_path: Path) -> None:
    scratch = "scratch_server: {server: /run/bukti, user: bukti, password: file:/x}"
    assert errors(tmp_path, f"kind: mariadb; database: a; {scratch}") == []
    assert errors(tmp_path, f"kind: sqlite; path: /srv/a.db; {scratch}") == [
        "applications[0].components[0].scratch_server: is no field of a component of kind 'sqlite'"
    ]
    assert errors(tmp_path, "kind: mariadb; database: a; scratch_server: {server: /run/bukti}") == [
        "applications[0].components[0].scratch_server.user: is missing"
    ]


@pytest.mark.parametrize(
    ("live", "scratch"),
    [
        ("kind: postgresql; database: a", "/var/run/../run/postgresql"),
        ("kind: mariadb; database: a", "/run/mysqld/mysqld.sock"),
        ("kind: mariadb; database: a; server: 10.0.0.7", "10.0.0.7"),
    ],
)
def test_no_proof_loads_into_a_live_server(tmp_path: Path, live: str, scratch: str) -> None:
    """Not into that of another application either."""
    kind = live.partition(";")[0]
    proven = f"{kind}; database: b; server: /run/lain; scratch_server: {{server: {scratch}, user: bukti}}"
    place = "applications[1].components[0].scratch_server.server"
    assert errors(tmp_path, live, proven) == [
        f"{place}: is the live server of applications[0].components[0]; a proof never loads there"
    ]
    assert errors(tmp_path, live, proven.replace("user:", "port: 5999, user:")) == (
        # A MariaDB server has one socket, whatever its port.
        [] if "mysqld" not in scratch else errors(tmp_path, live, proven)
    )


def test_a_socket_of_another_machine_is_no_live_server_of_this_one(tmp_path: Path) -> None:
    """What it leads to is known there alone; servers are compared by each proof."""
    text = EXAMPLE.read_text(encoding="utf-8")
    far = "  - name: jauh\n    kind: ssh\n    address: 10.0.0.9\n    user: pulih\n    key: file:/k\n    host_keys: /h\n"
    assert "hosts:\n" in text
    live = "kind: mariadb; database: a; server: /run/mysqld/mysqld.sock"
    proven = "kind: mariadb; database: b; server: /run/lain; scratch_server: {server: /run/mysqld/mysqld.sock, user: b}"
    (found,) = errors(tmp_path, live, proven)
    assert "is the live server of applications[0].components[0]" in found
    moved = text.replace("hosts:\n", f"hosts:\n{far}").replace("    host: ", "    host: jauh # ", 1)
    assert errors(tmp_path, live, proven, text=moved) == []


def test_two_mariadb_databases_of_one_name_are_not_proven_on_one_server(tmp_path: Path) -> None:
    scratch = "scratch_server: {server: /run/bukti, user: bukti}"
    first, second = (f"kind: mariadb; database: a; server: {name}; {scratch}" for name in ("/run/a", "/run/b"))
    assert errors(tmp_path, first, second) == [
        "applications[1].components[0].scratch_server.server: proves a database of the same name as "
        "applications[0].components[0]; two cannot be there at once"
    ]
    assert errors(tmp_path, first.replace("mariadb", "postgresql"), second.replace("mariadb", "postgresql")) == []
