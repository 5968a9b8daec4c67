"""The manifest: equal facts give equal bytes, and anything that is not exactly a manifest of this format is refused."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.canonical import canonical_json
from recovery.errors import SetError
from recovery.manifest import Manifest, Part
from recovery.stream import PartDigests

DATA = Part.encrypted("data.sqlite.zst.age", "data", PartDigests("a" * 64, 4096, "b" * 64, 900))
QUALITY = Part.plain("quality.json", "quality", b"{}")

MANIFEST = Manifest(
    backup_id="8d5f",
    name="simpel_data_full_20261120t220003+0700",
    application="simpel",
    component="data",
    kind="sqlite",
    unit="kepegawaian",
    moment="2026-11-20T15:00:03.000000+00:00",
    procedure_id="run-1",
    schedule_number="001/JBU/KOMINFO/XI/2026",
    release="0.1.0",
    parts=(DATA, QUALITY),
    tools={"sqlite": "3.40.1"},
    target={"machine": "m", "path": "/srv/simpel/data.sqlite"},
    snapshot={"at": "2026-11-20T15:00:03.000000+00:00"},
    fingerprint={"kind": "sqlite", "objects": {"pegawai": {"rows": 2, "digest": "c"}}, "structure": {}, "totals": {}},
    verdict="pass",
    recipients=["age1operations", "age1escrow"],
    retention_until="2027-11-20T15:00:03.000000+00:00",
    warnings=["berkas ‘é’ berubah"],
)


def changed(**fields: Any) -> bytes:
    return canonical_json({**json.loads(MANIFEST.to_bytes()), **fields})


def with_part(number: int, **fields: Any) -> bytes:
    parts = json.loads(MANIFEST.to_bytes())["parts"]
    parts[number] |= fields
    return changed(parts=parts)


def without(field: str) -> bytes:
    data = json.loads(MANIFEST.to_bytes())
    del data[field]
    return canonical_json(data)


def test_a_manifest_reads_back_equal_and_is_named_by_its_sha256() -> None:
    content = MANIFEST.to_bytes()
    assert Manifest.from_bytes(content) == MANIFEST
    assert hashlib.sha256(content).hexdigest() == MANIFEST.sha256
    assert content.startswith(b'{"application":"simpel","backup_id":"8d5f"')


def test_a_part_knows_its_digests_as_it_is_stored() -> None:
    assert (DATA.stored_sha256, DATA.stored_size) == ("b" * 64, 900)
    assert DATA.digests == PartDigests("a" * 64, 4096, "b" * 64, 900)
    assert (QUALITY.stored_sha256, QUALITY.stored_size) == (hashlib.sha256(b"{}").hexdigest(), 2)
    assert MANIFEST.part("quality") is QUALITY
    with pytest.raises(SetError, match=r"the part quality\.json is not encrypted"):
        _ = QUALITY.digests
    with pytest.raises(SetError, match=r"has no part with the role 'globals'; the set was not used"):
        MANIFEST.part("globals")


def test_a_part_for_server_wide_objects_is_reserved() -> None:
    part = Part.encrypted("globals.sql.zst.age", "globals", PartDigests("d" * 64, 1, "e" * 64, 2))
    manifest = replace(MANIFEST, parts=(*MANIFEST.parts, part))
    assert Manifest.from_bytes(manifest.to_bytes()).part("globals") == part


@pytest.mark.parametrize("version", [0, 2, "1", None, True, [1]])
def test_another_format_is_refused_with_what_to_do(version: object) -> None:
    with pytest.raises(SetError) as caught:
        Manifest.from_bytes(changed(format=version))
    assert caught.value.message == f"the manifest has the format {version!r} and this release reads format 1"
    assert caught.value.hint.startswith("use the release that wrote it, or a newer one")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the manifest is no JSON"),
        (b"\xff", "the manifest is no JSON"),
        (b"[" * 100_000, "the manifest is no JSON"),
        (b"[]", "the manifest does not say its format"),
        (b"{}", "the manifest does not say its format"),
        (without("recipients"), "the manifest lacks recipients"),
        (changed(more=1), "the manifest has the unknown more"),
        (changed(name=""), "the field name of the manifest is no name"),
        (changed(name="a/b"), "the field name of the manifest is no name"),
        (changed(unit=".."), "the field unit of the manifest is no name"),
        (changed(application=None), "the field application of the manifest is no text"),
        (changed(moment="2026-11-20T15:00:03"), "the field moment of the manifest is no time with a time zone"),
        (changed(retention_until="soon"), "the field retention_until of the manifest is no time"),
        (changed(moment=5), "the field moment of the manifest is no time"),
        (changed(fingerprint=[]), "the field fingerprint of the manifest is no JSON object"),
        (changed(recipients=[1]), "the field recipients of the manifest is no list of texts"),
        (changed(tools={"tar": 1}), "the field tools of the manifest is no object of texts"),
        (changed(parts={}), "the field parts of the manifest is no list"),
        (changed(parts=[]), "has no part with the role 'data'"),
        (changed(parts=[1]), "a part is no JSON object"),
        (with_part(0, more=1), "a part has the unknown more"),
        (with_part(0, role="other"), "the part data.sqlite.zst.age has the unknown role 'other'"),
        (with_part(0, role="quality"), "two parts of the set have the same role"),
        (with_part(0, file="quality.json"), "two parts of the set have the same file"),
        (with_part(0, file="../data"), "'../data' cannot be the file of a part"),
        (with_part(0, file="a/b"), "'a/b' cannot be the file of a part"),
        (with_part(0, file="manifest.json"), "'manifest.json' cannot be the file of a part"),
        (with_part(0, file=""), "'' cannot be the file of a part"),
        (with_part(0, plain=None), "the digest of the part data.sqlite.zst.age is no JSON object"),
        (with_part(0, plain={"sha256": "A" * 64, "size": 1}), "the digest of the part data.sqlite.zst.age is none"),
        (with_part(0, plain={"sha256": "a" * 63, "size": 1}), "the digest of the part data.sqlite.zst.age is none"),
        (with_part(0, cipher={"sha256": "a" * 64, "size": -1}), "the digest of the part data.sqlite.zst.age is none"),
        (with_part(0, cipher={"sha256": "a" * 64, "size": True}), "the digest of the part data.sqlite.zst.age is none"),
        (with_part(0, cipher=None), "the part data.sqlite.zst.age must be encrypted"),
        (with_part(1, cipher={"sha256": "a" * 64, "size": 1}), "the part quality.json must not be encrypted"),
        (changed(warnings=["lone"]).replace(b"lone", b"\\ud800"), "the manifest holds what canonical JSON cannot"),
        (MANIFEST.to_bytes() + b"\n", "the manifest is not written in its canonical form"),
        (MANIFEST.to_bytes().replace(b",", b", ", 1), "the manifest is not written in its canonical form"),
        (b'{"verdict":"fail",' + MANIFEST.to_bytes()[1:], "the manifest is not written in its canonical form"),
    ],
)
def test_what_is_not_exactly_a_manifest_is_refused_with_the_reason(content: bytes, words: str) -> None:
    with pytest.raises(SetError) as caught:
        Manifest.from_bytes(content)
    assert words in caught.value.message
    assert caught.value.state == "the set was not used"


@given(st.integers(0, len(MANIFEST.to_bytes()) - 1), st.integers(0, 255))
def test_a_manifest_with_one_byte_changed_is_another_one_or_none(position: int, byte: int) -> None:
    content = bytearray(MANIFEST.to_bytes())
    before, content[position] = content[position], byte
    try:
        read = Manifest.from_bytes(bytes(content))
    except SetError:
        return
    assert (read == MANIFEST) is (byte == before)


@settings(max_examples=30, deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_no_json_makes_the_reader_fail_in_another_way(value: object) -> None:
    for content in (canonical_json(value), canonical_json({"format": 1, "parts": value})):
        with pytest.raises(SetError):
            Manifest.from_bytes(content)


def test_the_same_facts_give_the_same_bytes_in_whatever_order_they_were_gathered() -> None:
    turned: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: dict(reversed(data.items()))  # noqa: E731
    again = replace(MANIFEST, target=turned(MANIFEST.target), fingerprint=turned(MANIFEST.fingerprint))
    assert again.to_bytes() == MANIFEST.to_bytes()
