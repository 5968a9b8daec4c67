"""Putting bytes into a bucket: small objects by one request, large ones in parts, few at a time, never in memory."""

import base64
import hashlib
import io
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from recovery.errors import PulihError, StoreError
from recovery.points import reached
from recovery.stores.s3_bucket import REFUSED, WORKERS, Bucket, Version

logger = logging.getLogger(__name__)

PART_SIZE = 16 << 20
PIECE = 1 << 20
MOST_PARTS = 10_000  # of S3
PROGRESS_SECONDS = 30

# Somebody, perhaps an earlier try of ours whose answer was lost, has put the key meanwhile.
TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
UNTOUCHED = "nothing was written"


class Content:
    """What is to be put: bytes, or an open file, read by position so that several threads can."""

    def __init__(self, size: int, read_at: Callable[[int, int], bytes]) -> None:
        self.size = size
        self.read_at = read_at

    @classmethod
    def of_bytes(cls, data: bytes) -> "Content":
        """Given bytes, return them as content."""
        return cls(len(data), lambda count, offset: data[offset : offset + count])

    @classmethod
    def of_file(cls, descriptor: int, path: str) -> "Content":
        """Given an open file and its path for people, return what is in it now."""

        def read_at(count: int, offset: int) -> bytes:
            try:
                return os.pread(descriptor, count, offset)
            except OSError as error:
                raise StoreError(
                    f"{path} cannot be read ({error.strerror})",
                    state=UNTOUCHED,
                    hint="look at the disk of the staging directory",
                ) from error

        return cls(os.fstat(descriptor).st_size, read_at)


@dataclass(frozen=True)
class Written:
    """What the service says that it made of a put. Not every service names the version."""

    id: str
    etag: str

    def is_version(self, version: Version) -> bool:
        """Given a version of the key, return whether it is what came of this put."""
        return self.id == version.id if self.id else self.etag == version.etag


class Section:
    """A part of some content, as a file that boto3 reads, measures and rewinds. It holds no more than a piece."""

    def __init__(self, content: Content, start: int, size: int) -> None:
        self._content, self._start, self._size, self._position = content, start, size, 0

    def read(self, count: int = -1) -> bytes:
        """Return the next bytes. At least a megabyte of them: http.client asks for 16 KiB, at three times the cost."""
        left = self._size - self._position
        wanted = left if count is None or count < 0 else min(left, max(count, PIECE))
        data = self._content.read_at(wanted, self._start + self._position)
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position."""
        self._position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position


def put(bucket: Bucket, key: str, content: Content, what: str) -> Written | None:
    """Given a bucket, a whole key, the content and its name for people, put it.

    Returns what came of it, or None when the key was taken meanwhile. Raises PulihError when it
    did not succeed; what an upload left behind was removed, unless the error says that it was not.
    """
    if content.size > PART_SIZE:
        return _put_parts(bucket, key, content, what)
    data = content.read_at(content.size, 0)
    answer = bucket.call(
        "put_object",
        what,
        state=UNTOUCHED,
        allowed=TAKEN,
        Key=key,
        Body=data,
        IfNoneMatch="*",
        # Amazon demands it in a bucket whose objects are locked from their first moment.
        ContentMD5=base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode(),
    )
    return _written(answer)


def _put_parts(bucket: Bucket, key: str, content: Content, what: str) -> Written | None:
    upload = bucket.call("create_multipart_upload", what, state=UNTOUCHED, Key=key)["UploadId"]
    reached("store: upload begun")
    try:
        parts = _send(bucket, key, upload, content, what)
        reached("store: parts sent")
        answer = bucket.call(
            "complete_multipart_upload",
            what,
            state="all parts of it were sent and it has no name yet",
            # Not there any more: an earlier answer to the same request was lost.
            allowed=TAKEN | {"NoSuchUpload"},
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            IfNoneMatch="*",
        )
    except BaseException as error:
        _abort(bucket, key, upload, what, error)
        raise
    if REFUSED in answer:
        _abort(bucket, key, upload, what, None)
    return _written(answer)


def _send(bucket: Bucket, key: str, upload: str, content: Content, what: str) -> list[dict[str, Any]]:
    # Larger parts for what would not fit into S3's number of parts; what is in memory stays the same.
    part_size = max(PART_SIZE, -(-content.size // MOST_PARTS))
    offsets = range(0, content.size, part_size)
    progress = _Progress(what, content.size)

    def send(number: int, offset: int) -> dict[str, Any]:
        size = min(part_size, content.size - offset)
        answer = bucket.call(
            "upload_part",
            f"part {number} of {what}",
            state=UNTOUCHED,
            Key=key,
            UploadId=upload,
            PartNumber=number,
            Body=Section(content, offset, size),
        )
        progress.add(size)
        return {"PartNumber": number, "ETag": answer["ETag"]}

    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="upload")
    try:
        return list(pool.map(send, range(1, len(offsets) + 1), offsets))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _abort(bucket: Bucket, key: str, upload: str, what: str, error: BaseException | None) -> None:
    """Remove the parts of an upload that came to nothing; when that fails, too, the error in hand says so."""
    try:
        bucket.call("abort_multipart_upload", what, allowed=("NoSuchUpload",), Key=key, UploadId=upload)
    except PulihError as second:
        if error is None:
            raise
        # Whoever interrupts hears nothing of it, and the guard finds the parts all the same.
        if isinstance(error, PulihError):
            error.state = f"{error.state}; parts of it still lie in the store, unseen ({second.message})"
            error.hint = f"{error.hint}; the guard removes such parts after a day"


def _written(answer: dict[str, Any]) -> Written | None:
    return None if REFUSED in answer else Written(answer.get("VersionId") or "", answer.get("ETag", "").strip('"'))


class _Progress:
    """Says how far an upload is, now and then."""

    def __init__(self, what: str, size: int) -> None:
        self._what, self._size, self._done = what, size, 0
        self._lock = threading.Lock()
        self._told = time.monotonic()

    def add(self, count: int) -> None:
        with self._lock:
            self._done += count
            if time.monotonic() - self._told < PROGRESS_SECONDS:
                return
            self._told = time.monotonic()
        logger.info("put %d of %d MiB of %s", self._done >> 20, self._size >> 20, self._what)
