"""Stores and networks that lie: what is flipped, cut, dropped or refused is found, and tried again where that helps."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recovery.errors import ObjectMissingError, StoreError, StoreReadOnlyError
from recovery.points import observe
from recovery.sets import put_set, set_prefix
from recovery.stores import open_store
from recovery.stores.base import Store
from tests.recovery.test_sets import SIGNER, stage
from tests.testbed.s3 import S3Server
from tests.testbed.s3_proxy import CUT, Answer, Request, S3Proxy, busy, flipped, s3_proxy

pytestmark = pytest.mark.slow

KEY = "bkd/simpel/set/data.tar.zst.age"
MEBIBYTE = 1 << 20


@pytest.fixture(params=["juicefs", pytest.param("ceph", marks=pytest.mark.endurance)])
def server(request: pytest.FixtureRequest) -> S3Server:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


@pytest.fixture
def proxy(server: S3Server) -> Iterator[S3Proxy]:
    with s3_proxy(server.port) as running:
        yield running


@pytest.fixture
def store(server: S3Server, proxy: S3Proxy, tmp_path: Path) -> Store:
    bucket = server.make_bucket(lock=server.versions)
    return open_store(server.settings(tmp_path, bucket, endpoint=proxy.endpoint, attempts=2))


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """A file that goes in three parts."""
    path = tmp_path / "staged"
    path.write_bytes(os.urandom(33 * MEBIBYTE))
    return path


def is_part(request: Request, number: int) -> bool:
    return request.method == "PUT" and f"partNumber={number}&" in f"{request.path}&"


def is_object(request: Request) -> bool:
    return "/cadangan/" in request.path.partition("?")[0]


def is_download(request: Request) -> bool:
    return request.method == "GET" and request.path.partition("?")[0].endswith(KEY)


def test_a_byte_that_turns_on_its_way_there_is_refused(store: Store, proxy: S3Proxy, staged: Path) -> None:
    def turn(request: Request) -> None:
        if is_part(request, 2) or request.path.endswith("small"):
            request.body = flipped(request.body)

    proxy.rule = turn
    with pytest.raises(StoreError, match=r"got other bytes than were sent \(XAmzContentSHA256Mismatch\); nothing was"):
        store.put_file(KEY, staged)
    with pytest.raises(StoreError, match="got other bytes than were sent"):
        store.put_bytes("small", b"words")
    proxy.rule = lambda request: None
    assert list(store.list()) == []
    assert store.sweep(-60) == []  # nothing of the upload is left
    store.put_file(KEY, staged)
    assert store.exists(KEY)


def test_a_store_that_gives_back_other_bytes_is_found_and_nothing_stays(
    store: Store, proxy: S3Proxy, staged: Path
) -> None:
    def turn(answer: Answer) -> Answer:
        answer.body = flipped(answer.body)
        return answer

    proxy.rule = lambda request: turn if request.method == "GET" and is_object(request) else None
    words = "is not what was put; it was removed again\nHINT: the service or something on the way changes bytes"
    with pytest.raises(StoreError, match=words):
        store.put_file(KEY, staged)
    with pytest.raises(StoreError, match=words):
        store.put_bytes("small", b"words")
    proxy.rule = lambda request: None
    assert list(store.list()) == []


def test_a_damaged_object_that_cannot_be_removed_is_told(store: Store, proxy: S3Proxy) -> None:
    def rule(request: Request) -> Answer | object | None:
        if request.method == "DELETE":
            return Answer(403, [], b"<Error><Code>AccessDenied</Code></Error>")
        if request.method == "GET" and "small" in request.path.partition("?")[0]:
            return lambda answer: Answer(answer.status, answer.headers, flipped(answer.body))
        return None

    proxy.rule = rule  # type: ignore[assignment]
    with pytest.raises(StoreError, match="it lies there, damaged, and its name is used up: these credentials cannot"):
        store.put_bytes("small", b"words")


def test_a_download_that_ends_early_is_not_taken_for_the_whole(store: Store, proxy: S3Proxy, staged: Path) -> None:
    def short(answer: Answer) -> Answer:
        return Answer(answer.status, answer.headers, answer.body[:-1])

    proxy.rule = lambda request: short if is_download(request) else None
    words = r"ended after 34603007 of 34603008 bytes, at each of 2 attempts; nothing was changed; what was read of it"
    with pytest.raises(StoreError, match=words):
        store.put_file(KEY, staged)


@pytest.mark.parametrize("kept", [lambda body: body[:-1], flipped, lambda body: b""], ids=["less", "others", "nothing"])
def test_a_store_that_keeps_other_bytes_than_it_was_given_is_found(
    server: S3Server, store: Store, proxy: S3Proxy, kept: Callable[[bytes], bytes]
) -> None:
    """It takes what it was sent, says that all is well, names what it made of it, and keeps something else."""
    bucket = store._settings.bucket  # type: ignore[attr-defined]

    def keep(request: Request) -> Answer | None:
        if not request.is_data:
            return None
        path = request.path.partition("?")[0]
        made = server.client().put_object(Bucket=bucket, Key=path.removeprefix(f"/{bucket}/"), Body=kept(request.body))
        named = [("x-amz-version-id", made["VersionId"])] if "VersionId" in made else []
        return Answer(200, [("ETag", made["ETag"]), *named])

    proxy.rule = keep
    with pytest.raises(StoreError, match="small in the store gudang was read back and is not what was put; it was rem"):
        store.put_bytes("small", b"words")
    proxy.rule = lambda request: None
    assert list(store.list()) == []
    assert "Versions" not in server.client().list_object_versions(Bucket=bucket) if server.versions else True
    store.put_bytes("small", b"words")
    assert store.read("small") == b"words"


def test_a_write_that_is_dropped_is_found(store: Store, proxy: S3Proxy, staged: Path) -> None:
    taken = Answer(200, [("ETag", '"9dd4e461268c8034f5c8564e155c67a6"')])
    proxy.rule = lambda request: taken if request.is_data and "partNumber" not in request.path else None
    words = "the store gudang said that it took small, and does not have it; nothing is under that name"
    with pytest.raises(StoreError, match=words):
        store.put_bytes("small", b"words")
    # A part that was never kept: the service itself notices when the whole is asked for.
    proxy.rule = lambda request: taken if is_part(request, 2) else None
    with pytest.raises(StoreError, match=rf"InvalidPart|lost what it was sent of {KEY}, and does not have it; nothing"):
        store.put_file(KEY, staged)
    proxy.rule = lambda request: None
    assert list(store.list()) == []
    assert store.sweep(-60) == []


def test_a_connection_that_is_cut_once_is_taken_up_again(store: Store, proxy: S3Proxy, staged: Path) -> None:
    lock, cut = threading.Lock(), set()

    def once(name: str) -> bool:
        with lock:
            fresh = name not in cut
            cut.add(name)
            return fresh

    def rule(request: Request) -> Answer | object | None:
        if is_part(request, 2) and once("part"):
            return CUT
        if request.method == "POST" and "uploadId" in request.path and once("complete"):
            # It is done, and nobody hears of it.
            return lambda answer: CUT
        if is_download(request) and once("download"):
            return lambda answer: Answer(answer.status, answer.headers, answer.body, cut=20 * MEBIBYTE)
        return None

    proxy.rule = rule  # type: ignore[assignment]
    store.put_file(KEY, staged)
    assert cut == {"part", "complete", "download"}
    read, buffer = bytearray(), memoryview(bytearray(MEBIBYTE))
    with store.open(KEY) as stored:
        while count := stored.readinto(buffer):
            read += buffer[:count]
    assert bytes(read) == staged.read_bytes()
    assert store.sweep(-60) == []


@pytest.mark.parametrize("part", [1, 2, 3])
def test_a_part_that_never_gets_through_ends_the_upload_and_leaves_nothing(
    store: Store, proxy: S3Proxy, staged: Path, part: int
) -> None:
    proxy.rule = lambda request: CUT if is_part(request, part) else None
    words = f"the connection to the store gudang at {proxy.endpoint} broke at part {part} of {KEY} in the store gudang"
    with pytest.raises(StoreError, match=words) as caught:
        store.put_file(KEY, staged)
    assert caught.value.state == "nothing was written"
    proxy.rule = lambda request: None
    assert not store.exists(KEY)
    assert store.sweep(-60) == []
    store.put_file(KEY, staged)


def test_parts_that_cannot_be_given_up_are_told_and_swept_later(store: Store, proxy: S3Proxy, staged: Path) -> None:
    proxy.rule = lambda request: CUT if is_part(request, 2) or request.method == "DELETE" else None
    with pytest.raises(StoreError) as caught:
        store.put_file(KEY, staged)
    assert caught.value.state.startswith("nothing was written; parts of it still lie in the store, unseen (the connect")
    assert caught.value.hint.endswith("the guard removes such parts after a day")
    proxy.rule = lambda request: (
        Answer(403, [], b"<Error><Code>AccessDenied</Code></Error>") if request.method == "DELETE" else None
    )
    with pytest.raises(StoreError, match=f"the store gudang keeps 1 unfinished uploads: {KEY}; they harm nothing"):
        store.sweep(-60)
    # Begun long ago, it may still go on: what counts is when its newest part came.
    proxy.rule = lambda request: long_ago(b"Initiated")
    assert store.sweep(3600) == []
    proxy.rule = lambda request: long_ago(b"Initiated", b"LastModified")
    assert store.sweep(3600) == [KEY]
    assert store.sweep(3600) == []


def long_ago(*fields: bytes) -> Callable[[Answer], Answer]:
    """A rule for the service's answer: what its lists call by these names was two days ago."""
    then = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()

    def change(answer: Answer) -> Answer:
        for field in fields:
            answer.body = re.sub(b"<%b>[^<]*" % field, b"<%b>%b" % (field, then), answer.body)
        return answer

    return change


