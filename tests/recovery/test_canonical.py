"""Canonical JSON: the same data is always the same bytes, and what would be ambiguous is refused."""

import hashlib
import json
import os
import re
import subprocess
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.canonical import canonical_json, digest

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)

ordinary = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"))


class Colour(StrEnum):
    RED = "red"


def test_keys_are_sorted_nothing_is_spaced_and_letters_stay_letters() -> None:
    assert canonical_json({"b": [1, None, True], "a": "Jum’at é"}) == '{"a":"Jum’at é","b":[1,null,true]}'.encode()


def test_the_digest_is_the_sha256_of_the_canonical_bytes() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


@given(plain)
def test_what_is_written_reads_back_equal(value: object) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), st.integers(), max_size=6), st.randoms())
def test_the_order_of_insertion_does_not_matter(value: dict[str, int], random: object) -> None:
    items = list(value.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert canonical_json(dict(items)) == canonical_json(value)


@given(st.binary(max_size=40))
def test_a_file_name_that_is_not_utf_8_survives(name: bytes) -> None:
    written = canonical_json({os.fsdecode(name): 1})
    written.decode("utf-8")
    assert [os.fsencode(key) for key in json.loads(written)] == [name]


def test_a_tuple_is_written_as_a_list() -> None:
    assert canonical_json({"a": (1, 2)}) == b'{"a":[1,2]}'


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.5, "value is a float"),
        ({"seconds": [1, float("nan")]}, r"value.seconds\[1\] is a float"),
        ({"at": datetime(2026, 11, 20, tzinfo=UTC)}, "value.at is a datetime"),
        (b"bytes", "value is a bytes"),
        ({1: "one"}, "the key 1, which is no text"),
        ({1, 2}, "value is a set"),
        (Colour.RED, "value is a Colour"),
        ("\ud800", "half a character"),
        ({"\ud800": 1}, "half a character"),
    ],
)
def test_what_is_not_plain_is_refused_and_named(value: object, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        canonical_json(value)


def test_the_example_in_the_description_of_the_format_has_the_hash_that_it_states() -> None:
    description = (Path(__file__).parents[2] / "docs/format.md").read_text()
    found = re.search(r"```json\n(.+)\n```\n\nhas the hash `([0-9a-f]{64})`", description)
    assert found is not None
    entry, stated = found.groups()
    assert canonical_json(json.loads(entry)) == entry.encode()
    assert hashlib.sha256(entry.encode()).hexdigest() == stated


@given(st.dictionaries(ordinary, st.integers(-(2**40), 2**40) | ordinary | st.booleans()))
@settings(max_examples=20, deadline=None)
def test_jq_writes_the_same_bytes(value: dict[str, object]) -> None:
    written = canonical_json(value)
    done = subprocess.run(["jq", "-cjS", "."], input=written, capture_output=True, check=True)
    assert done.stdout == written
