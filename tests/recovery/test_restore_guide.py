"""RESTORE.md is proven by doing what it says: its own commands, plain programs, no Pulih."""

import hashlib
import io
import os
import re
import sqlite3
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recovery import crypto
from recovery.manifest import Manifest, Part
from recovery.restore_guide import lacks_restore_guide, put_restore_guide, restore_guide
from recovery.sets import put_set, set_prefix
from recovery.settings import StoreSettings
from recovery.sources.tar_streams import create
from recovery.stores import open_store
from recovery.stores.base import Store
from recovery.stream import encrypt

SIGNER = crypto.Signer.from_pem(crypto.generate_signing_key(), "the signing key")
BLOCK = re.compile(r"^```sh ?(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Place:
    """A store with one set, a key file as age-keygen wrote it, and where the data shall go."""

    store: Store
    folder: Path
    key: Path
    work: Path
    target: Path | str
    environment: dict[str, str] = field(default_factory=dict)

    def follow(self, kind: str) -> str:
        """Run the guide's blocks that are for this kind, with its four values filled in, and return what they print."""
        text = self.store.read("RESTORE.md").decode()
        blocks = [block for word, block in BLOCK.findall(text) if word in ("", kind)]
        values = {"SET": self.folder, "KUNCI": self.key, "HASIL": self.work, "TUJUAN": self.target}
        assert sorted(line.partition("=")[0] for line in blocks[0].splitlines()) == sorted(values)
        filled = "".join(f"{name}={value}\n" for name, value in values.items())
        script = "\n".join([filled, *blocks[1:]])
        plain = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", **self.environment}
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=plain)
        return done.stdout + done.stderr


def place(tmp_path: Path, kind: str, data: bytes, outside: bytes = b"") -> Place:
    suffix = {"sqlite": "sqlite", "files": "tar", "postgresql": "pgdump", "mariadb": "sql"}[kind]
    for name in ("disk", "staging", "srv"):
        (tmp_path / name).mkdir()
    subprocess.run(["age-keygen", "-o", str(tmp_path / "key")], check=True, capture_output=True)
    recipient = crypto.recipient_of(crypto.read_identity((tmp_path / "key").read_bytes(), "escrow"))
    staged, quality = tmp_path / f"staging/data.{suffix}.zst.age", tmp_path / "staging/quality.json"
    digests = encrypt(io.BytesIO(data).readinto, staged, [crypto.generate_identity()[1], recipient])
    quality.write_bytes(b"{}")
    parts = [Part.encrypted(staged.name, "data", digests), Part.plain("quality.json", "quality", b"{}")]
    files = {staged.name: staged, quality.name: quality}
    if outside:
        beside = tmp_path / "staging/globals.sql.zst.age"
        encrypted = encrypt(io.BytesIO(outside).readinto, beside, [crypto.generate_identity()[1], recipient])
        parts.append(Part.encrypted(beside.name, "globals", encrypted))
        files[beside.name] = beside
    manifest = Manifest(
        backup_id="1",
        name="simpel_data_full_20261120t220003+0700",
        application="simpel",
        component="data",
        kind=kind,
        unit="kepegawaian",
        moment="2026-11-20T15:00:03.000000+00:00",
        procedure_id="run-1",
        schedule_number="001/JBU/KOMINFO/XI/2026",
        release="0.1.0",
        parts=tuple(parts),
        tools={},
        # The words that the commands look for, where they must not be found.
        target={"name": "other", "file": "data.sqlite.zst.age", "database": "simpel"},
        snapshot={},
        fingerprint={},
        verdict="pass",
        recipients=[recipient],
        retention_until="2027-11-20T15:00:03.000000+00:00",
        warnings=[],
    )
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    prefix = set_prefix("kepegawaian", "simpel", manifest.name)
    put_set(store, prefix, files, manifest, SIGNER)
    assert put_restore_guide(store, SIGNER.public_pem) == "RESTORE.md"
    names = {"sqlite": "data.sqlite", "files": "berkas"}
    target = tmp_path / "srv" / names[kind] if kind in names else "simpel"
    return Place(store, tmp_path / "disk" / prefix, tmp_path / "key", tmp_path / "work", target)


