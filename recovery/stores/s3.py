"""A store in a bucket of an S3 service. What was written first under a key is what is read, whatever came later."""

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from recovery.errors import ObjectExistsError, ObjectMissingError, ObjectTooLargeError, PulihError, StoreError
from recovery.points import reached
from recovery.settings import StoreSettings
from recovery.stores import s3_lock
from recovery.stores.base import ObjectInfo, check_key
from recovery.stores.directory_reading import reading
from recovery.stores.s3_bucket import REFUSED, Bucket, Version
from recovery.stores.s3_reading import StoredObject
from recovery.stores.s3_upload import UNTOUCHED, Content, put

PIECE = 1 << 20

Names = list[str]  # named here, because inside the class `list` is its method
Versions = list[Version]


class S3Store:
    """Keeps objects below `prefix` in a bucket. The bucket must exist: whoever makes one decides about its locks.

    Write-once rests on conditional requests where the service has them; elsewhere on looking before and reading back
    after, which two who write the same key at the same instant can defeat (the later one is kept).
    """

    def __init__(self, settings: StoreSettings, *, for_removal: bool = False) -> None:
        self.name = settings.name
        self._settings = settings
        self.bucket = Bucket(settings, for_removal=for_removal)
        self._prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""

    def put_file(self, key: str, path: Path) -> str:
        """Given a key and a local file, put its bytes under the key; read them back, return their SHA-256."""
        with reading(path) as descriptor:
            return self._put(key, Content.of_file(descriptor, str(path)))

    def put_bytes(self, key: str, data: bytes) -> None:
        """Given a key and bytes, put them under the key, and read them back."""
        self._put(key, Content.of_bytes(data))

    @contextlib.contextmanager
    def open(self, key: str, *, sha256: str = "") -> Iterator[StoredObject]:
        """Given a key, open its object for reading. Raises ObjectMissingError."""
        version = self._version(key, sha256)
        with contextlib.closing(StoredObject(self.bucket, version, self._what(key))) as stored:
            yield stored

    def read(self, key: str, *, limit: int = 16 << 20, sha256: str = "") -> bytes:
        """Given a key, return its object's bytes. Raises ObjectTooLargeError when there are more than `limit`."""
        version = self._version(key, sha256)
        if version.size > limit:
            raise ObjectTooLargeError(
                f"{self._what(key)} has more than the {limit} bytes that it may have",
                state="it was not read",
                hint="somebody put an object there by hand",
            )
        return b"".join(self._pieces(version))

    def exists(self, key: str) -> bool:
        """Given a key, return whether an object is there, whatever delete marker lies over it."""
        return bool(self._versions(key))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Given the beginning of a key, yield every object whose key begins so, ordered by key."""
        folder = prefix.rpartition("/")[0]
        if folder:
            check_key(folder)
        # A folder's own entry, as file managers make them, is no object of ours.
        found = (version for version in self.bucket.walk(self._prefix + prefix) if not version.key.endswith("/"))
        for key, versions in groupby(found, lambda version: version.key):
            *_, oldest = versions
            yield ObjectInfo(key.removeprefix(self._prefix), oldest.size)

    def location(self, key: str) -> str:
        """Given a key, return where its object lies, as printed on forms."""
        whole = self._whole(key)
        service = self._settings.endpoint.partition("//")[2].rstrip("/")
        return f"{self._settings.title or service}: s3://{self._settings.bucket}/{whole}"

    def check(self) -> None:
        """Return when objects could be put now; raises StoreError with the reason. Leaves nothing: the account that
        backs up need not be able to remove an object, but it can give up an upload that it began."""
        key = self._prefix + "pulih-check"
        upload = self.bucket.call("create_multipart_upload", "an upload for a check", state=UNTOUCHED, Key=key)[
            "UploadId"
        ]
        try:
            self.bucket.call(
                "upload_part", "a check", state=UNTOUCHED, Key=key, UploadId=upload, PartNumber=1, Body=b"pulih"
            )
        finally:
            self.bucket.call("abort_multipart_upload", "the upload of the check", Key=key, UploadId=upload)
        self.bucket.versions(key)

    def sweep(self, older_than_seconds: float) -> Names:
        """Given an age, give up unfinished uploads that got nothing since, and return their keys.

        One that goes on is spared however long ago it was begun: a large object may take days on a slow line.
        Raises StoreError naming those that the store keeps.
        """
        limit = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        removed: Names = []
        kept: Names = []
        for key, upload, begun in self.bucket.uploads(self._prefix):
            if begun >= limit or any(put >= limit for put in self.bucket.parts(key, upload)):
                continue
            name = key.removeprefix(self._prefix)
            answer = self.bucket.call(
                "abort_multipart_upload",
                f"the unfinished upload of {name}",
                allowed=("NoSuchUpload", "AccessDenied", "InvalidRequest"),
                Key=key,
                UploadId=upload,
            )
            (kept if answer.get(REFUSED, "NoSuchUpload") != "NoSuchUpload" else removed).append(name)
        if kept:
            raise StoreError(
                f"the store {self.name} keeps {len(kept)} unfinished uploads: {', '.join(sorted(set(kept)))}",
                state="they harm nothing but take room",
                hint="let the credentials abort uploads (docs/stores.md), or wait until the lock on them ends",
            )
        return sorted(removed)

    def protect(self, key: str, until: str) -> str:
        """Given a key and a moment (ISO 8601 with its zone), lock its object until then; return what holds."""
        return s3_lock.protect(self.bucket, self._version(key), datetime.fromisoformat(until), self._what(key))

    def lacks_lock(self, key: str, until: str) -> str:
        """Given a key and a moment, return "" when its object is locked until then, or need not be, else the reason."""
        return s3_lock.lacks(self.bucket, self._version(key), datetime.fromisoformat(until), self._what(key))

    def removable(self, key: str) -> str:
        """Given a key, return "" when `remove` would work now, else the reason in words."""
        return s3_lock.why_kept(self.bucket, self._versions(key), self._what(key))

    def remove(self, key: str) -> None:
        """Given a key, remove its object with every version; what is gone already is success."""
        s3_lock.remove(self.bucket, self._whole(key), self._what(key))
        reached("store: object removed")

    def _put(self, key: str, content: Content) -> str:
        """Put it, and return the SHA-256 of what was read back."""
        versions = self._versions(key)
        # An earlier try of ours that was killed, or somebody else: it counts when it holds our bytes.
        read = self._require_same(key, versions[0], content) if versions else self._put_new(key, content)
        reached("store: object put")
        return read

    def _put_new(self, key: str, content: Content) -> str:
        written = put(self.bucket, self._whole(key), content, self._what(key))
        versions = self._versions(key)
        if not versions:
            did = "lost what it was sent of" if written is None else "said that it took"
            raise StoreError(
                f"the store {self.name} {did} {key}, and does not have it",
                state="nothing is under that name",
                hint="the service or something on the way to it drops what it is given: do not rely on it",
            )
        if written is None or not written.is_version(versions[0]):
            # Of two who wrote it at once, the other one was first.
            return self._require_same(key, versions[0], content)
        read = self._read_same(versions[0], content)
        if read is None:
            raise self._damaged(key, versions[0])
        return read

    def _damaged(self, key: str, version: Version) -> StoreError:
        """The bytes that were written are not those that are read. What cannot be relied on is not left there."""
        try:
            given = {} if version.id == "null" else {"VersionId": version.id}
            self.bucket.call("delete_object", key, Key=version.key, **given)
            state = "it was removed again"
        except PulihError:
            state = "it lies there, damaged, and its name is used up: these credentials cannot remove it"
        return StoreError(
            f"{self._what(key)} was read back and is not what was put",
            state=state,
            hint="the service or something on the way changes bytes: do not rely on it before that is found",
        )

    def _require_same(self, key: str, version: Version, content: Content) -> str:
        read = self._read_same(version, content)
        if read is None:
            raise ObjectExistsError(
                f"{self._what(key)} already holds something else",
                state="what was there is untouched and nothing was written",
                hint="nothing is ever overwritten; find out what it is before it is moved away by hand",
            )
        return read

    def _read_same(self, version: Version, content: Content) -> str | None:
        """Read all of a version; return its SHA-256 when it is the content, else None."""
        if version.size != content.size:
            return None
        offset, digest = 0, hashlib.sha256()
        for piece in self._pieces(version):
            if content.read_at(len(piece), offset) != piece:
                return None
            digest.update(piece)
            offset += len(piece)
        return digest.hexdigest()

    def _pieces(self, version: Version) -> Iterator[bytes]:
        buffer = memoryview(bytearray(min(PIECE, version.size)))
        what = self._what(version.key.removeprefix(self._prefix))
        with contextlib.closing(StoredObject(self.bucket, version, what)) as stored:
            while count := stored.readinto(buffer):
                yield bytes(buffer[:count])

    def _version(self, key: str, sha256: str = "") -> Version:
        """Given a key, return the version that counts. Raises ObjectMissingError."""
        versions = self._versions(key)
        if not versions:
            raise ObjectMissingError(
                f"{key} is not in the store {self.name}",
                state="nothing was read",
                hint="look at the bucket, and whether somebody moved it; the other store may hold it",
            )
        if sha256 and len(versions) > 1:
            return next((version for version in versions if self._sha256(version) == sha256), versions[0])
        return versions[0]

    def _sha256(self, version: Version) -> str:
        digest = hashlib.sha256()
        for piece in self._pieces(version):
            digest.update(piece)
        return digest.hexdigest()

    def _versions(self, key: str) -> Versions:
        return self.bucket.versions(self._whole(key))

    def _whole(self, key: str) -> str:
        check_key(key)
        check_key(self._prefix + key)
        return self._prefix + key

    def _what(self, key: str) -> str:
        return f"{key} in the store {self.name}"
