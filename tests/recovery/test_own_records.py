"""The installation's own records as a set: all of it, of one moment, readable with plain programs, and no secret."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from recovery import points
from recovery.errors import ConfigurationError, PulihError, RecordsError
from recovery.guard.rounds import make_round
from recovery.inventory import load_inventory
from recovery.own_records import back_up_records
from recovery.own_records_configuration import as_text, resolved
from recovery.own_records_databases import copy_catalog, copy_prefect_database
from recovery.records import ledger
from recovery.records.catalog import open_catalog
from recovery.settings import HostSettings
from tests.recovery.key_office import KeyOffice, files_below
from tests.testbed.postgresql import run_postgresql
from tests.testbed.small_office import open_office


@pytest.fixture
def office(tmp_path: Path) -> Iterator[KeyOffice]:
    built = open_office(tmp_path / "office", running=False)
    yield KeyOffice(built)
    built.installation.catalog.dispose()


def unpacked(office: KeyOffice, directory: Path) -> Path:
    """The newest set of records, opened with age, zstd and tar and the escrow identity."""
    (data,) = office.office.root.glob("store/pulih/pulih/*/data.tar.zst.age")
    directory.mkdir()
    key = office.office.root / "keys" / "escrow"
    script = 'set -o pipefail; age -d -i "$1" "$2" | zstd -d -q | tar --extract --file=- --directory "$3"'
    subprocess.run(["bash", "-c", script, "-", key, data, directory], check=True)
    return directory


def prefect_database(path: Path) -> Path:
    """A database as Prefect's server keeps one: in WAL mode, with something not yet in the file itself."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE flow_run (id TEXT)")
        connection.execute("INSERT INTO flow_run VALUES ('x')")
        connection.commit()
    return path


def test_plain_programs_open_everything_that_was_kept(office: KeyOffice, tmp_path: Path) -> None:
    installation = office.fresh()
    reference = tmp_path / "url"
    reference.write_text(f"sqlite+aiosqlite:///{prefect_database(tmp_path / 'prefect.db')}")
    suite, pinned = tmp_path / "aturan.yaml", tmp_path / "known_hosts"
    suite.write_text("expectations: []\n")
    pinned.write_text("host key\n")
    installation.office.prefect_database = f"file:{reference}"
    installation.applications["simpel"].components[0].suite = str(suite)
    installation.hosts["lain"] = HostSettings(
        name="lain", kind="ssh", address="10.0.0.1", user="p", key="file:/k", host_keys=str(pinned)
    )
    back_up_records(installation, "run")
    records = unpacked(office, tmp_path / "records")
    assert {
        "catalog.sqlite",
        "prefect.sqlite",
        "inventory.yaml",
        "public-keys.pem",
        "successions",
        "suites/simpel_data.yaml",
        "host-keys/lain",
    } == files_below(records).keys()
    with closing(sqlite3.connect(records / "prefect.sqlite")) as connection:
        assert [("x",)] == connection.execute("SELECT id FROM flow_run").fetchall()
    catalog = open_catalog(f"sqlite:///{records / 'catalog.sqlite'}")
    with catalog.read() as copied, installation.catalog.read() as original:
        assert ledger.head(original) == ledger.head(copied)
    catalog.dispose()
    everything = b"".join(files_below(records).values())
    for name in ("operations", "escrow", "signing", "enrolment"):
        for line in (office.office.root / "keys" / name).read_bytes().splitlines():
            assert line.startswith(b"-") or line not in everything
    # The inventory is one that can be loaded, with what lies beside it.
    document = resolved(yaml.safe_load((records / "inventory.yaml").read_text()), records)
    document["office"] |= {"prefect_database": None}
    (records / "inventory.yaml").write_text(as_text(document))
    loaded = load_inventory(records / "inventory.yaml", {})
    assert str(records / "suites" / "simpel_data.yaml") == loaded.applications[0].components[0].suite
    assert str(records / "host-keys" / "lain") == loaded.hosts[1].host_keys


def test_nothing_plain_stays_in_the_state_directory(office: KeyOffice) -> None:
    installation = office.fresh()
    before = files_below(installation.state_directory / "scratch").keys()
    back_up_records(installation, "run")
    assert before == files_below(installation.state_directory / "scratch").keys()
    assert [] == list((installation.state_directory / "scratch").iterdir())


def test_the_guard_removes_nothing_of_it_meanwhile(office: KeyOffice) -> None:
    """The procedure is closed by then, and what is left of closed procedures the guard removes at once."""
    procedure_id = office.office.approve_schedule()
    installation = office.fresh()
    seen = []

    def look(name: str) -> None:
        if name == "records: staged":
            make_round(installation)
            seen.extend((installation.state_directory / "scratch").rglob("data.tar.zst.age"))

    with points.observe(look):
        back_up_records(installation, procedure_id)
    assert 1 == len(seen)


def test_what_is_wrong_with_the_ledger_is_kept_and_said(office: KeyOffice) -> None:
    """Evidence, too: a broken ledger that is not backed up could be lost as well."""
    installation = office.fresh()
    with installation.catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_no_update")
        connection.exec_driver_sql("UPDATE ledger SET facts = '{}' WHERE sequence = 2")
    name = back_up_records(installation, "run")
    manifest = (office.office.root / "store" / "pulih" / "pulih" / name / "manifest.json").read_text()
    assert "entry 2 was changed: its content does not give its hash" in manifest
    assert "office.prefect_database names none" in manifest


