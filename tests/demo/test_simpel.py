"""SIMPEL as a real process over real HTTP: it serves, writes, notices damage and swaps, and stops when it is told."""

import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from demo.simpel import damage
from demo.simpel.generate import generate
from demo.simpel.people import UNITS
from demo.simpel.schema import TABLES
from demo.simpel.writer import Writer

ROOT = Path(__file__).parents[2]
EMPLOYEES = 300
FILES = 60


@dataclass
class Site:
    """Database and uploads of one test."""

    database: Path
    uploads: Path

    def count(self, query: str) -> int:
        with contextlib.closing(sqlite3.connect(self.database)) as connection:
            return int(connection.execute(query).fetchone()[0])


@dataclass
class Answer:
    """An answer of the server."""

    status: int
    text: str

    @property
    def json(self) -> dict:
        return json.loads(self.text)


class Process:
    """A running SIMPEL."""

    def __init__(self, process: subprocess.Popen, port: int) -> None:
        self.process = process
        self.port = port

    def get(self, path: str, **headers: str) -> Answer:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, content: bytes) -> Answer:
        return self._ask("POST", path, content, {})

    def _ask(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Site:
    directory = tmp_path_factory.mktemp("asal")
    site = Site(directory / "simpel.db", directory / "unggahan")
    generate(site.database, site.uploads, employees=EMPLOYEES, files=FILES)
    return site


@pytest.fixture
def site(generated: Site, tmp_path: Path) -> Site:
    """A site of its own, since tests spoil it."""
    shutil.copy(generated.database, tmp_path / "simpel.db")
    shutil.copytree(generated.uploads, tmp_path / "unggahan", symlinks=True)
    return Site(tmp_path / "simpel.db", tmp_path / "unggahan")


@contextlib.contextmanager
def running(site: Site) -> Iterator[Process]:
    command = [sys.executable, "-m", "demo.simpel", "--database", str(site.database), "--uploads", str(site.uploads)]
    process = subprocess.Popen([*command, "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        port = int(re.fullmatch(r"SIMPEL siap di http://127.0.0.1:(\d+)/\n", ready).group(1))  # type: ignore[union-attr]
        yield Process(process, port)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def a_nip(site: Site) -> str:
    with contextlib.closing(sqlite3.connect(site.database)) as connection:
        return str(connection.execute("SELECT nip FROM pegawai ORDER BY nip LIMIT 1 OFFSET 7").fetchone()[0])


def content_of(site: Site) -> tuple[str, str]:
    """Return digests of all rows and of the whole tree, names, modes, times and links included."""
    with contextlib.closing(sqlite3.connect(site.database)) as connection:
        rows = hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()
    tree = hashlib.sha256()
    for directory, names, files in sorted(os.walk(site.uploads)):
        for name in sorted((*names, *files)):
            path = Path(directory, name)
            state = path.lstat()
            entry = (str(path.relative_to(site.uploads)), state.st_mode, state.st_mtime_ns, state.st_nlink)
            tree.update(repr(entry).encode())
            if path.is_symlink():
                tree.update(os.readlink(path).encode())
            elif path.is_file():
                tree.update(path.read_bytes())
    return rows, tree.hexdigest()


def test_the_same_seed_gives_the_same_rows_and_files_and_another_seed_others(generated: Site, tmp_path: Path):
    again = Site(tmp_path / "a.db", tmp_path / "a")
    generate(again.database, again.uploads, employees=EMPLOYEES, files=FILES)
    assert content_of(generated) == content_of(again)
    other = Site(tmp_path / "b.db", tmp_path / "b")
    generate(other.database, other.uploads, employees=EMPLOYEES, files=FILES, seed=7)
    assert content_of(generated)[0] != content_of(other)[0]
    assert content_of(generated)[1] != content_of(other)[1]


def test_nothing_is_generated_over_data(generated: Site, tmp_path: Path):
    before = content_of(generated)
    with pytest.raises(FileExistsError):
        generate(generated.database, tmp_path / "u", employees=1, files=0)
    with pytest.raises(FileExistsError):
        generate(tmp_path / "n.db", generated.uploads, employees=1, files=0)
    assert before == content_of(generated)


def test_every_nip_agrees_with_birth_date_first_day_of_work_and_sex(generated: Site):
    with contextlib.closing(sqlite3.connect(generated.database)) as connection:
        people = connection.execute("SELECT nip, tanggal_lahir, tmt_cpns, jenis_kelamin FROM pegawai").fetchall()
    assert EMPLOYEES == len(people)
    for nip, born, hired, sex in people:
        assert re.fullmatch(r"\d{18}", nip)
        assert born.replace("-", "") == nip[:8]
        assert hired.replace("-", "")[:6] == nip[8:14]
        assert {"L": "1", "P": "2"}[sex] == nip[14]
        assert 20 <= int(nip[8:12]) - int(nip[:4]) <= 35


def test_the_data_is_sound_and_every_table_has_rows(generated: Site):
    with contextlib.closing(sqlite3.connect(generated.database)) as connection:
        assert [] == connection.execute("PRAGMA foreign_key_check").fetchall()
        assert "ok" == connection.execute("PRAGMA integrity_check").fetchone()[0]
        assert "wal" == connection.execute("PRAGMA journal_mode").fetchone()[0]
    for table in TABLES:
        assert 0 < generated.count(f"SELECT count(*) FROM {table}"), table
    assert len(UNITS) == generated.count("SELECT count(*) FROM rekap_unit")


def test_the_uploads_hold_what_careless_backups_lose(generated: Site):
    paths = list(generated.uploads.rglob("*"))
    assert 2 == sum(path.is_symlink() for path in paths)
    assert any(path.is_symlink() and not path.exists() for path in paths)
    assert any(path.is_file() and not path.is_symlink() and path.stat().st_nlink == 2 for path in paths)
    assert any(path.is_dir() and not any(path.iterdir()) for path in paths)
    assert any(not path.name.isascii() for path in paths)
    assert any(" " in path.name for path in paths)


def test_every_document_in_the_table_lies_in_the_uploads_with_its_size(generated: Site):
    with contextlib.closing(sqlite3.connect(generated.database)) as connection:
        documents = connection.execute("SELECT jalur, ukuran FROM dokumen").fetchall()
    assert FILES == len(documents)
    for path, size in documents:
        assert size == (generated.uploads / path).stat().st_size


@pytest.mark.slow
def test_the_whole_demonstration_data_has_the_promised_size(tmp_path: Path):
    counts = generate(tmp_path / "s.db", tmp_path / "u")
    assert 4000 == counts["pegawai"]
    assert 1500 <= counts["berkas"] <= 1510
    assert 20 * 2**20 <= counts["byte"] <= 40 * 2**20


def test_the_first_page_shows_counts_and_last_entries(site: Site):
    with running(site) as simpel:
        answer = simpel.get("/")
    assert 200 == answer.status
    assert '<div id="jumlah-pegawai">Pegawai<b>300</b></div>' in answer.text
    assert "Absensi terakhir" in answer.text
    assert "Dokumen terakhir" in answer.text


def test_employees_are_found_by_name_and_number_and_shown_escaped(site: Site):
    nip = a_nip(site)
    with running(site) as simpel:
        page = simpel.get(f"/pegawai?cari={nip}")
        listed = simpel.get(f"/pegawai?cari={nip}", Accept="application/json").json["pegawai"]
        nobody = simpel.get("/pegawai?cari=" + quote("<script>"))
    assert f"<td>{nip}</td>" in page.text
    assert [nip] == [person["nip"] for person in listed]
    assert "0 pegawai ditampilkan" in nobody.text
    assert "<script>" not in nobody.text


def test_attendance_is_written(site: Site):
    nip = a_nip(site)
    before = site.count("SELECT count(*) FROM absensi")
    with running(site) as simpel:
        answer = simpel.post("/absensi", urlencode({"nip": nip, "jenis": "masuk"}).encode())
    assert 201 == answer.status
    assert before + 1 == site.count("SELECT count(*) FROM absensi")
    assert 1 == site.count(f"SELECT count(*) FROM absensi WHERE id = {answer.json['id']} AND nip = '{nip}'")


def test_a_document_is_stored_under_a_name_that_nobody_has(site: Site):
    nip = a_nip(site)
    query = urlencode({"nip": nip, "jenis": "Ijazah", "nama": "../Ijazah – S1.pdf"})
    with running(site) as simpel:
        paths = [simpel.post(f"/dokumen?{query}", b"%PDF-1.4 isi").json["jalur"] for _ in range(2)]
    assert 2 == len(set(paths))
    assert "_Ijazah – S1 (2).pdf" == Path(paths[1]).name
    for path in paths:
        assert b"%PDF-1.4 isi" == (site.uploads / path).read_bytes()
        assert 1 == (site.uploads / path).stat().st_nlink
        assert not list((site.uploads / path).parent.glob(".unggahan-*"))
    assert FILES + 2 == site.count("SELECT count(*) FROM dokumen")


def test_requests_that_make_no_sense_are_refused_and_change_nothing(site: Site):
    before = content_of(site)
    nip = a_nip(site)
    with running(site) as simpel:
        statuses = [
            simpel.get("/tidak-ada").status,
            simpel.post("/absensi", urlencode({"nip": nip, "jenis": "tidur"}).encode()).status,
            simpel.post("/absensi", urlencode({"nip": "1" * 18, "jenis": "masuk"}).encode()).status,
            simpel.post(f"/dokumen?nip={nip}", b"x").status,
            simpel.post(f"/dokumen?nip={nip}&nama=" + "a" * 300, b"x").status,
        ]
    assert [404, 400, 404, 400, 400] == statuses
    assert before == content_of(site)


def test_health_says_what_is_missing_and_creates_nothing(site: Site):
    with running(site) as simpel:
        assert (200, {"status": "sehat"}) == (simpel.get("/sehat").status, simpel.get("/sehat").json)
        moved = site.uploads.rename(site.uploads.with_name("dipindah"))
        sick = simpel.get("/sehat")
        assert (503, ["direktori unggahan tidak dapat dipakai"]) == (sick.status, sick.json["sebab"])
        moved.rename(site.uploads)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{site.database}{suffix}").unlink(missing_ok=True)
        sick = simpel.get("/sehat")
        assert (503, ["basis data tidak dapat dibuka (OperationalError)"]) == (sick.status, sick.json["sebab"])
        assert 503 == simpel.get("/").status
        assert not site.database.exists()


def test_an_exchanged_database_is_seen_by_the_next_request(site: Site, tmp_path: Path):
    other = Site(tmp_path / "lain.db", tmp_path / "lain")
    generate(other.database, other.uploads, employees=20, files=0)
    with running(site) as simpel:
        assert "Pegawai<b>300</b>" in simpel.get("/").text
        os.replace(other.database, site.database)
        assert "Pegawai<b>20</b>" in simpel.get("/").text


def test_between_requests_nothing_is_open(site: Site):
    with running(site) as simpel:
        assert 200 == simpel.get("/").status
        assert 200 == simpel.get("/sehat").status
        held = {os.path.realpath(entry) for entry in Path(f"/proc/{simpel.process.pid}/fd").iterdir()}
    assert not [path for path in held if path.startswith(str(site.database))]


def test_sigterm_ends_it_with_status_0_and_the_port_is_closed(site: Site):
    with running(site) as simpel:
        assert 200 == simpel.get("/sehat").status
        simpel.process.send_signal(signal.SIGTERM)
        assert 0 == simpel.process.wait(timeout=30)
        with socket.socket() as probe:
            assert 0 != probe.connect_ex(("127.0.0.1", simpel.port))


def test_a_request_that_is_being_served_is_finished_before_the_end(site: Site):
    nip = a_nip(site)
    body = urlencode({"nip": nip, "jenis": "pulang"}).encode()
    before = site.count("SELECT count(*) FROM absensi")
    with running(site) as simpel:
        with socket.create_connection(("127.0.0.1", simpel.port), timeout=30) as client:
            client.sendall(b"POST /absensi HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:5])
            wait_until(lambda: len(os.listdir(f"/proc/{simpel.process.pid}/task")) > 1)
            simpel.process.send_signal(signal.SIGTERM)
            client.sendall(body[5:])
            answer = b""
            while piece := client.recv(4096):
                answer += piece
        assert 0 == simpel.process.wait(timeout=30)
    assert answer.startswith(b"HTTP/1.0 201 Created")
    assert before + 1 == site.count("SELECT count(*) FROM absensi")


def test_the_log_names_no_person(site: Site):
    nip = a_nip(site)
    command = [sys.executable, "-m", "demo.simpel", "--database", str(site.database), "--uploads", str(site.uploads)]
    process = subprocess.Popen(
        [*command, "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    port = int(process.stdout.readline().rsplit(":", 1)[1].strip("/\n"))
    Process(process, port).get(f"/pegawai?cari={nip}")
    process.terminate()
    _out, log = process.communicate(timeout=30)
    assert " GET /pegawai 200" in log
    assert nip not in log


def test_the_writer_writes_over_http_until_sigterm_and_tells_what_it_wrote(site: Site):
    before = (site.count("SELECT count(*) FROM absensi"), site.count("SELECT count(*) FROM dokumen"))
    with running(site) as simpel:
        url = f"http://127.0.0.1:{simpel.port}"
        writer = subprocess.Popen(
            [sys.executable, "-m", "demo.simpel.writer", "--url", url, "--rate", "200"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: site.count("SELECT count(*) FROM dokumen") > before[1])
        writer.terminate()
        output, _ = writer.communicate(timeout=30)
    counts = json.loads(output)
    assert (0, 0) == (writer.returncode, counts["gagal"])
    written = (site.count("SELECT count(*) FROM absensi"), site.count("SELECT count(*) FROM dokumen"))
    assert (before[0] + counts["absensi"], before[1] + counts["dokumen"]) == written


def test_the_writer_survives_a_stopped_application(site: Site):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert {"absensi": 0, "dokumen": 0, "gagal": 3} == Writer(url, 1000, 1).run(limit=3)


def test_damage_is_real_and_said_in_indonesian(site: Site):
    promotions = site.count("SELECT count(*) FROM riwayat_pangkat")
    files = sum(1 for path in site.uploads.rglob("*") if path.is_file())
    with running(site) as simpel:
        sentences = damage.damage(site.database, site.uploads)
        sick = simpel.get("/sehat")
    assert f"Tabel riwayat_pangkat dihapus: {promotions:,} baris hilang.".replace(",", ".") == sentences[0]
    assert sentences[1].startswith("UPDATE tanpa WHERE: golongan, gaji pokok dan jabatan 300 pegawai tertimpa; ")
    lost = re.fullmatch(r"Folder unggahan (\d{4}) dihapus beserta isinya: (\d+) berkas hilang\.", sentences[2])
    assert lost is not None
    assert (503, ["tabel riwayat_pangkat tidak ada"]) == (sick.status, sick.json["sebab"])
    assert EMPLOYEES == site.count("SELECT count(*) FROM pegawai WHERE gaji_pokok = 0 AND golongan = 'I/a'")
    assert not (site.uploads / lost.group(1)).exists()
    assert files - int(lost.group(2)) == sum(1 for path in site.uploads.rglob("*") if path.is_file())


def test_damage_from_the_command_line_can_be_chosen_and_fails_loudly(site: Site, capsys):
    arguments = ["--database", str(site.database), "--uploads", str(site.uploads)]
    assert 0 == damage.main([*arguments, "--kind", "tabel"])
    assert "Tabel riwayat_pangkat dihapus" in capsys.readouterr().out
    assert 1 == damage.main([*arguments, "--kind", "tabel"])
    assert "tidak dapat dirusak: no such table: riwayat_pangkat" in capsys.readouterr().err


@pytest.mark.slow
def test_the_owners_rules_pass_on_the_data_and_notice_the_damage(site: Site, tmp_path: Path):
    from recovery.hosts.local import LocalHost
    from recovery.quality.judge import judge
    from recovery.sources.files import FilesSource
    from recovery.sources.sqlite import SqliteSource

    moment = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)

    def database_verdict():
        measured = SqliteSource(LocalHost(), str(site.database)).fingerprint()
        url = f"sqlite:///file:{quote(str(site.database))}?mode=ro&uri=true"
        return judge(url, measured, measured, suite=ROOT / "demo/suites/simpel-data.yaml", moment=moment)

    assert [] == [check for check in database_verdict().checks if check.counts_as != "pass"]
    tree = FilesSource(LocalHost(), str(site.uploads))
    copy = tree.beside("proof")
    with tree.dump() as dump, tree.load(copy) as load:
        buffer = memoryview(bytearray(2**16))
        while size := dump.readinto(buffer):
            load.write(buffer[:size])
        expected = dump.finish().fingerprint
        load.finish()
    suite = ROOT / "demo/suites/simpel-berkas.yaml"
    url = tree.judge_url(copy, tmp_path)
    verdict = judge(url, expected, tree.fingerprint(copy), suite=suite, moment=moment)
    assert [] == [check for check in verdict.checks if check.counts_as != "pass"]
    damage.damage(site.database, site.uploads, ("baris",))
    warned = {check.name for check in database_verdict().checks if check.counts_as == "warning"}
    assert {"expect_column_values_to_be_between (gaji_pokok)"} == warned


def wait_until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.01)
