"""What a bucket promises and does not keep is found, on real servers."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.doctor import examine
from recovery.doctor.buckets import PROBE, examine_bucket
from recovery.doctor.finding import Finding
from recovery.installation import Installation
from recovery.settings import StoreSettings
from tests.testbed.s3 import BACKUP, S3Server
from tests.testbed.s3_ceph import documented_policy, run_ceph
from tests.testbed.s3_juicefs import run_juicefs
from tests.testbed.s3_proxy import Answer, s3_proxy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ceph() -> Iterator[S3Server]:
    with run_ceph() as server:
        yield server


def found(settings: StoreSettings, **fields: Any) -> dict[str, Finding]:
    changed = StoreSettings.model_validate({**settings.model_dump(), **fields})
    return {finding.subject: finding for finding in examine_bucket(changed)}


def test_a_bucket_as_the_documentation_makes_it_is_in_order(
    ceph: S3Server, tmp_path: Path, installation: Installation
) -> None:
    bucket = ceph.make_bucket(lock=True)
    ceph.client().put_bucket_policy(Bucket=bucket, Policy=documented_policy(bucket))
    settings = ceph.settings(tmp_path, bucket, BACKUP, lock="compliance")
    for _ in range(2):
        assert {subject: (finding.state, finding.message) for subject, finding in found(settings).items()} == {
            "store gudang": ("ok", "can be written"),
            "store gudang: versions": ("ok", "what is overwritten stays readable"),
            "store gudang: lock": ("ok", "compliance holds, read back"),
            "store gudang: rights": ("ok", "the backup's credentials can remove nothing"),
        }
    # However often it looks, there is one object, whose lock ends soon.
    (probe,) = ceph.client().list_object_versions(Bucket=bucket)["Versions"]
    assert probe["Key"] == f"cadangan/{PROBE}"
    lock = ceph.client(BACKUP).get_object_retention(Bucket=bucket, Key=probe["Key"])["Retention"]
    assert lock["RetainUntilDate"] < datetime.now(UTC) + timedelta(minutes=2)
    whole = examine(replace(installation, stores={"gudang": settings}), None)
    assert {finding.state for finding in whole if finding.subject.startswith("store gudang")} == {"ok"}


def test_what_a_careless_bucket_lacks_is_said(ceph: S3Server, tmp_path: Path) -> None:
    settings = ceph.settings(tmp_path, ceph.make_bucket())
    careless = found(settings)
    assert careless["store gudang: versions"].message == "the bucket keeps none: whoever may write can destroy"
    assert careless["store gudang: lock"].message == "none is demanded"
    assert careless["store gudang: rights"].message == "the backup's credentials can remove what no lock keeps"
    refused = found(settings, lock="governance")["store gudang"]
    assert (refused.state, "is not locked: the service cannot lock it" in refused.message) == ("problem", True)
    warned = found(settings, lock="governance", without_lock="warn")["store gudang: lock"]
    assert (warned.state, warned.message) == ("warning", "governance is demanded and the store cannot lock")
    locked = ceph.make_bucket(lock=True)
    ceph.client().put_object_lock_configuration(
        Bucket=locked,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3650}},
        },
    )
    assert "the bucket locks everything by itself for 3650 days" in {
        finding.message for finding in examine_bucket(ceph.settings(tmp_path, locked))
    }


def test_a_bucket_that_is_not_there_is_one_problem(ceph: S3Server, tmp_path: Path) -> None:
    (finding,) = examine_bucket(ceph.settings(tmp_path, "tidak-ada"))
    assert (finding.state, "has no such bucket" in finding.message, bool(finding.mend)) == ("problem", True, True)


def test_a_gateway_without_versions_is_warned_of(tmp_path: Path) -> None:
    with run_juicefs() as server:
        states = {
            subject: finding.state
            for subject, finding in found(server.settings(tmp_path, server.make_bucket())).items()
        }
    assert states == {
        "store gudang": "ok",
        "store gudang: versions": "warning",
        "store gudang: lock": "warning",
        "store gudang: rights": "warning",
    }


@pytest.mark.parametrize(
    ("seconds", "lock", "states"), [(100, "governance", ("warning", "ok")), (-600, "none", ("problem", "warning"))]
)
def test_a_service_whose_clock_is_away_is_said(
    ceph: S3Server, tmp_path: Path, seconds: int, lock: str, states: tuple[str, str]
) -> None:
    """The service's answers are dated anew on their way. Its locks are tried by its own clock."""
    with s3_proxy(ceph.port) as proxy:

        def shift(answer: Answer) -> Answer:
            date = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
            kept = [header for header in answer.headers if header[0].lower() != "date"]
            return Answer(answer.status, [*kept, ("Date", date)], answer.body)

        proxy.rule = lambda request: shift
        findings = found(ceph.settings(tmp_path, ceph.make_bucket(lock=True), endpoint=proxy.endpoint, lock=lock))
    finding = findings["store gudang: clock"]
    assert states == (finding.state, findings["store gudang: lock"].state)
    assert finding.mend.startswith("let chrony")
    assert re.fullmatch(r"is \d+ seconds away from this machine's", finding.message)
