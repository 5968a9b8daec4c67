"""Stored sets that somebody or something spoilt, and sets that were wrong before they were signed: each is refused with
the error that says what it is. What one changed byte does is tried at every place in tests/recovery/test_sets.py."""

import gzip
import hashlib
import io
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pyrage
import pytest
import zstandard

from recovery.crypto import Signer, generate_identity, generate_signing_key
from recovery.errors import DigestError, PulihError, SetError, SignatureError
from recovery.manifest import MANIFEST, SIGNATURE, Manifest, Part
from recovery.sets import open_set, put_set, read_back, set_prefix
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import Store
from recovery.stream import PartDigests
from tests.recovery.sabotage.proving import IDENTITY, RECIPIENT, Original, dump_of, encrypted
from tests.recovery.sabotage.sqlite_cases import write_database
from tests.recovery.sources.sqlite_databases import source_of

SIGNER = Signer.from_pem(generate_signing_key(), "of the tests")
DATA, QUALITY = "data.sqlite.zst.age", "quality.json"
PARTS = (DATA, QUALITY)
FILES = (DATA, QUALITY, MANIFEST, SIGNATURE)
PLACES = {"at the start": 0.0, "in the middle": 0.5, "at the end": 1.0}


@dataclass(frozen=True)
class TwoSets:
    """Two backups of one component in a store, of yesterday and of today, and the folders in which they lie."""

    store: Store
    today: Manifest
    folder: Path
    yesterday: Path

    def use(self) -> bytes:
        """Read everything of today's set, as a restore does, and return the data."""
        prefix = set_prefix(self.today.unit, self.today.application, self.today.name)
        found = open_set(
            self.store,
            prefix,
            SIGNER.public_pem,
            application="simpel",
            component="data",
            manifest_sha256=self.today.sha256,
        )
        found.read("quality")
        target = bytearray()
        found.restore("data", IDENTITY, target.extend)
        return bytes(target)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    path = tmp_path_factory.mktemp("asal") / "simpel.db"
    write_database(path)
    return dump_of(source_of(path))


@pytest.fixture
def sets(tmp_path: Path, original: Original) -> TwoSets:
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifests = [
        _put(store, tmp_path / day, original, moment=f"202611{day}t220003+0700", plain=plain)
        for day, plain in (("19", original.plain[:-1024]), ("20", original.plain))
    ]
    yesterday, today = (tmp_path / "disk" / "bkd" / "simpel" / manifest.name for manifest in manifests)
    return TwoSets(store, manifests[1], today, yesterday)


def _put(store: Store, staging: Path, original: Original, *, moment: str, plain: bytes) -> Manifest:
    staging.mkdir()
    digests = encrypted(plain, staging / DATA)
    (staging / QUALITY).write_bytes(b'{"state":"pass"}' + b" " * (moment[6] == "1"))
    manifest = manifest_of(original, moment, digests, (staging / QUALITY).read_bytes())
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    put_set(store, prefix, {file: staging / file for file in PARTS}, manifest, SIGNER)
    return manifest


def manifest_of(original: Original, moment: str, digests: PartDigests, quality: bytes) -> Manifest:
    return Manifest(
        backup_id=f"cadangan-{moment}",
        name=f"simpel_data_full_{moment}",
        application="simpel",
        component="data",
        kind=original.expected.kind,
        unit="bkd",
        moment="2026-11-20T15:00:03.000000+00:00",
        procedure_id="run-1",
        schedule_number="",
        release="0.1.0",
        parts=(Part.encrypted(DATA, "data", digests), Part.plain(QUALITY, "quality", quality)),
        tools={},
        target={},
        snapshot={},
        fingerprint=original.expected.to_json(),
        verdict="pass",
        recipients=[RECIPIENT],
        retention_until="2027-11-20T15:00:03.000000+00:00",
        warnings=[],
    )


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(change(content))


def flip(content: bytes, place: float) -> bytes:
    position = min(int(len(content) * place), len(content) - 1)
    return content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :]


def as_large(content: bytes, size: int) -> bytes:
    """What somebody would put in the place of a part who knows that its size is compared."""
    return content[:size].ljust(size, b"\0")


def gzipped(plain: bytes, _cipher: bytes) -> bytes:
    return pyrage.encrypt(gzip.compress(plain), [pyrage.x25519.Recipient.from_str(RECIPIENT)])


def test_the_set_is_sound_until_something_happens_to_it(sets: TwoSets, original: Original) -> None:
    assert sets.use() == original.plain


