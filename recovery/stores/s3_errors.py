"""What S3 services and the way to them answer, in our words: which failure it is, and what to do about it."""

from typing import Any

from recovery.errors import (
    ObjectMissingError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
)
from recovery.settings import StoreSettings

MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
_FULL = frozenset(
    {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "XMinioStorageQuotaExceeded", "StorageFull"}
)
_BUSY = frozenset(
    {"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "ThrottlingException", "Throttling"}
)
_CREDENTIALS = "look at the files that access_key and secret_key of the store refer to"
_POLICY = "compare the bucket's policy and the credentials' rights with docs/stores.md"
_REGION = "set the store's region to the one in which the bucket is"
_CLOCK = "set this machine's clock by NTP (timedatectl): services refuse what is signed more than 15 minutes off"

# Code of the service → what it means, and what to do.
_CODES = {
    "InvalidAccessKeyId": ("does not know the access key", _CREDENTIALS),
    "SignatureDoesNotMatch": ("says that the secret key does not belong to the access key", _CREDENTIALS),
    "InvalidSecurity": ("does not accept the credentials", _CREDENTIALS),
    "AuthorizationHeaderMalformed": ("is in another region", _REGION),
    "PermanentRedirect": ("says that the bucket is in another region", _REGION),
    "IllegalLocationConstraintException": ("is in another region", _REGION),
    "301": ("says that the bucket is in another region", _REGION),
    "RequestTimeTooSkewed": ("says that this machine's clock is wrong", _CLOCK),
    "RequestExpired": ("says that this machine's clock is wrong", _CLOCK),
    "NoSuchBucket": (
        "has no such bucket",
        "create the bucket once by hand (docs/stores.md), or correct the store's bucket, endpoint or addressing",
    ),
    "XAmzContentSHA256Mismatch": (
        "got other bytes than were sent",
        "something on the way changes what passes; use https, and look for a proxy",
    ),
    "BadDigest": ("got other bytes than were sent", "something on the way changes what passes; use https"),
    "PreconditionFailed": (
        "has another object there than a moment ago",
        "somebody overwrites what is written once; in a bucket with versions that would harm nothing",
    ),
    "NotImplemented": ("cannot do this", "docs/stores.md says what each service can"),
    "MethodNotAllowed": ("does not let this be done", "docs/stores.md says what a store must be able to do"),
}


def refusal(error: Any, settings: StoreSettings, what: str, state: str) -> StoreError:
    """Given the service's refusal (a ClientError of botocore), what was being done and in which state the data is
    now, return the error to raise. The service's own text is left out: it may hold the access key."""
    code, status = code_of(error), status_of(error)
    place = f"the store {settings.name} ({settings.bucket} at {settings.endpoint})"
    if code in MISSING:
        return ObjectMissingError(
            f"{what} is not there",
            state="nothing was read",
            hint="look whether somebody removed it; the other store may hold it",
        )
    if code in _FULL or status == 507:
        return StoreFullError(
            f"{place} has no room for {what} ({code})", state=state, hint="raise its quota or free space there"
        )
    if code in _CODES:
        means, mend = _CODES[code]
        return StoreError(f"{place} {means} ({code})", state=state, hint=mend)
    if code in _BUSY or status in (500, 502, 503, 504):
        return StoreError(
            f"{place} was too busy for {what} at each of {settings.attempts} attempts ({code}, status {status})",
            state=state,
            hint="it does not answer properly; retry later, and tell whoever runs it",
        )
    if status in (401, 403):
        return StoreReadOnlyError(
            f"{place} does not allow it to its credentials: {what} ({code})", state=state, hint=_POLICY
        )
    return StoreError(
        f"{place} answered {code} (status {status}) to {what}",
        state=state,
        hint="if this is no S3 service, correct the store's endpoint",
    )


def failure(error: Exception, settings: StoreSettings, what: str, state: str) -> StoreError:
    """Given an error on the way to the service (botocore's, urllib3's), return the error to raise."""
    from botocore import exceptions

    place = f"the store {settings.name} at {settings.endpoint}"
    match error:
        case exceptions.SSLError():
            return StoreError(
                f"{place} shows a certificate that is not trusted or not its own ({_reason(error)})",
                state=state,
                hint="set ca_file to the certificate of the CA that signed it, and the endpoint to the name in it",
            )
        case (
            exceptions.EndpointConnectionError() | exceptions.ConnectTimeoutError() | exceptions.ProxyConnectionError()
        ):
            return StoreError(
                f"{place} cannot be reached", state=state, hint="check endpoint, name service, network and firewall"
            )
        case exceptions.ParamValidationError() | exceptions.InvalidEndpointConfigurationError() | ValueError():
            return StoreError(
                f"{place} cannot be asked with these settings ({type(error).__name__})",
                state=state,
                hint="correct endpoint, region and bucket of the store",
            )
        case exceptions.ReadTimeoutError():
            return StoreError(
                f"{place} did not go on within {settings.answer_timeout:g} seconds, at {what}",
                state=state,
                hint="retry later; a slow service needs a longer answer_timeout",
            )
    return StoreError(
        f"the connection to {place} broke at {what} ({type(error).__name__})",
        state=state,
        hint="if it happens again: look at the network, and whether the endpoint is an S3 service at all",
    )


def code_of(error: Any) -> str:
    """Given a refusal, return the service's code for it."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: Any) -> int:
    """Given a refusal, return its HTTP status."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _reason(error: Exception) -> str:
    text = str(error)
    for part in (
        "certificate has expired",
        "Hostname mismatch",
        "self-signed certificate",
        "unable to get local issuer",
    ):
        if part.lower() in text.lower():
            return part
    return "the handshake failed"