def database(path: Path, rows: int) -> bytes:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE pegawai (nip TEXT PRIMARY KEY, nama TEXT)")
    connection.executemany("INSERT INTO pegawai VALUES (?, ?)", [(f"{n:018}", f"nama {n}") for n in range(rows)])
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.fixture
def with_database(tmp_path: Path) -> Place:
    return place(tmp_path, "sqlite", database(tmp_path / "backed-up.sqlite", 500))


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM pegawai").fetchone()[0])
    finally:
        connection.close()


def test_a_database_is_restored_over_a_damaged_one_with_its_stale_side_files(
    with_database: Place, tmp_path: Path
) -> None:
    damaged = with_database.target
    database(damaged, 3)
    damaged.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(damaged, 1234, 4321)
    # What a crash leaves: rows that are in the write-ahead log only. Left beside the new file they would damage it.
    reader = sqlite3.connect(damaged)
    reader.execute("INSERT INTO pegawai VALUES ('x', 'y')")
    reader.commit()
    assert (tmp_path / "srv/data.sqlite-wal").stat().st_size > 0
    owner = damaged.stat().st_uid

    said = with_database.follow("sqlite")
    reader.close()

    assert "Signature Verified Successfully" in said
    assert said.count(": COCOK") == 3
    assert "TIDAK" not in said
    assert said.count("BERHASIL") == 2
    assert "\nok\n" in said
    assert damaged.read_bytes() == (tmp_path / "backed-up.sqlite").read_bytes()
    assert damaged.stat().st_mode & 0o777 == 0o640
    assert damaged.stat().st_uid == owner
    assert rows(damaged) == 500
    assert rows(tmp_path / "srv/data.sqlite.lama") == 4
    assert not with_database.work.exists()


def test_an_earlier_safety_copy_is_never_replaced(with_database: Place, tmp_path: Path) -> None:
    with_database.target.write_bytes(b"live")
    (tmp_path / "srv/data.sqlite-wal").write_bytes(b"its log")
    (tmp_path / "srv/data.sqlite.lama").write_bytes(b"safe")
    said = with_database.follow("sqlite")
    assert f"dipasang: TIDAK, karena ada pemeriksaan di atas yang gagal atau {with_database.target}.lama sudah" in said
    left = {path.name: path.read_bytes() for path in (tmp_path / "srv").iterdir()}
    assert left == {"data.sqlite": b"live", "data.sqlite-wal": b"its log", "data.sqlite.lama": b"safe"}


def test_a_database_is_restored_where_nothing_was(with_database: Place, tmp_path: Path) -> None:
    said = with_database.follow("sqlite")
    assert "dipasang: BERHASIL" in said
    assert sorted(os.listdir(tmp_path / "srv")) == ["data.sqlite"]
    assert rows(with_database.target) == 500


