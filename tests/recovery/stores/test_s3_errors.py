"""Settings, rights and circumstances that are wrong: each is named with what to do, and no secret is ever said."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.auth
import pytest

from recovery.errors import StoreError, StoreFullError
from recovery.settings import StoreSettings
from recovery.stores import open_store
from tests.testbed.s3 import BACKUP, OWNER, S3Server, free_ports, secret
from tests.testbed.s3_ceph import make_certificates, set_quota
from tests.testbed.s3_juicefs import run_juicefs
from tests.testbed.s3_proxy import Answer, Request, s3_proxy

pytestmark = pytest.mark.slow

KEY = "bkd/simpel/set/data.tar.zst.age"
MEBIBYTE = 1 << 20


@pytest.fixture(autouse=True)
def no_secret_is_said(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever is tried here, at the most talkative level, neither key appears in the log."""
    caplog.set_level(logging.DEBUG)
    yield
    said = caplog.text
    assert OWNER[1] not in said
    assert BACKUP[1] not in said
    assert "AWS4-HMAC-SHA256" not in said


def uses(settings: StoreSettings) -> list[Callable[[], object]]:
    """What is done with a store, each from a fresh start."""
    return [
        lambda: open_store(settings).check(),
        lambda: open_store(settings).put_bytes(KEY, b"words"),
        lambda: open_store(settings).read(KEY),
        lambda: list(open_store(settings).list()),
        lambda: open_store(settings).sweep(0),
    ]


def all_say(settings: StoreSettings, words: str) -> None:
    for use in uses(settings):
        with pytest.raises(StoreError, match=words) as caught:
            use()
        assert caught.value.state.startswith(("nothing was", "the store was not asked"))
        assert caught.value.hint
        for key in (*OWNER, *BACKUP):
            assert key not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.fixture
def settings(ceph: S3Server, tmp_path: Path) -> StoreSettings:
    return ceph.settings(tmp_path, ceph.make_bucket(lock=True), attempts=1)


def changed(settings: StoreSettings, **fields: Any) -> StoreSettings:
    return StoreSettings.model_validate({**settings.model_dump(), **fields})


def test_over_https_with_a_private_ca_all_works(ceph: S3Server, settings: StoreSettings, tmp_path: Path) -> None:
    store = open_store(
        changed(settings, endpoint=ceph.secure_endpoint, ca_file=ceph.ca_file, lock="compliance", attempts=3)
    )
    store.check()
    store.put_bytes(KEY, b"words")
    (tmp_path / "staged").write_bytes(os.urandom(17 * MEBIBYTE))
    store.put_file("large", tmp_path / "staged")
    assert store.read("large", limit=17 * MEBIBYTE) == (tmp_path / "staged").read_bytes()
    assert store.protect(KEY, "2099-01-01T00:00:00+07:00") == "compliance"
    assert store.location(KEY) == f"{ceph.secure_endpoint[8:]}: s3://{settings.bucket}/cadangan/{KEY}"


def test_a_certificate_that_is_not_trusted_or_of_another_name_is_named(
    ceph: S3Server, settings: StoreSettings, tmp_path: Path
) -> None:
    secure = changed(settings, endpoint=ceph.secure_endpoint)
    hint = "\nHINT: set ca_file to the certificate of the CA that signed it, and the endpoint to the name in it"
    all_say(secure, rf"shows a certificate that is not trusted or not its own \(.+\); nothing was \w+{hint}")
    make_certificates(tmp_path)
    all_say(changed(secure, ca_file=str(tmp_path / "ca.pem")), "shows a certificate that is not trusted")
    named = changed(secure, endpoint=ceph.secure_endpoint.replace("localhost", "127.0.0.1"), ca_file=ceph.ca_file)
    all_say(named, "shows a certificate that is not trusted or not its own")
    all_say(
        changed(secure, ca_file="/nonexistent/ca.pem"), "the CA's certificate /nonexistent/ca.pem of the store gudang"
    )


def test_an_endpoint_that_is_not_there_or_no_s3_is_named(settings: StoreSettings) -> None:
    (port,) = free_ports(1)
    words = (
        r"the store gudang at http.* cannot be reached; nothing was \w+\nHINT: check endpoint, name service, network"
    )
    all_say(changed(settings, endpoint=f"http://127.0.0.1:{port}"), words)
    all_say(changed(settings, endpoint="http://tidak-ada.invalid"), words)
    with s3_proxy(port) as web_server:
        for status in (200, 404):
            page = Answer(
                status, [("Content-Type", "text/html"), ("Location", "/masuk")], b"<html>Selamat datang</html>"
            )
            web_server.rule = lambda request, page=page: page  # type: ignore[misc]
            all_say(changed(settings, endpoint=web_server.endpoint), "HINT: .*(no|an) S3 service")


def test_credentials_that_are_wrong_are_named(ceph: S3Server, settings: StoreSettings, tmp_path: Path) -> None:
    where = rf"the store gudang \({settings.bucket} at {ceph.endpoint}\)"
    hint = "HINT: look at the files that access_key and secret_key of the store refer to"
    all_say(
        changed(settings, access_key=secret(tmp_path, "nobody")),
        rf"{where} does not know the access key \(InvalidAccessKeyId\); nothing was \w+\n{hint}",
    )
    all_say(
        changed(settings, secret_key=secret(tmp_path, BACKUP[1])),
        rf"{where} says that the secret key does not belong to the access key \(SignatureDoesNotMatch\)",
    )
    foreign = changed(settings, access_key=secret(tmp_path, BACKUP[0]), secret_key=secret(tmp_path, BACKUP[1]))
    all_say(foreign, rf"{where} does not allow it to its credentials: .* \(AccessDenied\); nothing was")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    all_say(
        changed(settings, secret_key=f"file:{tmp_path}/binary"),
        rf"file:{tmp_path}/binary of the store gudang holds something else than a key of S3; the store was not asked",
    )


