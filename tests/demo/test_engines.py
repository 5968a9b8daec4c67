"""The demonstration on every engine: SIMPEL works on it, and the whole story ends with the data back."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest

from demo.engines import ENGINES, choose
from demo.engines.mariadb import ACCOUNTS, FROM
from demo.engines.postgresql import ROLES
from demo.simpel.damage import damage
from demo.simpel.databases import DatabaseError, Row, connect
from demo.simpel.generate import generate
from demo.simpel.schema import TABLES
from demo.site import Site
from recovery.errors import ConfigurationError
from recovery.sop import steps_of
from tests.demo.test_simpel import Process
from tests.testbed.mariadb import run_mariadb
from tests.testbed.postgresql import run_postgresql

ROOT = Path(__file__).parents[2]
EMPLOYEES = 120
# Engines whose databases lie in a server, and what starts one for tests: yields the address of an empty database.
SERVED = {"postgresql": "postgresql_database", "mariadb": "mariadb_database"}


@dataclass(frozen=True)
class Filled:
    """SIMPEL's data on one engine, and SIMPEL running on it."""

    address: str
    uploads: Path
    simpel: Process

    def value(self, query: str) -> object:
        with closing(connect(self.address)) as connection:
            return connection.value(query)


@contextmanager
def postgresql_database() -> Iterator[str]:
    with run_postgresql() as server:
        server.execute("CREATE DATABASE simpel")
        yield f"postgresql://{server.user}@/simpel?host={server.directory}"


@contextmanager
def mariadb_database() -> Iterator[str]:
    with run_mariadb() as server:
        server.execute("CREATE DATABASE simpel CHARACTER SET utf8mb4")
        yield f"mariadb://{server.user}@/simpel?socket={server.socket}"


