"""Any small database or tree comes back from its set as it was, and no manifest makes another error than ours."""

import copy
import json
import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.canonical import canonical_json, digest
from recovery.crypto import Signer, generate_signing_key
from recovery.errors import SetError, SignatureError
from recovery.manifest import MANIFEST, SIGNATURE, Manifest
from recovery.sets import open_set, put_set, set_prefix
from recovery.settings import StoreSettings
from recovery.sources.base import Fingerprint, Source
from recovery.stores import open_store
from tests.recovery.sabotage.proving import IDENTITY, dump_of, encrypted
from tests.recovery.sabotage.test_bad_sets import DATA, QUALITY, manifest_of
from tests.recovery.sources import directory_trees, sqlite_databases

SIGNER = Signer.from_pem(generate_signing_key(), "of the tests")

# --- random sources -------------------------------------------------------------------------------------------------

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.binary(max_size=200),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8).filter(
    lambda name: not name.lower().startswith("sqlite_")
)
TABLES = st.dictionaries(
    NAMES, st.lists(st.tuples(VALUES, VALUES), max_size=6), max_size=4
).filter(lambda tables: len({name.lower() for name in tables}) == len(tables))  # fmt: skip

ENTRY_NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"/" not in name and b"\0" not in name)
ENTRIES = st.recursive(
    st.one_of(st.binary(max_size=2000), st.integers(1, 300_000), st.text("ab/.", min_size=1, max_size=9)),
    lambda inner: st.dictionaries(ENTRY_NAMES.filter(lambda name: name not in (b".", b"..")), inner, max_size=4),
    max_leaves=8,
)
TREES = st.dictionaries(ENTRY_NAMES.filter(lambda name: name not in (b".", b"..")), ENTRIES, max_size=4)


@pytest.mark.slow
@settings(max_examples=6, deadline=timedelta(seconds=60))
@given(tables=TABLES, mode=st.sampled_from(["DELETE", "WAL"]), page_size=st.sampled_from([512, 4096, 65536]))
def test_any_database_comes_back_from_its_set_equal(
    tables: dict[str, list[tuple[Any, Any]]], mode: str, page_size: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "simpel.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {page_size}")
            connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
            connection.execute("PRAGMA user_version = 3")
            for name, rows in tables.items():
                quoted = '"' + name.replace('"', '""') + '"'
                connection.execute(f"CREATE TABLE {quoted} (a, b)")
                connection.executemany(f"INSERT INTO {quoted} VALUES (?, ?)", rows)
        _comes_back(sqlite_databases.source_of(path), Path(directory))


@pytest.mark.slow
@settings(max_examples=6, deadline=timedelta(seconds=60))
@given(tree=TREES, mode=st.integers(0, 0o777), moment=st.integers(-(10**18), 4 * 10**18))
def test_any_tree_comes_back_from_its_set_equal(tree: dict[bytes, Any], mode: int, moment: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "unggahan")
        root.mkdir()
        _plant(os.fsencode(root), tree, mode | 0o700, moment)
        _comes_back(directory_trees.source_of(root), Path(directory))


def _plant(folder: bytes, tree: dict[bytes, Any], mode: int, moment: int) -> None:
    for name, content in tree.items():
        path = folder + b"/" + name
        if isinstance(content, dict):
            os.mkdir(path)
            _plant(path, content, mode, moment)
        elif isinstance(content, str):
            os.symlink(content, path)
        else:
            with open(path, "wb") as file:
                if isinstance(content, int):
                    file.truncate(content)
                else:
                    file.write(content)
        os.utime(path, ns=(0, moment), follow_symlinks=False)
    os.chmod(folder, mode)


def _comes_back(source: Source, directory: Path) -> None:
    original = dump_of(source)
    (directory / "store").mkdir()
    digests = encrypted(original.plain, directory / DATA)
    (directory / QUALITY).write_bytes(b"{}")
    manifest = manifest_of(original, "20261120t220003+0700", digests, b"{}")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    store = open_store(StoreSettings(name="utama", path=str(directory / "store")))
    put_set(store, prefix, {file: directory / file for file in (DATA, QUALITY)}, manifest, SIGNER)

    found = open_set(
        store, prefix, SIGNER.public_pem, application="simpel", component="data", manifest_sha256=manifest.sha256
    )
    scratch = source.scratch(directory / "scratch")
    loaded = scratch.beside("proof")
    with scratch.load(loaded) as load:
        found.restore("data", IDENTITY, load.write)
        load.finish()
    expected = Fingerprint.from_json(found.manifest.fingerprint)
    assert expected.differences(scratch.fingerprint(loaded)) == []
    assert expected == source.fingerprint()
    scratch.discard(loaded)
    assert scratch.copies() == []


# --- canonical JSON -------------------------------------------------------------------------------------------------

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"])))
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@given(one=PLAIN, other=PLAIN)
def test_two_values_have_one_text_only_if_they_are_the_same(one: Any, other: Any) -> None:
    # By type too: True is 1 for Python, and must not be for a signature.
    assert (canonical_json(one) == canonical_json(other)) == (_typed(one) == _typed(other))


