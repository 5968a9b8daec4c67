"""Sets: what was proven is what is stored, and whatever was done to a stored set is found before it is used."""

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from recovery import crypto
from recovery.errors import (
    DigestError,
    KeyMissingError,
    ObjectExistsError,
    PulihError,
    SetError,
    SignatureError,
)
from recovery.manifest import Manifest, Part
from recovery.points import observe
from recovery.sets import BackupSet, open_set, put_copy, put_set, read_back, set_prefix
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import Store
from recovery.stream import encrypt

SECRET, RECIPIENT = crypto.generate_identity()
IDENTITY = crypto.read_identity(SECRET.encode(), "the operations identity")
SIGNER = crypto.Signer.from_pem(crypto.generate_signing_key(), "the signing key")
Put = TypeVar("Put")
CONTENT = os.urandom(100_000) + bytes(200_000)


@dataclass
class Stored:
    """A set that was put, and where its files lie."""

    store: Store
    folder: Path
    prefix: str
    manifest: Manifest
    staged: dict[str, Path]

    def open(self, **changes: Any) -> BackupSet:
        expected: dict[str, Any] = {"application": "simpel", "component": "data", "manifest_sha256": None}
        return open_set(self.store, self.prefix, SIGNER.public_pem, **(expected | changes))

    def restored(self) -> bytes:
        target = bytearray()
        self.open().restore("data", IDENTITY, target.extend)
        return bytes(target)


def stage(
    directory: Path, *, application: str = "simpel", component: str = "data", moment: str = "20261120t220003+0700"
) -> tuple[Manifest, dict[str, Path]]:
    directory.mkdir(parents=True)
    data, quality = directory / "data.sqlite.zst.age", directory / "quality.json"
    digests = encrypt(io.BytesIO(CONTENT).readinto, data, [RECIPIENT])
    quality.write_bytes(b'{"state":"pass"}')
    manifest = Manifest(
        backup_id=f"{application}-{component}-{moment}",
        name=f"{application}_{component}_full_{moment}",
        application=application,
        component=component,
        kind="sqlite",
        unit="kepegawaian",
        moment="2026-11-20T15:00:03.000000+00:00",
        procedure_id="run-1",
        schedule_number="001/JBU/KOMINFO/XI/2026",
        release="0.1.0",
        parts=(
            Part.encrypted(data.name, "data", digests),
            Part.plain(quality.name, "quality", quality.read_bytes()),
        ),
        tools={"sqlite": "3.40.1"},
        target={"machine": "m", "path": "/srv/simpel/data.sqlite"},
        snapshot={},
        fingerprint={"kind": "sqlite", "objects": {}, "structure": {}, "totals": {}},
        verdict="pass",
        recipients=[RECIPIENT],
        retention_until="2027-11-20T15:00:03.000000+00:00",
        warnings=[],
    )
    return manifest, {data.name: data, quality.name: quality}


def stored(tmp_path: Path, **names: str) -> Stored:
    (tmp_path / "disk").mkdir(exist_ok=True)
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest, staged = stage(tmp_path / "staging" / "_".join(names.values() or ["first"]), **names)
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    put_set(store, prefix, staged, manifest, SIGNER)
    return Stored(store, tmp_path / "disk" / prefix, prefix, manifest, staged)


@pytest.fixture
def found(tmp_path: Path) -> Stored:
    return stored(tmp_path)


def test_a_set_that_was_put_restores_what_was_backed_up(found: Stored) -> None:
    assert sorted(os.listdir(found.folder)) == [
        "data.sqlite.zst.age",
        "manifest.json",
        "manifest.json.sig",
        "quality.json",
    ]
    assert (found.folder / "manifest.json.sig").stat().st_size == 64
    assert found.prefix == "kepegawaian/simpel/simpel_data_full_20261120t220003+0700"
    read_back(found.store, found.prefix, found.manifest, SIGNER.public_pem)
    backup_set = found.open(manifest_sha256=found.manifest.sha256)
    assert backup_set.manifest == found.manifest
    assert backup_set.check_parts() == []
    assert found.restored() == CONTENT
    assert json.loads(backup_set.read("quality")) == {"state": "pass"}