def test_each_part_of_a_set_is_read_back_once(store: Store, proxy: S3Proxy, tmp_path: Path) -> None:
    """Whether it is put, or was put by a try that was killed; step 4 shall not cost a second download."""
    manifest, staged = stage(tmp_path / "staging")
    prefix = set_prefix(manifest.unit, manifest.application, manifest.name)
    downloads = [f"/{part.file}" for part in manifest.parts]
    for times in (1, 2):
        put_set(store, prefix, staged, manifest, SIGNER)
        read = [path.partition("?")[0] for method, path in proxy.seen if method == "GET"]
        assert [times] * 2 == [sum(path.endswith(name) for path in read) for name in downloads]


def test_an_interrupted_upload_stays_interrupted_and_its_parts_are_swept_later(
    store: Store, proxy: S3Proxy, staged: Path
) -> None:
    """Whoever interrupts hears nothing of parts that could not be taken back."""

    def interrupt(point: str) -> None:
        if point == "store: parts sent":
            proxy.rule = lambda request: CUT if request.method == "DELETE" else None
            raise KeyboardInterrupt

    with observe(interrupt), pytest.raises(KeyboardInterrupt):
        store.put_file(KEY, staged)
    proxy.rule = lambda request: None
    assert not store.exists(KEY)
    assert store.sweep(-60) == [KEY]