@pytest.fixture(scope="module", params=list(SERVED))
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    uploads = tmp_path_factory.mktemp("simpel") / "unggahan"
    with globals()[SERVED[request.param]]() as address:
        generate(address, uploads, employees=EMPLOYEES, files=12)
        command = [sys.executable, "-m", "demo.simpel", "--database", address, "--uploads", str(uploads), "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            port = re.search(r":(\d+)/", process.stdout.readline())
            assert port is not None
            yield Filled(address, uploads, Process(process, int(port[1])))
        finally:
            process.kill()
            process.communicate()


def test_the_same_people_are_there_whatever_the_engine(filled: Filled, tmp_path: Path) -> None:
    generate(tmp_path / "simpel.db", tmp_path / "unggahan", employees=EMPLOYEES, files=12)
    for table in TABLES:
        with closing(connect(tmp_path / "simpel.db")) as one, closing(connect(filled.address)) as other:
            query = f"SELECT * FROM {table} ORDER BY 1"
            assert shown(one.rows(query)) == shown(other.rows(query)), table


def shown(rows: list[Row]) -> list[list[str]]:
    """Rows as people see them: SQLite has no dates of its own."""
    return [[str(value) for value in row] for row in rows]


def test_simpel_reads_and_writes(filled: Filled) -> None:
    nip = filled.value("SELECT nip FROM pegawai ORDER BY nip LIMIT 1")
    before = filled.value("SELECT count(*) FROM absensi")
    assert (200, {"status": "sehat"}) == (filled.simpel.get("/sehat").status, filled.simpel.get("/sehat").json)
    assert f"Pegawai<b>{EMPLOYEES}</b>" in filled.simpel.get("/").text
    found = filled.simpel.get(f"/pegawai?cari={nip}", Accept="application/json").json["pegawai"]
    assert [nip] == [person["nip"] for person in found]
    assert [] == filled.simpel.get("/pegawai?cari=%25", Accept="application/json").json["pegawai"]
    answer = filled.simpel.post("/absensi", urlencode({"nip": nip, "jenis": "masuk"}).encode())
    assert 201 == answer.status
    assert nip == filled.value(f"SELECT nip FROM absensi WHERE id = {answer.json['id']}")
    assert before + 1 == filled.value("SELECT count(*) FROM absensi")  # type: ignore[operator]
    stored = filled.simpel.post(
        f"/dokumen?{urlencode({'nip': nip, 'jenis': 'Ijazah', 'nama': 'satu.pdf'})}", b"%PDF-1.4"
    )
    assert (201, b"%PDF-1.4") == (stored.status, (filled.uploads / stored.json["jalur"]).read_bytes())


def test_nothing_is_generated_over_data(filled: Filled, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="sudah berisi"):
        generate(filled.address, tmp_path / "unggahan")
    assert not (tmp_path / "unggahan").exists()


def test_damage_is_real_and_simpel_notices(filled: Filled) -> None:
    sentences = damage(filled.address, filled.uploads, ("baris", "tabel"))
    assert f"jabatan {EMPLOYEES} pegawai tertimpa" in sentences[0]
    assert sentences[1].startswith("Tabel riwayat_pangkat dihapus: ")
    assert ["tabel riwayat_pangkat tidak ada"] == filled.simpel.get("/sehat").json["sebab"]
    with pytest.raises(DatabaseError):
        damage(filled.address, filled.uploads, ("tabel",))


def test_an_unknown_engine_is_refused_with_the_choices(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "demo", "story", "--engine", "oracle", "--directory", str(tmp_path / "peragaan")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 != done.returncode
    assert "the demonstration has no engine 'oracle'; nothing was started" in done.stderr
    assert f"choose one of {', '.join(ENGINES)}, as in: make demo ENGINE=postgresql" in done.stderr
    assert not (tmp_path / "peragaan").exists()


def test_a_demonstration_keeps_the_engine_that_it_was_made_with(tmp_path: Path) -> None:
    site = Site(tmp_path)
    choose(site, "postgresql")
    site.inventory.write_text("{}")
    choose(site, "")
    assert "postgresql" == site.engine
    with pytest.raises(ConfigurationError, match="was made with postgresql; it was left as it is"):
        choose(site, "sqlite")


def test_the_demonstrations_mariadb_accounts_have_the_documented_rights() -> None:
    documented = (ROOT / "docs" / "mariadb.md").read_text().split("```sql\n")
    wanted = [line for block in documented[1:3] for line in block.partition("```")[0].splitlines() if line.strip()]
    given = re.sub(r"IDENTIFIED BY '{\w+}'", "IDENTIFIED BY '…'", ACCOUNTS.replace(f"'{FROM}'", "localhost"))
    assert [line for line in wanted if line not in given.splitlines()] == []


def test_the_demonstrations_accounts_have_the_documented_rights() -> None:
    documented = (ROOT / "docs" / "postgresql.md").read_text().split("```sql\n")
    wanted = [line for block in documented[1:3] for line in block.partition("```")[0].splitlines() if line.strip()]
    given = re.sub(r" PASSWORD '{\w+}'", "", ROLES)
    assert [line for line in wanted if line not in given.splitlines()] == []


@pytest.mark.endurance
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_whole_story_ends_with_the_data_back(engine: str, tmp_path: Path) -> None:
    """What `make demo ENGINE=…` runs, from nothing to the proof; nothing of it runs or lies about afterwards."""
    directory = tmp_path / "peragaan"
    command = [sys.executable, "-m", "demo", "story", "--engine", engine, "--directory", str(directory)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert 0 == done.returncode, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stderr == ""
    assert 2 == done.stdout.count("SAMA dengan cadangan")
    for words in (
        "BUKU BESAR: utuh",
        "WIB",
        "make up",
        *(step.title for step in (*steps_of("backup"), *steps_of("restore"))),
    ):
        assert words in done.stdout
    papers = re.findall(r"versi \d+: (/.*\.pdf)$", done.stdout, re.MULTILINE)
    assert [] == [path for path in papers if not Path(path).is_file()]
    assert len(papers) > 3
    prints = re.findall(r"(cadangan|rusak   |kembali ): .*, sidik (.*)$", done.stdout, re.MULTILINE)
    assert [words for words, _ in prints] == ["cadangan", "rusak   ", "kembali "] * 2
    assert all(backup != damaged for (_, backup), (_, damaged) in zip(prints[::3], prints[1::3], strict=True))
    assert [] == _processes_in(directory)


def _processes_in(directory: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in words and int(path.parent.name) != os.getpid():
            found.append(words)
            os.kill(int(path.parent.name), signal.SIGTERM)
    return found
