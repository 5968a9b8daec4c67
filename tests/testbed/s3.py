"""What the tests know of a real S3 server: where it listens, its users, and how its owner makes buckets and rules."""

import ctypes
import itertools
import json
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recovery.settings import StoreSettings

OWNER = ("pulihadmin", "pulihsecret123")
# Users beside the owner, where the server knows users: what a bucket's policy lets them do is the test's choice.
BACKUP = ("pulihbackup", "backupsecret123")
REMOVAL = ("pulihremoval", "removalsecret123")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class S3Server:
    """A running server. `endpoint` is plain HTTP; `secure_endpoint`, if any, has a certificate of a private CA."""

    endpoint: str
    secure_endpoint: str = ""
    ca_file: str = ""
    versions: bool = False
    directory: Path = field(default=Path("/nonexistent"))

    @property
    def port(self) -> int:
        """The port of the plain endpoint on loopback."""
        return int(self.endpoint.rpartition(":")[2])

    def client(self, credentials: tuple[str, str] = OWNER) -> Any:
        """Given a user's keys, return a client of boto3's, as anybody with those keys could have one."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=credentials[0],
            aws_secret_access_key=credentials[1],
            config=Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 2, "mode": "standard"},
            ),
        )

    def make_bucket(self, *, lock: bool = False) -> str:
        """Make a bucket of the owner's with a name of its own, with Object Lock (and so versions) if told so."""
        bucket = f"cadangan-{os.getpid()}-{next(_numbers)}"
        self.client().create_bucket(Bucket=bucket, **({"ObjectLockEnabledForBucket": True} if lock else {}))
        return bucket

    def version(self, bucket: str) -> None:
        """Given a bucket, let it keep versions."""
        self.client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    def set_policy(self, bucket: str, policy: Mapping[str, Any]) -> None:
        """Given a bucket and a policy, let the bucket have it."""
        self.client().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def settings(self, folder: Path, bucket: str, user: tuple[str, str] = OWNER, **more: Any) -> StoreSettings:
        """Given a folder for the files of secrets, a bucket and a user, return the store's settings."""
        return StoreSettings.model_validate(
            {
                "name": "gudang",
                "kind": "s3",
                "endpoint": self.endpoint,
                "bucket": bucket,
                "prefix": "cadangan",
                "access_key": secret(folder, user[0]),
                "secret_key": secret(folder, user[1]),
                "attempts": 3,
                **more,
            }
        )


def secret(folder: Path, value: str) -> str:
    """Given a folder and a secret, write it there and return the reference to it."""
    path = folder / f"{value}.secret"
    path.write_text(f"{value}\n", encoding="ascii")
    return f"file:{path}"


def free_ports(count: int) -> list[int]:
    """Return that many ports of this machine that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def die_with_parent() -> None:
    """Called in a server's process before its program: a test run that is killed must not leave a server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