def test_putting_it_again_after_a_kill_at_any_point_completes_it(tmp_path: Path) -> None:
    manifest, staged = stage(tmp_path / "staging")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)

    class Killed(BaseException):
        pass

    class Dying:
        """A store whose process dies after so many puts."""

        def __init__(self, store: Store, puts: int) -> None:
            self._store, self._puts, self.name = store, puts, store.name

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def put_file(self, key: str, path: Path) -> str:
            return self._count(lambda: self._store.put_file(key, path))

        def put_bytes(self, key: str, data: bytes) -> None:
            self._count(lambda: self._store.put_bytes(key, data))

        def _count(self, put: Callable[[], Put]) -> Put:
            if self._puts == 0:
                raise Killed
            self._puts -= 1
            return put()

    for puts in range(4):
        (tmp_path / f"disk{puts}").mkdir()
        store = open_store(StoreSettings(name="utama", path=str(tmp_path / f"disk{puts}")))
        with pytest.raises(Killed):
            put_set(Dying(store, puts), prefix, staged, manifest, SIGNER)
        with pytest.raises(SetError, match="has no signed manifest"):
            open_set(store, prefix, SIGNER.public_pem, application="simpel", component="data", manifest_sha256=None)
        put_set(store, prefix, staged, manifest, SIGNER)
        put_set(store, prefix, staged, manifest, SIGNER)
        read_back(store, prefix, manifest, SIGNER.public_pem)


def test_another_set_cannot_take_a_name_that_is_taken(found: Stored, tmp_path: Path) -> None:
    manifest, staged = stage(tmp_path / "again")
    with pytest.raises(ObjectExistsError, match="already holds something else; what was there is untouched"):
        put_set(found.store, found.prefix, staged, manifest, SIGNER)
    assert found.restored() == CONTENT


def test_a_signature_of_a_key_that_is_trusted_is_as_good_as_our_own(tmp_path: Path) -> None:
    """The key was rotated since a try that was killed; a stranger's signature stays in the way."""
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest, staged = stage(tmp_path / "staging")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    before = crypto.Signer.from_pem(crypto.generate_signing_key(), "the key before")
    store.put_bytes(f"{prefix}/manifest.json.sig", before.sign(manifest.to_bytes()))
    with pytest.raises(ObjectExistsError, match=r"manifest\.json\.sig .*already holds something else"):
        put_set(store, prefix, staged, manifest, SIGNER)
    trusted = SIGNER.public_pem + before.public_pem
    put_copy(store, prefix, staged, manifest, SIGNER.sign(manifest.to_bytes()), trusted)
    assert read_back(store, prefix, manifest, trusted) is None