def test_a_prefect_database_that_cannot_be_copied_is_an_error_unless_the_records_may_do_without(
    office: KeyOffice, tmp_path: Path
) -> None:
    """A rotation of keys may: what is new must be in the stores, wherever Prefect's server is meanwhile."""
    installation = office.fresh()
    reference = tmp_path / "url"
    reference.write_text(f"sqlite+aiosqlite:///{tmp_path / 'nowhere' / 'prefect.db'}")
    installation.office.prefect_database = f"file:{reference}"
    with pytest.raises(PulihError, match=r"the database .*prefect\.db cannot be copied"):
        back_up_records(installation, "run")
    name = back_up_records(installation, "run", needs_prefect=False)
    manifest = (office.office.root / "store" / "pulih" / "pulih" / name / "manifest.json").read_text()
    assert "Prefect's database is not in it: " in manifest
    assert {"prefect.sqlite"}.isdisjoint(files_below(unpacked(office, tmp_path / "records")))


@pytest.mark.parametrize("file", ["data.tar.zst.age", "isi/inventory.yaml"])
def test_a_disk_that_does_not_give_back_what_was_gathered_is_said(office: KeyOffice, file: str) -> None:
    """Every read of it fails; nothing plain stays, and nothing was put."""
    installation = office.fresh()
    scratch = installation.state_directory / "scratch"

    def break_it(name: str) -> None:
        for found in scratch.glob(f"*/*/{file}"):
            if name == "new file: written":
                found.unlink()
                found.symlink_to("/proc/self/mem")

    with points.observe(break_it), pytest.raises(RecordsError) as caught:
        back_up_records(installation, "run")
    assert (
        f"the records cannot be gathered in {scratch}/rekaman-run/rekaman (Input/output error); "
        "what was done before stands; the records were not put into a store\n"
        "HINT: look at the disk of the state directory and the space on it, and retry the run"
    ) == str(caught.value)
    assert [] == list(scratch.iterdir())
    assert not (office.office.root / "store" / "pulih" / "pulih").exists()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://x/y", "holds no URL of a database of Prefect's"),
        ("nonsense", "holds no URL of a database of Prefect's"),
    ],
)
def test_what_is_no_database_of_prefects_is_said(tmp_path: Path, url: str, complaint: str) -> None:
    (tmp_path / "url").write_text(url)
    with pytest.raises(ConfigurationError, match=complaint):
        copy_prefect_database(f"file:{tmp_path / 'url'}", tmp_path)


def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(RecordsError, match=r"none\.db cannot be copied \(unable to open database file\)"):
        copy_prefect_database(f"file:{tmp_path / 'url'}", tmp_path)
    assert not (tmp_path / "none.db").exists()


def test_a_suite_that_is_gone_is_said(office: KeyOffice, tmp_path: Path) -> None:
    installation = office.fresh()
    installation.applications["simpel"].components[0].suite = str(tmp_path / "none.yaml")
    with pytest.raises(RecordsError, match=r"none\.yaml cannot be read \(No such file or directory\)"):
        back_up_records(installation, "run")


@pytest.mark.slow
def test_databases_of_a_postgresql_server_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog row by row into SQLite, Prefect's as an archive."""
    with run_postgresql() as server:
        server.execute("CREATE DATABASE rekaman")
        url = server.url("rekaman")
        catalog = open_catalog(url)
        catalog.upgrade()
        with catalog.begin() as connection:
            ledger.append(connection, "test", {"satu": 1})
        copy_catalog(catalog, tmp_path / "copy.sqlite")
        copied = open_catalog(f"sqlite:///{tmp_path / 'copy.sqlite'}")
        with catalog.read() as one, copied.read() as other:
            assert ledger.entries(one) == ledger.entries(other)
            assert [] == ledger.verify(other)
        copied.dispose()
        catalog.dispose()
        (tmp_path / "url").write_text(url.replace("+psycopg", "+asyncpg").replace("@", ":sandi@"))
        dumped = copy_prefect_database(f"file:{tmp_path / 'url'}", tmp_path)
        listed = subprocess.run(["pg_restore", "--list", dumped], capture_output=True, text=True, check=True).stdout
        assert "TABLE DATA public ledger" in listed
        assert not (tmp_path / ".pgpass").exists()
        monkeypatch.setenv("PATH", str(tmp_path / "none"))
        with pytest.raises(RecordsError, match=r"pg_dump cannot be run \(No such file or directory\)"):
            copy_prefect_database(f"file:{tmp_path / 'url'}", tmp_path)


@pytest.mark.parametrize("account", ["u:geheim", "u"])
def test_a_dump_that_fails_is_said_without_the_password(tmp_path: Path, account: str) -> None:
    (tmp_path / "url").write_text(f"postgresql+asyncpg://{account}@/prefect?host={tmp_path}")
    with pytest.raises(RecordsError) as caught:
        copy_prefect_database(f"file:{tmp_path / 'url'}", tmp_path)
    assert caught.value.message.startswith("pg_dump could not dump Prefect's database (")
    assert "geheim" not in str(caught.value)
    assert not (tmp_path / ".pgpass").exists()