def listing(root: Path) -> list[tuple[object, ...]]:
    found = []
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found.append(
            (str(path.relative_to(root)), status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
        )
    return found


def test_a_tree_is_restored_with_owners_modes_times_and_links(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "surat/kosong").mkdir(parents=True)
    (tree / "surat/a b.pdf").write_bytes(os.urandom(70_000))
    (tree / os.fsdecode(b"bukan-utf8-\xff")).write_bytes(b"x")
    (tree / "terakhir").symlink_to("surat/a b.pdf")
    os.link(tree / "surat/a b.pdf", tree / "sama.pdf")
    (tree / "surat/a b.pdf").chmod(0o4750)
    if os.geteuid() == 0:
        os.chown(tree / "surat", 1234, 4321)
    os.utime(tree / "surat/a b.pdf", ns=(1_600_000_000_123_456_789,) * 2)
    (tree / "surat").chmod(0o550)
    before = listing(tree)
    packed = subprocess.run(create(str(tree)), capture_output=True, check=True).stdout
    files = place(tmp_path, "files", packed)
    files.target.mkdir()
    (files.target / "damaged").write_bytes(b"x")

    said = files.follow("files")

    assert said.count(": COCOK") == 3
    assert "TIDAK" not in said
    assert "dikeluarkan: BERHASIL" in said
    assert "dipasang: BERHASIL" in said
    assert listing(files.target) == before
    assert (files.target / "sama.pdf").samefile(files.target / "surat/a b.pdf")
    assert os.listdir(tmp_path / "srv/berkas.lama") == ["damaged"]
    (tree / "surat").chmod(0o750)
    (files.target / "surat").chmod(0o750)


def test_following_the_guide_shows_a_changed_manifest(with_database: Place) -> None:
    manifest = with_database.folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"simpel"', b'"simpul"'))
    with_database.target.write_bytes(b"live")
    said = with_database.follow("sqlite")
    assert "Signature Verification Failure" in said
    assert "dipasang: TIDAK, karena ada pemeriksaan di atas yang gagal" in said
    assert with_database.target.read_bytes() == b"live"


def test_following_the_guide_shows_a_damaged_or_swapped_part(with_database: Place) -> None:
    part = with_database.folder / "data.sqlite.zst.age"
    content = bytearray(part.read_bytes())
    content[-20] ^= 1
    part.write_bytes(content)
    said = with_database.follow("sqlite")
    assert f"{part}: TIDAK COCOK" in said
    assert "isi: TIDAK COCOK" in said
    assert "dibuka: BERHASIL" not in said
    assert "dipasang: TIDAK" in said


def test_following_the_guide_shows_a_set_under_another_name(with_database: Place) -> None:
    renamed = with_database.folder.with_name("simpel_data_full_20261220t220003+0700")
    with_database.folder.rename(renamed)
    with_database.folder = renamed
    said = with_database.follow("sqlite")
    assert "nama: TIDAK COCOK" in said
    assert "dipasang: TIDAK" in said


def test_the_guide_shows_the_fingerprint_that_the_escrow_sheet_carries(with_database: Place) -> None:
    shown = SIGNER.fingerprint.removeprefix("SHA256:")
    assert f"{shown}  -" in with_database.follow("sqlite")
    assert f"\n    {shown}\n" in restore_guide(SIGNER.public_pem)


def test_a_guide_whose_names_were_taken_gets_one_that_nobody_foresees(tmp_path: Path) -> None:
    """Once, however often it is put."""
    store = open_store(StoreSettings(name="utama", path=str(tmp_path)))
    text = restore_guide(SIGNER.public_pem).encode()
    taken = ["RESTORE.md", f"RESTORE-{hashlib.sha256(text).hexdigest()[:12]}.md"]
    for key in taken:
        store.put_bytes(key, b"x")
    assert lacks_restore_guide(store, SIGNER.public_pem)
    key = put_restore_guide(store, SIGNER.public_pem)
    assert key == put_restore_guide(store, SIGNER.public_pem)
    assert text == store.read(key)
    assert not lacks_restore_guide(store, SIGNER.public_pem)
    assert {key, *taken} == {info.key for info in store.list()}


def test_a_second_guide_never_replaces_the_first(with_database: Place) -> None:
    other = crypto.Signer.from_pem(crypto.generate_signing_key(), "the next signing key")
    text = restore_guide(other.public_pem).encode()
    key = put_restore_guide(with_database.store, other.public_pem)
    assert key == f"RESTORE-{hashlib.sha256(text).hexdigest()[:12]}.md"
    assert put_restore_guide(with_database.store, other.public_pem) == key
    assert put_restore_guide(with_database.store, SIGNER.public_pem) == "RESTORE.md"
    assert with_database.store.read(key) == text
    assert with_database.store.read("RESTORE.md") == restore_guide(SIGNER.public_pem).encode()
