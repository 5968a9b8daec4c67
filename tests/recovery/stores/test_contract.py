"""What every store promises, held by each of them: a directory, everyday S3, S3 with versions and Object Lock."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recovery.errors import ObjectExistsError, ObjectMissingError, StoreError
from recovery.settings import StoreSettings
from recovery.stores import open_store
from recovery.stores.base import ObjectInfo, Store
from tests.testbed.s3 import OWNER, secret

KEY = "kepegawaian/simpel/simpel_data_full_20261120t220003+0700/manifest.json"
MEBIBYTE = 1 << 20
LATER = "2099-01-01T00:00:00+07:00"

REAL = [pytest.param(name, marks=pytest.mark.slow) for name in ("juicefs", "ceph", "ceph-https")]


@pytest.fixture(params=["directory", *REAL])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> StoreSettings:
    """Settings of an empty store, with credentials that may remove."""
    if request.param == "directory":
        return StoreSettings(name="gudang", path=str(tmp_path), prefix="cadangan")
    server = request.getfixturevalue(request.param.removesuffix("-https"))
    secure = {"endpoint": server.secure_endpoint, "ca_file": server.ca_file} if request.param == "ceph-https" else {}
    bucket = server.make_bucket(lock=server.versions)
    removal = {"removal_access_key": secret(tmp_path, OWNER[0]), "removal_secret_key": secret(tmp_path, OWNER[1])}
    return server.settings(tmp_path, bucket, **removal, **secure)  # type: ignore[no-any-return]


@pytest.fixture
def store(settings: StoreSettings) -> Store:
    return open_store(settings)


def read_in_pieces(store: Store, key: str, size: int = 70_000, **given: Any) -> bytes:
    read, buffer = bytearray(), memoryview(bytearray(size))
    with store.open(key, **given) as stored:
        while count := stored.readinto(buffer):
            read += buffer[:count]
        assert stored.readinto(buffer) == 0
    return bytes(read)


def test_what_was_put_is_read_back_whatever_its_size(store: Store, tmp_path: Path) -> None:
    # The last of them goes to a bucket in two parts.
    for size in (0, 1, 70_000, 16 * MEBIBYTE, 17 * MEBIBYTE + 5):
        content = os.urandom(size)
        (tmp_path / "staged").write_bytes(content)
        store.put_file(f"a/{size}", tmp_path / "staged")
        assert read_in_pieces(store, f"a/{size}") == content
        assert store.read(f"a/{size}", limit=size) == content
        assert store.exists(f"a/{size}")
    store.put_bytes(KEY, b"words")
    assert store.read(KEY) == b"words"
    assert read_in_pieces(store, KEY, sha256="0" * 64) == b"words"


def test_the_same_again_is_success_and_something_else_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"words")
    store.put_bytes(KEY, b"words")
    store.put_bytes(KEY, b"words")
    store.put_file(KEY, tmp_path / "same")
    for other in (b"wordy", b"word", b"words!", b"", bytes(17 * MEBIBYTE)):
        with pytest.raises(
            ObjectExistsError, match=r"manifest\.json in the store gudang already holds something else; what"
        ):
            store.put_bytes(KEY, other)
        (tmp_path / "other").write_bytes(other)
        with pytest.raises(ObjectExistsError, match="nothing is ever overwritten"):
            store.put_file(KEY, tmp_path / "other")
    assert store.read(KEY) == b"words"
    assert store.sweep(-60) == []


def test_of_two_that_put_one_key_at_once_at_most_one_succeeds(
    settings: StoreSettings, request: pytest.FixtureRequest
) -> None:
    """Where the service has conditional requests or versions; elsewhere two may believe that they were first."""
    ready, outcomes = threading.Barrier(4), []

    def put(letter: bytes) -> None:
        store = open_store(settings)
        ready.wait()
        try:
            store.put_bytes(KEY, letter * 100_000)
            outcomes.append(letter)
        except StoreError:
            # Taken, or, where nothing keeps two from it, replaced while it was read back.
            outcomes.append(b"")

    threads = [threading.Thread(target=put, args=(letter,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [letter for letter in outcomes if letter]
    found = open_store(settings).read(KEY)
    assert len(outcomes) == 4
    assert found[:1] * 100_000 == found
    if "[juicefs]" not in request.node.nodeid:
        assert winners == [found[:1]]


def test_listing_goes_by_the_beginning_of_the_key_and_its_order(store: Store) -> None:
    for key in ("a/b/two", "a/b/one", "a-b/one", "a/bc", "z"):
        store.put_bytes(key, key.encode())
    every = ["a-b/one", "a/b/one", "a/b/two", "a/bc", "z"]
    assert [info.key for info in store.list()] == every
    assert list(store.list("a/b/")) == [ObjectInfo("a/b/one", 7), ObjectInfo("a/b/two", 7)]
    assert [info.key for info in store.list("a/b")] == ["a/b/one", "a/b/two", "a/bc"]
    assert [info.key for info in store.list("a")] == every[:-1]
    assert list(store.list("nothing/here")) == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a//b", "a/", "a\nb", "a\\b", "a/\udcff", "a" * 256])
def test_a_key_that_could_leave_the_store_is_refused(store: Store, key: str) -> None:
    uses: list[Callable[[], object]] = [
        lambda: store.put_bytes(key, b""),
        lambda: store.put_file(key, Path(__file__)),
        lambda: store.read(key),
        lambda: store.exists(key),
        lambda: store.location(key),
        lambda: store.protect(key, LATER),
        lambda: store.lacks_lock(key, LATER),
        lambda: store.removable(key),
        lambda: store.remove(key),
    ]
    for use in uses:
        with pytest.raises(StoreError, match="cannot be the key of an object; nothing was read or written"):
            use()


def test_what_is_not_there_is_missing_and_not_an_empty_object(store: Store) -> None:
    store.put_bytes("a/b", b"words")
    for key in ("a/c", "a"):
        assert not store.exists(key)
        uses: list[Callable[[], object]] = [
            lambda key=key: store.read(key),
            lambda key=key: read_in_pieces(store, key),
            lambda key=key: store.protect(key, LATER),
            lambda key=key: store.lacks_lock(key, LATER),
        ]
        for use in uses:
            with pytest.raises(ObjectMissingError, match=f"{key} is not in the store gudang; nothing was read"):
                use()


def test_an_object_larger_than_expected_is_not_read_into_memory(store: Store) -> None:
    store.put_bytes("big", bytes(2000))
    assert store.read("big", limit=2000) == bytes(2000)
    with pytest.raises(StoreError, match="big in the store gudang has more than the 1999 bytes that it may have"):
        store.read("big", limit=1999)


def test_checking_a_store_leaves_nothing(store: Store) -> None:
    store.check()
    assert list(store.list()) == []
    assert store.sweep(-60) == []


def test_a_staged_file_that_is_gone_or_no_file_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"staged cannot be read \(No such file or directory\)"):
        store.put_file(KEY, tmp_path / "staged")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match=r"folder cannot be read \(Is a directory\)"):
        store.put_file(KEY, tmp_path / "folder")
    assert not store.exists(KEY)


def test_a_store_without_a_demanded_lock_says_none(store: Store) -> None:
    store.put_bytes(KEY, b"words")
    assert store.protect(KEY, LATER) == "none"
    assert store.lacks_lock(KEY, LATER) == "", "none is demanded"


def test_removing_removes_and_what_is_gone_is_success(settings: StoreSettings) -> None:
    store = open_store(settings, for_removal=True)
    for key in ("a/set/part", "a/set/part.sig", "a/other/part"):
        store.put_bytes(key, b"words")
    for key in ("a/set/part", "a/set/part", "never/was"):
        assert store.removable(key) == ""
        store.remove(key)
    assert [info.key for info in store.list()] == ["a/other/part", "a/set/part.sig"]
