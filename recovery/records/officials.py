"""Officials (pejabat): who may do which step and when, and the secret of the device that makes their one-time codes.

The secret is encrypted with a key that only the worker reads, and bound to its owner's NIP, so that a copy of the
catalog decides nothing and one official's secret cannot be moved into another's row.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from recovery.canonical import canonical_json
from recovery.errors import ConfigurationError, ConflictError, KeyMissingError, NotFoundError
from recovery.records import schema
from recovery.records.catalog import Catalog
from recovery.records.ledger import append
from recovery.settings import OfficialSettings

ISSUER = "Pulih"
KEY_BYTES = 32
NONCE_BYTES = 12


@dataclass(frozen=True)
class Official:
    """An official as the catalog knows him; the secret is not among the fields."""

    nip: str
    name: str
    position: str
    unit: str
    roles: tuple[str, ...]
    acting: str
    valid_from: str
    valid_until: str
    contact: str
    enrolled_at: str | None
    revoked_at: str | None
    failures: int
    locked_until: str | None

    @property
    def title(self) -> str:
        """The position as printed on forms: an acting official's begins with "Plt." or "Plh."."""
        return f"{self.acting} {self.position}".strip()

    def is_enrolled(self) -> bool:
        """Whether a device of this official can answer approvals."""
        return self.enrolled_at is not None and self.revoked_at is None

    def is_in_office(self, day: str) -> bool:
        """Given a day in WIB (YYYY-MM-DD), return whether it lies in the period of office, both ends included."""
        return (not self.valid_from or self.valid_from <= day) and (not self.valid_until or day <= self.valid_until)


@dataclass(frozen=True)
class Enrolment:
    """What is shown once, to the official in person; it is stored nowhere in this form."""

    uri: str = field(repr=False)
    secret: str = field(repr=False)


def put(connection: Connection, settings: OfficialSettings) -> bool:
    """Given an official's settings, record them, and return whether anything changed.

    A change is a ledger entry. Enrolment, revocation and locks stay as they are: they are not configuration.
    Raises ConfigurationError for a period of office that is no date.
    """
    _check_period(settings)
    wanted = _columns(settings)
    row = connection.execute(select(schema.officials).where(schema.officials.c.nip == settings.nip)).mappings().first()
    changed = sorted(name for name, value in wanted.items() if row is None or row[name] != value)
    if not changed:
        return False
    if row is None:
        connection.execute(insert(schema.officials).values(nip=settings.nip, **wanted))
    else:
        connection.execute(update(schema.officials).where(schema.officials.c.nip == settings.nip).values(**wanted))
    # Name and contact stay out of the ledger: nothing can ever be erased from it.
    append(
        connection,
        "official.recorded",
        {
            "nip": settings.nip,
            "position": settings.position,
            "unit": settings.unit,
            "roles": sorted(settings.roles),
            "acting": settings.acting,
            "valid_from": settings.valid_from,
            "valid_until": settings.valid_until,
            "changed": changed,
        },
    )
    return True


def get(connection: Connection, nip: str) -> Official:
    """Given a NIP, return the official. Raises NotFoundError."""
    official = find(connection, nip)
    if official is None:
        raise NotFoundError(
            f"no official has the NIP {nip}",
            state="nothing was changed",
            hint="add the official to the inventory and run `pulih apply`",
        )
    return official


def find(connection: Connection, nip: str) -> Official | None:
    """Given a NIP, return the official or None."""
    row = connection.execute(select(schema.officials).where(schema.officials.c.nip == nip)).mappings().first()
    return None if row is None else _official(row)


def list_all(connection: Connection) -> list[Official]:
    """Return all officials, by NIP."""
    rows = connection.execute(select(schema.officials).order_by(schema.officials.c.nip)).mappings()
    return [_official(row) for row in rows]


def enrol(
    catalog: Catalog, nip: str, key: bytes, *, renew: bool = False, issuer: str = ISSUER, now: datetime | None = None
) -> Enrolment:
    """Given a NIP and the enrolment key, make the secret of the official's device and return it, this once.

    `renew` replaces the secret of a lost device and ends a revocation. Steps that were burnt stay burnt.
    Raises NotFoundError, ConflictError for a second enrolment, KeyMissingError for a key of the wrong size.
    """
    import pyotp

    moment = schema.timestamp(now)
    secret = pyotp.random_base32()
    sealed = seal_secret(secret, nip, key)
    with catalog.begin() as connection:
        official = get(connection, nip)
        if (official.enrolled_at or official.revoked_at) and not renew:
            raise ConflictError(
                f"the official {nip} " + ("was revoked" if official.revoked_at else "is already enrolled"),
                state="the enrolment is as it was",
                hint="renew the enrolment in the official's presence; the old device stops working",
            )
        connection.execute(
            update(schema.officials)
            .where(schema.officials.c.nip == nip)
            .values(secret=sealed, enrolled_at=moment, revoked_at=None, failures=0, locked_until=None)
        )
        append(connection, "official.enrolled", {"nip": nip, "renewed": bool(official.enrolled_at)})
    return Enrolment(uri=pyotp.TOTP(secret).provisioning_uri(name=nip, issuer_name=issuer), secret=secret)


