"""What cannot be read is told apart from a store that does not answer."""

import os
from pathlib import Path

import pytest

from recovery.errors import ObjectUnreadableError, StoreError
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import Store
from recovery.stores.one_object import read_one


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "disk").mkdir()
    found = open_store(StoreSettings(name="utama", path=str(tmp_path / "disk")))
    found.put_bytes("a/b", b"words")
    return found


def test_what_can_be_read_is_returned(store: Store) -> None:
    assert b"words" == read_one(store, lambda: store.read("a/b"))


@pytest.mark.parametrize("key", ["a/gone", "a/pipe", "a/link", "a/large", "a//b", "a\\b", "a\nb"])
def test_what_nobody_can_read_is_one_object_s_trouble(store: Store, tmp_path: Path, key: str) -> None:
    """Whatever whoever may write there has put."""
    os.mkfifo(tmp_path / "disk" / "a" / "pipe")
    (tmp_path / "disk" / "a" / "link").symlink_to("link")
    with (tmp_path / "disk" / "a" / "large").open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(ObjectUnreadableError) as raised:
        read_one(store, lambda: store.read(key))
    assert raised.value.message.isprintable()
    assert raised.value.state and raised.value.hint


def test_a_store_that_does_not_answer_is_the_store_s_trouble(store: Store, tmp_path: Path) -> None:
    """Nothing is said of the object: it may be the one that matters most."""
    (tmp_path / "disk").rename(tmp_path / "away")
    with pytest.raises(StoreError, match="of the store utama is not there") as raised:
        read_one(store, lambda: store.read("a/b"))
    assert not isinstance(raised.value, ObjectUnreadableError)


def test_an_outage_that_is_over_is_nobody_s_trouble(store: Store, tmp_path: Path) -> None:
    """Between the first try and the look at the store it came back."""

    def read() -> bytes:
        if (tmp_path / "away").exists():
            return store.read("a/b")
        (tmp_path / "disk").rename(tmp_path / "away")
        try:
            return store.read("a/b")
        finally:
            (tmp_path / "away").rename(tmp_path / "disk")
            (tmp_path / "away").mkdir()

    assert b"words" == read_one(store, read)