def test_a_bucket_that_is_not_there_is_named(settings: StoreSettings) -> None:
    all_say(
        changed(settings, bucket="tidak-ada"),
        r"the store gudang \(tidak-ada at .*\) has no such bucket \(NoSuchBucket\); nothing was \w+\n"
        r"HINT: create the bucket once by hand",
    )


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[S3Server]:
    """An S3 server that minds its region."""
    with run_juicefs(region="ap-southeast-3") as server:
        yield server


def test_a_region_that_is_wrong_is_named(elsewhere: S3Server, tmp_path: Path) -> None:
    """A service that tells in which one it is, is believed, and asked anew; else somebody has to find it out."""
    refused = []

    def watch(request: Request) -> Callable[[Answer], Answer]:
        def look(answer: Answer) -> Answer:
            if answer.status == 400:
                refused.append(answer.body)
            return answer

        return look

    def say_nothing_of_it(request: Request) -> Callable[[Answer], Answer]:
        def take_out(answer: Answer) -> Answer:
            headers = [(name, value) for name, value in answer.headers if name.lower() != "x-amz-bucket-region"]
            return Answer(answer.status, headers, re.sub(b"<Region>.*?</Region>", b"", answer.body))

        return take_out

    with s3_proxy(elsewhere.port) as proxy:
        own = elsewhere.settings(tmp_path, elsewhere.make_bucket(), endpoint=proxy.endpoint, attempts=1)
        right, wrong = changed(own, region="ap-southeast-3"), changed(own, region="us-east-1")
        proxy.rule = watch
        open_store(right).put_bytes(KEY, b"words")
        assert [] == refused
        for use in uses(wrong):
            use()
        assert len(uses(wrong)) == sum(b"AuthorizationHeaderMalformed" in body for body in refused)
        proxy.rule = say_nothing_of_it
        assert b"words" == open_store(right).read(KEY)
        words = r"in another region \(AuthorizationHeaderMalformed\); nothing was \w+\nHINT: set the store's region"
        all_say(wrong, words)


def test_a_service_that_sends_to_another_region_is_named(settings: StoreSettings) -> None:
    """No server that we can run does it, so one answers as Amazon's documentation prints it."""
    (port,) = free_ports(1)
    with s3_proxy(port) as amazon:
        headers = [("Content-Type", "application/xml"), ("x-amz-bucket-region", "us-west-2")]
        refusal = Answer(301, headers, b"<Error><Code>PermanentRedirect</Code></Error>")
        amazon.rule = lambda request: refusal
        wrong = changed(settings, endpoint=amazon.endpoint, region="ap-southeast-3")
        all_say(wrong, r"in another region \(PermanentRedirect\); nothing was \w+\nHINT: set the store's region")


def test_a_clock_that_is_wrong_by_twenty_minutes_is_named(
    ceph: S3Server, juicefs: S3Server, settings: StoreSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock by which this process signs is set wrong; the services judge it by their own."""
    now = botocore.auth.get_current_datetime

    def late(**given: Any) -> datetime:
        return now(**given) - timedelta(minutes=20)

    other = juicefs.settings(tmp_path, juicefs.make_bucket(), attempts=1)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", late)
    for each in (settings, other):
        all_say(
            each, r"says that this machine's clock is wrong \(RequestTimeTooSkewed\); nothing was \w+\nHINT: set this"
        )


def test_a_full_store_is_named_and_keeps_nothing(ceph: S3Server, settings: StoreSettings, tmp_path: Path) -> None:
    (tmp_path / "staged").write_bytes(os.urandom(33 * MEBIBYTE))
    store = open_store(settings)
    store.put_bytes("first", bytes(MEBIBYTE))
    set_quota(ceph, OWNER[0], 2 * MEBIBYTE)
    try:
        with pytest.raises(
            StoreFullError, match=r"has no room for .* \(QuotaExceeded\); nothing was written\nHINT: raise"
        ):
            store.put_file(KEY, tmp_path / "staged")
        with pytest.raises(StoreFullError, match="has no room for"):
            store.put_bytes(KEY, bytes(10 * MEBIBYTE))
    finally:
        set_quota(ceph, OWNER[0], -1)
    assert [info.key for info in store.list()] == ["first"]
    assert store.sweep(-60) == []


def test_settings_of_amazons_own_programs_decide_nothing(
    settings: StoreSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://127.0.0.1:1\nregion = mars\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_PROFILE", "somebody-else")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nonexistent")
    store = open_store(settings)
    store.put_bytes(KEY, b"words")
    assert store.read(KEY) == b"words"


def test_a_bucket_with_a_name_that_cannot_be_is_a_mistake_in_the_settings(settings: StoreSettings) -> None:
    with pytest.raises(StoreError, match=r"cannot be asked with these settings \(\w+\)"):
        open_store(settings.model_copy(update={"bucket": "Nicht erlaubt"})).check()


def test_a_staged_file_that_cannot_be_read_meanwhile_is_named(settings: StoreSettings) -> None:
    """The memory of this process as a file: its first page cannot be read, as a broken sector cannot."""
    with pytest.raises(StoreError, match=r"/proc/self/mem cannot be read \(Input/output error\); nothing was written"):
        from recovery.stores.s3_upload import Content

        descriptor = os.open("/proc/self/mem", os.O_RDONLY)
        try:
            Content.of_file(descriptor, "/proc/self/mem").read_at(10, 0)
        finally:
            os.close(descriptor)