def revoke(catalog: Catalog, nip: str, *, reason: str = "", now: datetime | None = None) -> None:
    """Given a NIP, destroy the official's secret: after a transfer nobody answers in his name. Idempotent.

    Raises NotFoundError.
    """
    moment = schema.timestamp(now)
    with catalog.begin() as connection:
        if get(connection, nip).revoked_at is not None:
            return
        connection.execute(
            update(schema.officials).where(schema.officials.c.nip == nip).values(secret=None, revoked_at=moment)
        )
        append(connection, "official.revoked", {"nip": nip, "reason": reason})


def code_now(catalog: Catalog, nip: str, key: bytes, *, now: datetime | None = None) -> str:
    """Given a demonstration's official, return what his device would show. A real official's device is his own.

    Raises NotFoundError when he is unknown or not enrolled, KeyMissingError for another key.
    """
    import pyotp

    with catalog.read() as connection:
        get(connection, nip)
        secret = secret_of(connection, nip, key)
    if secret is None:
        raise NotFoundError(f"the official {nip} is not enrolled", hint="enrol the official first")
    return pyotp.TOTP(secret).at(now or datetime.now(UTC))


def secret_of(connection: Connection, nip: str, key: bytes) -> str | None:
    """Given a NIP and the enrolment key, return the secret, or None when there is none. Raises KeyMissingError."""
    sealed = connection.execute(select(schema.officials.c.secret).where(schema.officials.c.nip == nip)).scalar()
    return None if sealed is None else open_secret(bytes(sealed), nip, key)


def seal_secret(secret: str, nip: str, key: bytes) -> bytes:
    """Given a secret, its owner's NIP and the key, return AES-256-GCM nonce and ciphertext. Raises KeyMissingError."""
    nonce = os.urandom(NONCE_BYTES)
    sealed: bytes = _cipher(key).encrypt(nonce, secret.encode(), nip.encode())
    return nonce + sealed


def open_secret(sealed: bytes, nip: str, key: bytes) -> str:
    """Given what seal_secret returned, return the secret. Raises KeyMissingError for another key or another owner."""
    from cryptography.exceptions import InvalidTag

    try:
        secret: bytes = _cipher(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], nip.encode())
    except InvalidTag:
        raise KeyMissingError(
            f"the enrolment key does not open the secret of the official {nip}",
            state="no answer of this official can be checked",
            hint="restore the key file with which he was enrolled, or renew his enrolment in his presence",
        ) from None
    return secret.decode()


def qr_terminal(uri: str) -> str:
    """Given an enrolment's URI, return its QR code as text for a terminal with a dark or a light background."""
    import io

    import segno

    text = io.StringIO()
    segno.make(uri, micro=False).terminal(out=text, compact=True)
    return text.getvalue()


def qr_svg(uri: str) -> str:
    """Given an enrolment's URI, return its QR code as an SVG element."""
    import segno

    return str(segno.make(uri, micro=False).svg_inline(scale=4))


def _check_period(settings: OfficialSettings) -> None:
    # Days are compared as text, so any other way of writing a date would shift a period of office silently.
    for name, value in (("valid_from", settings.valid_from), ("valid_until", settings.valid_until)):
        try:
            if value and date.fromisoformat(value).isoformat() != value:
                raise ValueError(value)
        except ValueError:
            raise ConfigurationError(
                f"{name} of the official {settings.nip} is {value!r}, which is not a date",
                state="the official was not recorded",
                hint="write the date as YYYY-MM-DD",
            ) from None


def _columns(settings: OfficialSettings) -> dict[str, str]:
    return {
        "name": settings.name,
        "position": settings.position,
        "unit": settings.unit,
        "roles": canonical_json(sorted(set(settings.roles))).decode(),
        "acting": settings.acting,
        "valid_from": settings.valid_from,
        "valid_until": settings.valid_until,
        "contact": settings.contact,
    }


def _official(row: Mapping[Any, Any]) -> Official:
    shown = {name: row[name] for name in Official.__dataclass_fields__ if name != "roles"}
    return Official(roles=tuple(json.loads(row["roles"])), **shown)


def _cipher(key: bytes) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if len(key) != KEY_BYTES:
        raise KeyMissingError(
            f"the enrolment key has {len(key)} bytes, not {KEY_BYTES}",
            state="no secret was read or written",
            hint="restore the key file from escrow",
        )
    return AESGCM(key)