@given(value=PLAIN)
def test_writing_what_was_read_changes_no_byte(value: Any) -> None:
    written = canonical_json(value)
    assert canonical_json(json.loads(written)) == written
    assert digest(json.loads(written)) == digest(value)


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    return [_typed(item) for item in value] if isinstance(value, list) else (type(value).__name__, value)


# --- manifests that were changed --------------------------------------------------------------------------------------

ODD = st.one_of(
    PLAIN,
    st.floats(),
    st.sampled_from([10**400, -1, 0, "", "\udcff", "../../etc/passwd", "a\0b", "2026", [], {}, [[]], {"": None}, True]),
)


@dataclass(frozen=True, repr=False)
class Signed:
    """A set in a store and its manifest as plain data."""

    folder: Path
    prefix: str
    store: Any
    data: dict[str, Any]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    directory = tmp_path_factory.mktemp("set")
    (directory / "store").mkdir()
    path = directory / "simpel.db"
    original = dump_of(sqlite_databases.make(path, "CREATE TABLE t (x)", "INSERT INTO t VALUES (1)"))
    digests = encrypted(original.plain, directory / DATA)
    (directory / QUALITY).write_bytes(b"{}")
    manifest = manifest_of(original, "20261120t220003+0700", digests, b"{}")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    store = open_store(StoreSettings(name="utama", path=str(directory / "store")))
    put_set(store, prefix, {file: directory / file for file in (DATA, QUALITY)}, manifest, SIGNER)
    return Signed(directory / "store" / prefix, prefix, store, json.loads(manifest.to_bytes()))


@settings(max_examples=200, deadline=None)
@given(seed=st.randoms(use_true_random=False), odd=st.lists(ODD, min_size=3, max_size=3))
def test_a_changed_manifest_makes_no_other_error_than_ours(signed: Signed, seed: Random, odd: list[Any]) -> None:
    changed = _mutated(signed.data, seed, odd)
    try:
        content = json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )
    except ValueError:
        return  # an integer of more digits than Python writes
    # With a right signature, as a defect or the holder of the key could make it: form is checked all the same.
    _open_or_refuse(signed, content, SIGNER.sign(content))
    # Without, nothing of it is even read.
    if changed != signed.data:
        with pytest.raises(SignatureError):
            _open(signed, content, SIGNER.sign(b"another"))


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=300), cut=st.integers(0, 2000))
def test_bytes_that_are_no_manifest_make_no_other_error_than_ours(signed: Signed, content: bytes, cut: int) -> None:
    whole = canonical_json(signed.data)
    for bad in (content, whole[:cut] + content, content + whole[cut:], b"[" * 100_000, _deep(signed.data)):
        if bad != whole:
            _open_or_refuse(signed, bad, SIGNER.sign(bad))


def _deep(value: dict[str, Any]) -> bytes:
    nested = b"[" * 900 + b"]" * 900
    return canonical_json({**value, "target": {"x": "-"}}).replace(b'"-"', nested)


def _mutated(value: dict[str, Any], seed: Random, odd: list[Any]) -> dict[str, Any]:
    """Change one to three places, at any depth."""
    changed = copy.deepcopy(value)
    for strange in odd[: seed.randint(1, 3)]:
        place: Any = changed
        while True:
            key = seed.choice(sorted(place) if isinstance(place, dict) else range(len(place)))
            if isinstance(place[key], dict | list) and place[key] and seed.random() < 0.6:
                place = place[key]
                continue
            action = seed.choice(["replace", "remove", "add"])
            if action == "remove":
                del place[key]
            elif action == "replace":
                place[key] = strange
            elif isinstance(place, dict):
                place[seed.choice(["", "x", "format", "cipher"])] = strange
            else:
                place.append(strange)
            break
        if not changed:
            break
    return changed


def _open_or_refuse(signed: Signed, content: bytes, signature: bytes) -> None:
    """Open the set as a restore does. A refusal must be a SetError, of whichever kind; every other error escapes."""
    try:
        manifest = _open(signed, content, signature)
        Fingerprint.from_json(manifest.fingerprint)
    except SetError as error:
        assert error.state
        return
    # It opens: then it is a manifest whose every byte is as we write it, and of this very set.
    assert manifest.to_bytes() == content
    assert set_prefix(manifest.unit, manifest.application, manifest.name) == signed.prefix
    assert (manifest.application, manifest.component) == ("simpel", "data")


def _open(signed: Signed, content: bytes, signature: bytes) -> Manifest:
    for file, written in ((MANIFEST, content), (SIGNATURE, signature)):
        with suppress(FileNotFoundError):
            (signed.folder / file).unlink()
        (signed.folder / file).write_bytes(written)
    return open_set(
        signed.store,
        signed.prefix,
        SIGNER.public_pem,
        application="simpel",
        component="data",
        manifest_sha256=None,
    ).manifest
