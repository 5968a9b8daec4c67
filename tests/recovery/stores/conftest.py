"""The real S3 servers of these tests, each started once."""

from collections.abc import Iterator

import pytest

from tests.testbed.s3 import S3Server
from tests.testbed.s3_ceph import run_ceph
from tests.testbed.s3_juicefs import run_juicefs


@pytest.fixture(scope="session")
def juicefs() -> Iterator[S3Server]:
    """Everyday S3: no versions, no locks."""
    with run_juicefs() as server:
        yield server


@pytest.fixture(scope="session")
def ceph() -> Iterator[S3Server]:
    """S3 with versions, locks and policies, over HTTP and HTTPS."""
    with run_ceph() as server:
        yield server