def test_a_set_that_was_not_proven_or_does_not_fit_its_manifest_is_not_put(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest, staged = stage(tmp_path / "staging")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    incomplete = {"quality.json": staged["quality.json"]}
    attempts: list[tuple[str, dict[str, Path], Manifest, str]] = [
        (prefix, staged, replace(manifest, verdict="error"), "has the verdict 'error'; nothing was put into the store"),
        (prefix + "x", staged, manifest, r"the set of .* cannot lie under .*0700x; nothing was put"),
        (prefix, incomplete, manifest, r"the staged files of .* are not the parts of its manifest"),
        (prefix, staged, replace(manifest, moment="now"), "the field moment of the manifest is no time"),
    ]
    for where, files, wrong, words in attempts:
        with pytest.raises(SetError, match=words):
            put_set(store, where, files, wrong, SIGNER)
    assert list(store.list()) == []


def test_staged_bytes_that_changed_since_they_were_proven_get_no_signature(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest, staged = stage(tmp_path / "staging")
    flip(staged["data.sqlite.zst.age"], 500)
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    with pytest.raises(DigestError, match="does not have the SHA-256 of the manifest; the set has no signature"):
        put_set(store, prefix, staged, manifest, SIGNER)
    assert [info.key for info in store.list()] == [f"{prefix}/data.sqlite.zst.age"]


def test_what_the_store_gives_back_decides_and_not_what_it_was_given(tmp_path: Path) -> None:
    """A bit that turns on the disk as soon as the part lies there: the set gets no signature."""
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest, staged = stage(tmp_path / "staging")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)

    turned: list[str] = []

    def turn(point: str) -> None:
        if point == "store: object put" and not turned:
            flip(tmp_path / "disk" / prefix / "data.sqlite.zst.age", 500)
            turned.append(point)

    with observe(turn), pytest.raises(DigestError, match="does not have the SHA-256 of the manifest; the set has no"):
        put_set(store, prefix, staged, manifest, SIGNER)
    assert [info.key for info in store.list()] == [f"{prefix}/data.sqlite.zst.age"]


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.chmod(0o640)
    path.write_bytes(content)


# --- what may happen to a set in the store, and how it shows ----------------------------------------------------


def test_a_damaged_part_is_found_by_reading_back_and_by_restoring(found: Stored) -> None:
    flip(found.folder / "data.sqlite.zst.age", 60_000)
    with pytest.raises(
        DigestError, match=r"zst\.age in the store utama does not have the SHA-256 of the manifest; the set"
    ):
        read_back(found.store, found.prefix, found.manifest)
    with pytest.raises(DigestError, match="the stored bytes are not those of the manifest"):
        found.restored()


def test_a_damaged_verdict_is_found(found: Stored) -> None:
    flip(found.folder / "quality.json", 3)
    with pytest.raises(DigestError, match=r"quality\.json in the store utama does not have the SHA-256"):
        found.open().read("quality")


def test_a_cut_or_extended_part_is_found_when_the_set_is_opened(found: Stored) -> None:
    path = found.folder / "data.sqlite.zst.age"
    whole = path.read_bytes()
    for content in (whole[:-1], whole + b"x", b""):
        path.write_bytes(content)
        with pytest.raises(DigestError, match=f"has {len(content)} bytes and not the {len(whole)} of the manifest"):
            found.open()


def test_a_missing_part_is_found_when_the_set_is_opened(found: Stored) -> None:
    for file in ("data.sqlite.zst.age", "quality.json"):
        content = (found.folder / file).read_bytes()
        (found.folder / file).unlink()
        for use in (found.open, lambda: read_back(found.store, found.prefix, found.manifest)):
            with pytest.raises(SetError) as caught:
                use()
            assert caught.value.message == f"the part {found.prefix}/{file} is missing in the store utama"
        (found.folder / file).write_bytes(content)


def test_a_part_swapped_with_that_of_another_set_is_found(found: Stored, tmp_path: Path) -> None:
    other = stored(tmp_path, moment="20261220t220003+0700")
    size = (found.folder / "data.sqlite.zst.age").stat().st_size
    swapped = (other.folder / "data.sqlite.zst.age").read_bytes()
    (found.folder / "data.sqlite.zst.age").write_bytes(swapped)
    with pytest.raises(DigestError):
        found.restored()
    # Sizes differ by chance (age adds random bytes to its header), so once more with the size that opening expects.
    (found.folder / "data.sqlite.zst.age").write_bytes(swapped[:size].ljust(size, b"x"))
    found.open()
    with pytest.raises(DigestError, match="the stored bytes are not those of the manifest"):
        found.restored()


def test_any_changed_byte_of_manifest_or_signature_is_found(found: Stored) -> None:
    for file in ("manifest.json", "manifest.json.sig"):
        path = found.folder / file
        whole = path.read_bytes()
        for position in range(0, len(whole), 37):
            flip(path, position)
            with pytest.raises(SignatureError) as caught:
                found.open()
            assert caught.value.message.startswith(
                f"the manifest of {found.prefix} in the store utama is not signed by"
            )
            assert caught.value.state == "nothing of the set was used"
            path.write_bytes(whole)
        path.write_bytes(whole[:-1])
        with pytest.raises(SignatureError):
            found.open()
        path.write_bytes(whole)
    assert found.restored() == CONTENT


def test_a_manifest_that_another_key_signed_is_not_trusted_whatever_lies_in_the_store(found: Stored) -> None:
    stranger = crypto.Signer.from_pem(crypto.generate_signing_key(), "a stranger's key")
    forged = replace(found.manifest, warnings=["forged"]).to_bytes()
    (found.folder / "manifest.json").write_bytes(forged)
    (found.folder / "manifest.json.sig").write_bytes(stranger.sign(forged))
    (found.folder / "kunci-publik.pem").write_bytes(stranger.public_pem)
    with pytest.raises(SignatureError, match=f"is not one of the key {SIGNER.fingerprint}"):
        found.open()


def test_reading_back_with_the_key_finds_a_wrong_signature(found: Stored) -> None:
    flip(found.folder / "manifest.json.sig", 5)
    read_back(found.store, found.prefix, found.manifest)
    with pytest.raises(SignatureError):
        read_back(found.store, found.prefix, found.manifest, SIGNER.public_pem)
    with pytest.raises(DigestError, match=r"manifest\.json in the store utama does not have the SHA-256"):
        read_back(found.store, found.prefix, replace(found.manifest, release="other"))


def test_a_set_without_manifest_or_signature_was_never_completed(found: Stored) -> None:
    for file in ("manifest.json.sig", "manifest.json"):
        (found.folder / file).unlink()
        with pytest.raises(SetError, match="has no signed manifest") as caught:
            found.open()
        assert caught.value.state.startswith("it was never completed, or somebody removed it")


def test_a_set_copied_from_another_component_or_application_is_refused(found: Stored, tmp_path: Path) -> None:
    other = stored(tmp_path, component="berkas")
    shutil.rmtree(found.folder)
    shutil.copytree(other.folder, found.folder)
    with pytest.raises(SetError) as caught:
        found.open()
    assert caught.value.message == (
        f"the set under {found.prefix} is of simpel/berkas and not of simpel/data: it was copied from another component"
    )
    with pytest.raises(SetError, match="is of simpel/berkas and not of lain/berkas"):
        other.open(application="lain", component="berkas")


def test_an_older_set_under_a_newer_name_is_refused(found: Stored, tmp_path: Path) -> None:
    newer = stored(tmp_path, moment="20261220t220003+0700")
    shutil.rmtree(newer.folder)
    shutil.copytree(found.folder, newer.folder)
    with pytest.raises(SetError, match=r"was stored as .*20261120t220003.*: it was copied or renamed"):
        newer.open()


def test_another_signed_manifest_than_the_recorded_one_is_refused(found: Stored) -> None:
    with pytest.raises(DigestError) as caught:
        found.open(manifest_sha256="0" * 64)
    actual = hashlib.sha256((found.folder / "manifest.json").read_bytes()).hexdigest()
    assert caught.value.message.endswith(f"its SHA-256 is {actual} and not {'0' * 64}")


def test_an_extra_file_is_reported_and_does_not_stop_a_restore(found: Stored, caplog: pytest.LogCaptureFixture) -> None:
    (found.folder / ".DS_Store").write_bytes(b"finder was here")
    assert found.restored() == CONTENT
    sentence = f"{found.prefix}/.DS_Store in the store utama does not belong to the set"
    assert found.open().check_parts() == [sentence]
    assert sentence in caplog.messages


def test_an_identity_that_is_no_recipient_is_refused_before_anything_is_read(found: Stored) -> None:
    secret, recipient = crypto.generate_identity()
    stranger = crypto.read_identity(secret.encode(), "a stranger")
    (found.folder / "data.sqlite.zst.age").write_bytes(bytes((found.folder / "data.sqlite.zst.age").stat().st_size))
    with pytest.raises(KeyMissingError) as caught:
        found.open().restore("data", stranger, lambda block: None)
    assert caught.value.message.startswith(f"the identity of {recipient} opens none of the recipients of simpel_data")
    assert caught.value.hint == f"use the identity of one of: {RECIPIENT}"


def test_a_part_is_used_only_as_what_it_is(found: Stored) -> None:
    with pytest.raises(SetError, match=r"the part quality\.json is not encrypted"):
        found.open().restore("quality", IDENTITY, lambda block: None)
    with pytest.raises(SetError, match=r"the part data\.sqlite\.zst\.age is encrypted"):
        found.open().read("data")


@pytest.mark.parametrize(
    ("file", "size", "most"), [("manifest.json", 1 << 30, 64 << 20), ("manifest.json.sig", 2048, 1024)]
)
def test_what_is_too_large_to_be_one_is_not_read_and_the_set_is_bad(
    found: Stored, file: str, size: int, most: int
) -> None:
    """It is no trouble of the store: whoever reads the set is to hear that it is not what was signed."""
    os.truncate(found.folder / file, size)
    match = f"{file} in the store utama has more than the {most} bytes that it may have; nothing of the set was used"
    with pytest.raises(SignatureError, match=match) as raised:
        found.open()
    assert "take the copy in the other store" in raised.value.hint
    with pytest.raises(SignatureError):
        read_back(found.store, found.prefix, found.manifest)


def test_a_signature_too_large_to_be_one_stays_in_the_way_of_ours(tmp_path: Path) -> None:
    """No retry helps against it, so it is told as a name that is taken."""
    (tmp_path / "disk").mkdir()
    store = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    manifest, staged = stage(tmp_path / "staging")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    store.put_bytes(f"{prefix}/manifest.json.sig", bytes(2048))
    with pytest.raises(ObjectExistsError, match=r"manifest\.json\.sig .*already holds something else"):
        put_set(store, prefix, staged, manifest, SIGNER)


def test_every_refusal_says_in_which_state_the_data_is(found: Stored) -> None:
    (found.folder / "manifest.json").write_bytes(b"x")
    with pytest.raises(PulihError) as caught:
        found.open()
    assert caught.value.state
    assert caught.value.hint