ERRORS: dict[str, type[PulihError]] = {
    DATA: DigestError,
    QUALITY: DigestError,
    MANIFEST: SignatureError,
    SIGNATURE: SignatureError,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit_in_any_file_is_refused(sets: TwoSets, file: str, place: float) -> None:
    rewrite(sets.folder / file, lambda content: flip(content, place))
    with pytest.raises(ERRORS[file]) as caught:
        sets.use()
    assert type(caught.value) is ERRORS[file]


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("file", FILES)
def test_a_cut_in_any_file_is_refused(sets: TwoSets, file: str, kept: float) -> None:
    rewrite(sets.folder / file, lambda content: content[: int(len(content) * kept)])
    with pytest.raises(ERRORS[file]):
        sets.use()


@pytest.mark.parametrize("file", FILES)
def test_a_file_taken_from_yesterdays_set_is_refused(sets: TwoSets, file: str) -> None:
    shutil.copy(sets.yesterday / file, sets.folder / file)
    with pytest.raises(ERRORS[file]):
        sets.use()


@pytest.mark.parametrize("file", PARTS)
def test_parts_exchanged_between_two_sets_are_refused(sets: TwoSets, file: str) -> None:
    one, two = sets.folder / file, sets.yesterday / file
    first, second = one.read_bytes(), two.read_bytes()
    rewrite(one, lambda _: second)
    rewrite(two, lambda _: first)
    with pytest.raises(DigestError):
        sets.use()


def test_yesterdays_whole_set_in_the_place_of_todays_is_refused(sets: TwoSets) -> None:
    # Every file is genuine and fits the others: only the name within the signed manifest is another.
    for file in FILES:
        shutil.copy(sets.yesterday / file, sets.folder / file)
    with pytest.raises(SetError, match="was stored as bkd/simpel/simpel_data_full_20261119t220003"):
        sets.use()


@pytest.mark.parametrize(
    ("codec", "make"),
    [
        ("gzip in place of zstd", gzipped),
        ("zstd without age", lambda plain, _: zstandard.compress(plain)),
        ("plain", lambda plain, _: plain),
        ("age without zstd", lambda plain, _: pyrage.encrypt(plain, [pyrage.x25519.Recipient.from_str(RECIPIENT)])),
        ("age for somebody else", lambda plain, _: _for_somebody_else(plain)),
        ("age twice", lambda _, cipher: pyrage.encrypt(cipher, [pyrage.x25519.Recipient.from_str(RECIPIENT)])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("size_kept", [True, False], ids=["same size", "own size"])
def test_another_codec_in_the_place_of_a_part_is_refused(
    sets: TwoSets, original: Original, codec: str, make: Callable[[bytes, bytes], bytes], size_kept: bool
) -> None:
    cipher = (sets.folder / DATA).read_bytes()
    content = make(original.plain, cipher)
    rewrite(sets.folder / DATA, lambda _: as_large(content, len(cipher)) if size_kept else content)
    with pytest.raises(DigestError):
        sets.use()


def _for_somebody_else(plain: bytes) -> bytes:
    recipient = pyrage.x25519.Recipient.from_str(generate_identity()[1])
    return bytes(pyrage.encrypt(zstandard.compress(plain), [recipient]))


@pytest.mark.parametrize(
    ("codec", "make", "message"),
    [
        ("gzip", gzipped, "they do not decompress"),
        ("no compression", lambda plain, _: pyrage.encrypt(plain, [_own()]), "they do not decompress"),
        ("no encryption", lambda plain, _: zstandard.compress(plain), "they do not decrypt"),
        (
            "two frames",
            lambda plain, _: pyrage.encrypt(zstandard.compress(plain) + zstandard.compress(b"x"), [_own()]),
            "they hold more than the",
        ),
    ],
    ids=["gzip", "no compression", "no encryption", "two frames"],
)
def test_a_wrong_codec_is_refused_although_we_signed_it_ourselves(
    tmp_path: Path, original: Original, codec: str, make: Callable[[bytes, bytes], bytes], message: str
) -> None:
    # As a defect of the writer would make it: the digests are those of the bytes, and the signature is right.
    cipher = make(original.plain, b"")
    digests = PartDigests(_sha256(original.plain), len(original.plain), _sha256(cipher), len(cipher))
    (tmp_path / "disk").mkdir()
    (tmp_path / DATA).write_bytes(cipher)
    (tmp_path / QUALITY).write_bytes(b"{}")
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest = manifest_of(original, "20261120t220003+0700", digests, b"{}")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    put_set(store, prefix, {file: tmp_path / file for file in PARTS}, manifest, SIGNER)
    read_back(store, prefix, manifest, SIGNER.public_pem)
    with pytest.raises(DigestError, match=message):
        TwoSets(store, manifest, tmp_path, tmp_path).use()


def test_a_thief_of_the_store_reads_no_data(sets: TwoSets, original: Original, tmp_path: Path) -> None:
    # Everything that lies there, with an identity of his own, and with age itself.
    everything = b"".join((sets.folder / file).read_bytes() for file in FILES)
    assert b"Pegawai" in original.plain
    assert b"Pegawai" not in everything
    (tmp_path / "pencuri").write_text(generate_identity()[0])
    stolen = subprocess.run(
        ["age", "--decrypt", "--identity", tmp_path / "pencuri", sets.folder / DATA], capture_output=True, check=False
    )
    assert (stolen.returncode, stolen.stdout) == (1, b"")
    assert b"no identity matched any of the recipients" in stolen.stderr


def test_who_can_write_to_the_store_cannot_make_a_set_that_is_believed(sets: TwoSets, original: Original) -> None:
    # The recipients are public: anybody can encrypt data of his own. The signature is what he lacks.
    forged = io.BytesIO()
    pyrage.encrypt_io(io.BytesIO(zstandard.compress(b"data palsu")), forged, [_own()])
    rewrite(sets.folder / DATA, lambda _: forged.getvalue())
    digests = PartDigests(_sha256(b"data palsu"), 10, _sha256(forged.getvalue()), len(forged.getvalue()))
    parts = (Part.encrypted(DATA, "data", digests), sets.today.part("quality"))
    content = replace(sets.today, parts=parts).to_bytes()
    rewrite(sets.folder / MANIFEST, lambda _: content)
    with pytest.raises(SignatureError):
        sets.use()
    own_key = Signer.from_pem(generate_signing_key(), "of a stranger")
    rewrite(sets.folder / SIGNATURE, lambda _: own_key.sign(content))
    with pytest.raises(SignatureError, match="is not signed by this installation"):
        sets.use()


def _own() -> pyrage.x25519.Recipient:
    return pyrage.x25519.Recipient.from_str(RECIPIENT)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
