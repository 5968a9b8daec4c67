"""Reading one version of an object as a stream: what breaks is taken up again where it broke, and no end is believed
before the last byte."""

import time
from typing import Any

from recovery.errors import StoreError
from recovery.stores.s3_bucket import Bucket, Version

PAUSE_SECONDS = 0.5  # before the first resumption, then growing
LONGEST_PAUSE_SECONDS = 10


class StoredObject:
    """A version that is being read."""

    def __init__(self, bucket: Bucket, version: Version, what: str) -> None:
        self._bucket = bucket
        self._version = version
        self._what = what
        self._position = 0
        self._body: Any = None

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer as far as one read does; return the number of bytes, 0 at the end.

        Raises StoreError when the service ends it before its size is reached, however often it is asked.
        """
        if self._position == self._version.size or not buffer:
            return 0
        buffer = buffer[: self._version.size - self._position]
        for attempt in range(self._bucket.settings.attempts):
            if attempt:
                time.sleep(min(PAUSE_SECONDS * 2 ** (attempt - 1), LONGEST_PAUSE_SECONDS))
            count = self._read(buffer)
            if count:
                self._position += count
                return count
            self.close()
        raise StoreError(
            f"{self._what} ended after {self._position} of {self._version.size} bytes, "
            f"at each of {self._bucket.settings.attempts} attempts",
            state="nothing was changed; what was read of it does not count",
            hint="look at the network and the store; the other store may hold it",
        )

    def close(self) -> None:
        """Let the connection go; a later read opens another."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _read(self, buffer: memoryview) -> int:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        if self._body is None:
            self._body = self._open()
        try:
            return int(self._body.readinto(buffer))
        except (BotoCoreError, HTTPError, OSError):
            return 0  # as an end too early: asked again from here on, and told when that does not help

    def _open(self) -> Any:
        given = {"Range": f"bytes={self._position}-"} if self._position else {}
        answer = self._bucket.call(
            "get_object",
            self._what,
            Key=self._version.key,
            VersionId=self._version.id,
            IfMatch=f'"{self._version.etag}"',
            **given,
        )
        if self._position and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
            raise StoreError(
                f"the store {self._bucket.settings.name} cannot give a part of {self._what}",
                state="what was read of it does not count",
                hint="docs/stores.md says what a store must be able to do",
            )
        return answer["Body"]
