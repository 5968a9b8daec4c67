"""One bucket, spoken to with one pair of keys: every request, and every failure of one in our words."""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from recovery.errors import PulihError, StoreError, StoreReadOnlyError
from recovery.secrets import resolve
from recovery.settings import StoreSettings
from recovery.stores.s3_errors import code_of, failure, refusal

WORKERS = 2  # parts on their way at the same time: more are no faster and cost memory
REFUSED = "refused"  # the field of an answer that holds the service's code, where the caller deals with it himself

_UNREAD = "nothing was read"
# Fields without which an answer comes from no S3 service: boto3 takes any web page for an answer that says nothing.
_TELLS = {
    "create_multipart_upload": "UploadId",
    "list_object_versions": "Name",
    "list_multipart_uploads": "Bucket",
    "list_parts": "UploadId",
}


@dataclass(frozen=True)
class Version:
    """One version of a key. In a bucket without versions there is one, called "null"."""

    key: str
    id: str
    size: int
    etag: str
    modified: datetime


@cache
def _descriptions() -> Any:
    """botocore's descriptions of S3, read once per process: reading them costs more than most requests."""
    from botocore.loaders import create_loader

    return create_loader()


class Bucket:
    """The bucket of a store. `for_removal` takes the keys that may remove objects."""

    def __init__(self, settings: StoreSettings, *, for_removal: bool = False) -> None:
        self.settings = settings
        self._for_removal = for_removal

    def call(
        self, operation: str, what: str, *, state: str = _UNREAD, allowed: Collection[str] = (), **given: Any
    ) -> Any:
        """Given an operation of S3, the name of what it is about, the state of the data when it fails, and its
        parameters, return the service's answer; for a code in `allowed`, {"refused": code}.

        Raises StoreError, also where credentials or a CA are missing on this machine: whoever asks goes on with another
        store."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            answer = getattr(self._client, operation)(Bucket=self.settings.bucket, **given)
        except ClientError as error:
            if code_of(error) in allowed:
                return {REFUSED: code_of(error)}
            # Without its cause: the service's own text may hold the access key and what was signed.
            raise refusal(error, self.settings, what, state) from None
        except (BotoCoreError, HTTPError, ValueError, RecursionError) as error:
            # Recursion: how boto3 meets a service that sends it to another region without naming it.
            raise failure(error, self.settings, what, state) from None
        if _TELLS.get(operation, "ResponseMetadata") not in answer:
            raise StoreError(
                f"what answers at {self.settings.endpoint} for the store {self.settings.name} speaks no S3",
                state=state,
                hint="correct the store's endpoint: this one is no S3 service, or something before it answers instead",
            )
        return answer

    def versions(self, key: str) -> list[Version]:
        """Given the whole key of an object, return its versions, the oldest first; delete markers are none."""
        found = []
        for version in self.walk(key):
            if version.key != key:
                break  # the keys come in order, and the shortest of those that begin alike is the first
            found.append(version)
        return found[::-1]

    def walk(self, prefix: str) -> Iterator[Version]:
        """Given the beginning of a key, yield every version of every such object: keys in order, newest first."""
        for page in self._versions(prefix):
            for entry in page.get("Versions", []):
                size, etag = entry["Size"], entry.get("ETag", "").strip('"')
                yield Version(entry["Key"], entry.get("VersionId") or "null", size, etag, entry["LastModified"])

    def markers(self, key: str) -> list[str]:
        """Given the whole key of an object, return the ids of the delete markers laid over it."""
        return [
            entry["VersionId"]
            for page in self._versions(key)
            for entry in page.get("DeleteMarkers", [])
            if entry["Key"] == key
        ]

    def uploads(self, prefix: str) -> Iterator[tuple[str, str, datetime]]:
        """Given the beginning of a key, yield every unfinished upload: key, its id, when it was begun."""
        markers = ("KeyMarker", "UploadIdMarker")
        for page in self._pages("list_multipart_uploads", "the list of its uploads", markers, Prefix=prefix):
            for entry in page.get("Uploads", []):
                yield entry["Key"], entry["UploadId"], entry["Initiated"]

    def parts(self, key: str, upload: str) -> Iterator[datetime]:
        """Given an unfinished upload, yield when each of its parts was put; none of one that has ended meanwhile."""
        given = {"Key": key, "UploadId": upload}
        markers, allowed = ("PartNumberMarker",), ("NoSuchUpload",)
        try:
            for page in self._pages("list_parts", f"the parts of {key}", markers, allowed, **given):
                for entry in page.get("Parts", []):
                    yield entry["LastModified"]
        except StoreReadOnlyError as error:
            # A right of its own, which policies lack that were written before it was needed.
            error.hint = f"{error.hint}; the backup's credentials need s3:ListMultipartUploadParts"
            raise

    def _versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        markers = ("KeyMarker", "VersionIdMarker")
        return self._pages("list_object_versions", "the list of its objects", markers, Prefix=prefix)

    def _pages(
        self, operation: str, what: str, markers: tuple[str, ...], allowed: Collection[str] = (), **given: str
    ) -> Iterator[dict[str, Any]]:
        following: dict[str, Any] = {}
        while True:
            page = self.call(operation, what, allowed=allowed, **given, **following)
            yield page
            if not page.get("IsTruncated"):
                return
            first, *others = markers
            following = {first: page[f"Next{first}"], **{each: page.get(f"Next{each}") or "null" for each in others}}

    @cached_property
    def _client(self) -> Any:
        import botocore.session
        from botocore.config import Config

        settings = self.settings
        access_key, secret_key = self._keys()
        if settings.ca_file and not Path(settings.ca_file).is_file():
            raise StoreError(
                f"the CA's certificate {settings.ca_file} of the store {settings.name} is not there",
                state="the store was not asked",
                hint="put the certificate (PEM) of the CA that signed the store's own there",
            )
        # Nobody's ~/.aws and no AWS_PROFILE decides where backups go: no variable is looked at, only these defaults.
        files = {name: (None, None, "/dev/null", None) for name in ("config_file", "credentials_file")}
        session = botocore.session.Session(session_vars={**files, "profile": (None, None, None, None)})
        session.register_component("data_loader", _descriptions())
        # At DEBUG it writes every header, signatures among them.
        logging.getLogger("botocore").setLevel(logging.INFO)
        return session.create_client(
            "s3",
            endpoint_url=settings.endpoint,
            region_name=settings.region,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            verify=settings.ca_file or True,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": settings.addressing, "payload_signing_enabled": True},
                # What boto3 adds by default fails over HTTPS on most services but Amazon's.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=settings.connect_timeout,
                read_timeout=settings.answer_timeout,
                max_pool_connections=WORKERS + 2,
                retries={"mode": "standard", "total_max_attempts": settings.attempts},
            ),
        )

    def _keys(self) -> tuple[str, str]:
        settings = self.settings
        references = (
            (settings.removal_access_key, settings.removal_secret_key)
            if self._for_removal
            else (settings.access_key, settings.secret_key)
        )
        found = []
        for reference in references:
            if reference is None:
                raise self._lacks_credentials()
            try:
                found.append(resolve(reference).decode("ascii"))
            except PulihError as error:
                raise StoreError(
                    f"the store {settings.name} cannot be asked: {error.message}",
                    state="the store was not asked",
                    hint=error.hint,
                ) from None
            except UnicodeDecodeError:
                raise StoreError(
                    f"{reference} of the store {settings.name} holds something else than a key of S3",
                    state="the store was not asked",
                    hint="put the key there, alone, as the service shows it",
                ) from None
        return found[0], found[1]

    def _lacks_credentials(self) -> StoreError:
        name = self.settings.name
        if self._for_removal:
            return StoreError(
                f"the store {name} has no credentials for removal",
                state="nothing was removed",
                hint="set removal_access_key and removal_secret_key; the backup's own must not be able to remove",
            )
        return StoreError(
            f"the store {name} has no credentials",
            state="the store was not asked",
            hint="set access_key and secret_key of the store",
        )