def test_parts_that_came_to_nothing_and_cannot_be_given_up_are_an_error(
    store: Store, proxy: S3Proxy, staged: Path
) -> None:
    taken = Answer(412, [], b"<Error><Code>PreconditionFailed</Code></Error>")
    proxy.rule = lambda request: (
        taken
        if request.method == "POST" and "uploadId" in request.path
        else CUT
        if request.method == "DELETE"
        else None
    )
    with pytest.raises(StoreError, match=f"the connection to .* broke at {KEY} in the store gudang"):
        store.put_file(KEY, staged)
    proxy.rule = lambda request: taken if request.method == "POST" and "uploadId" in request.path else None
    with pytest.raises(StoreError, match=f"the store gudang lost what it was sent of {KEY}, and does not have it"):
        store.put_file(KEY, staged)


def test_a_long_upload_says_how_far_it_is(
    store: Store, staged: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recovery.stores.s3_upload.PROGRESS_SECONDS", 0)
    caplog.set_level("INFO", "recovery")
    store.put_file(KEY, staged)
    assert caplog.messages[-1] == f"put 33 of 33 MiB of {KEY} in the store gudang"


def test_an_object_that_vanishes_between_two_looks_is_missing(store: Store, proxy: S3Proxy) -> None:
    store.put_bytes(KEY, b"words")
    gone = Answer(404, [], b"<Error><Code>NoSuchKey</Code></Error>")
    proxy.rule = lambda request: gone if is_download(request) else None
    with pytest.raises(ObjectMissingError, match=f"{KEY} in the store gudang is not there; nothing was read"):
        store.read(KEY)


def test_a_store_that_only_says_that_it_removed_is_found(store: Store, proxy: S3Proxy) -> None:
    remover = open_store(
        store._settings.model_copy(  # type: ignore[attr-defined]
            update={
                "removal_access_key": store._settings.access_key,  # type: ignore[attr-defined]
                "removal_secret_key": store._settings.secret_key,  # type: ignore[attr-defined]
            }
        ),
        for_removal=True,
    )
    store.put_bytes(KEY, b"words")
    proxy.rule = lambda request: Answer(204) if request.method == "DELETE" else None
    with pytest.raises(StoreError, match=f"{KEY} in the store gudang has 1 versions after it was removed; it is still"):
        remover.remove(KEY)


def test_a_short_storm_is_sat_out_and_a_long_one_is_named(store: Store, proxy: S3Proxy, staged: Path) -> None:
    lock, told = threading.Lock(), set()

    def each_first(request: Request) -> Answer | None:
        with lock:
            fresh = (request.method, request.path) not in told
            told.add((request.method, request.path))
        return busy(request) if fresh else None

    proxy.rule = each_first
    store.put_file(KEY, staged)
    proxy.rule = lambda request: None
    assert store.read(KEY, limit=33 * MEBIBYTE) == staged.read_bytes()
    proxy.rule = busy
    words = r"was too busy for .* at each of 2 attempts \(SlowDown, status 503\); nothing was"
    for use in (lambda: store.put_file("other", staged), lambda: store.read(KEY), store.check, lambda: store.sweep(0)):
        with pytest.raises(StoreError, match=words):
            use()


def test_a_store_that_stops_answering_is_given_up(server: S3Server, proxy: S3Proxy, tmp_path: Path) -> None:
    settings = server.settings(tmp_path, server.make_bucket(), endpoint=proxy.endpoint, attempts=1, answer_timeout=0.3)
    stopped = threading.Event()

    def wait(request: Request) -> None:
        stopped.wait()

    proxy.rule = wait
    try:
        with pytest.raises(StoreError, match=r"did not go on within 0\.3 seconds, at the list of its objects; nothing"):
            open_store(settings).read(KEY)
    finally:
        stopped.set()


def test_an_object_that_changes_while_it_is_read_is_not_mixed(juicefs: S3Server, tmp_path: Path, staged: Path) -> None:
    """Without versions somebody can replace it between two pieces."""
    with s3_proxy(juicefs.port) as proxy:
        bucket = juicefs.make_bucket()
        store = open_store(juicefs.settings(tmp_path, bucket, endpoint=proxy.endpoint, attempts=2))
        store.put_file(KEY, staged)
        proxy.rule = lambda request: (
            (lambda answer: Answer(answer.status, answer.headers, answer.body, cut=MEBIBYTE))
            if is_download(request)
            else None
        )
        with store.open(KEY) as stored:
            assert stored.readinto(memoryview(bytearray(1000))) == 1000
            juicefs.client().put_object(Bucket=bucket, Key=f"cadangan/{KEY}", Body=os.urandom(33 * MEBIBYTE))
            with pytest.raises(StoreError, match="has another object there than a moment ago"):
                while stored.readinto(memoryview(bytearray(MEBIBYTE))):
                    pass


def test_a_service_that_ignores_ranges_is_named(juicefs: S3Server, tmp_path: Path, staged: Path) -> None:
    with s3_proxy(juicefs.port) as proxy:
        store = open_store(juicefs.settings(tmp_path, juicefs.make_bucket(), endpoint=proxy.endpoint, attempts=2))
        store.put_file(KEY, staged)

        def whole(request: Request) -> object | None:
            if not is_download(request):
                return None
            request.headers = [header for header in request.headers if header[0].lower() != "range"]
            return lambda answer: Answer(200, answer.headers, answer.body, cut=MEBIBYTE)

        proxy.rule = whole  # type: ignore[assignment]
        with store.open(KEY) as stored, pytest.raises(StoreError, match="the store gudang cannot give a part of"):
            while stored.readinto(memoryview(bytearray(MEBIBYTE))):
                pass


def test_no_right_is_not_taken_for_no_object(store: Store, proxy: S3Proxy) -> None:
    proxy.rule = lambda request: Answer(403, [], b"<Error><Code>AccessDenied</Code></Error>")
    with pytest.raises(StoreReadOnlyError, match="does not allow it to its credentials: the list of its objects"):
        store.exists(KEY)
