"""Leases: who works on a resource now, until when, and a token that grows with every taking.

A lease that is not renewed expires, so that a dead holder keeps nobody out for ever; the token tells a holder that
comes back to life from the one that took over. Prefect's own limits do not serve: they free their slot on suspend.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from recovery.errors import LeaseHeldError, LeaseLostError, RecordsError
from recovery.records import ledger, schema
from recovery.records.catalog import Catalog


@dataclass(frozen=True)
class Lease:
    """A lease as it was taken or last renewed."""

    resource: str
    holder: str
    token: int
    expires_at: str
    seconds: float
    purpose: str


class KeptLease:
    """A lease that a heartbeat renews; it tells whether the lease was lost meanwhile."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self._lost = threading.Event()

    @property
    def lost(self) -> bool:
        """Whether somebody took the lease over, or it could not be renewed in time."""
        return self._lost.is_set()

    def check(self) -> None:
        """Raises LeaseLostError when the lease was lost."""
        if self.lost:
            raise _lost(self.lease)

    def mark_lost(self) -> None:
        """Record that the lease is ours no more."""
        self._lost.set()


def acquire(catalog: Catalog, resource: str, holder: str, seconds: float, purpose: str) -> Lease:
    """Given a resource and a holder (a procedure's id), take the lease for so many seconds and return it.

    The same holder may take it again, as a run does that was killed and comes back; the token grows, and whatever
    still works under the old one has lost the lease. Raises LeaseHeldError, which names the holder and until when.
    """
    with catalog.begin() as connection:
        moment = _now(connection)
        current = _find(connection, resource)
        if current is not None and current.holder not in ("", holder) and _is_alive(current, moment):
            raise LeaseHeldError(
                f"{resource} is held by {current.holder} until {current.expires_at} for {current.purpose!r}",
                state="nothing was touched",
                hint="wait until it is given back; the guard takes over what a dead run left",
            )
        values = {
            "holder": holder,
            "token": current.token + 1 if current else 1,
            "taken_at": schema.timestamp(moment),
            "expires_at": schema.timestamp(moment + timedelta(seconds=seconds)),
            "purpose": purpose,
        }
        _write(connection, resource, current, values)
        taken = Lease(resource, holder, int(values["token"]), str(values["expires_at"]), seconds, purpose)
        if current is not None and current.holder not in ("", holder):
            facts = {"resource": resource, "from": current.holder, "to": holder, "token": taken.token}
            ledger.append(connection, "lease.taken_over", facts)
        return taken


def renew(catalog: Catalog, lease: Lease) -> Lease:
    """Given a lease, keep it for its seconds from now on and return it with its new end.

    One that expired can be renewed as long as nobody took it over: the unchanged token proves that nobody worked
    meanwhile. Raises LeaseLostError.
    """
    with catalog.begin() as connection:
        _require_token(connection, lease)
        expires_at = schema.timestamp(_now(connection) + timedelta(seconds=lease.seconds))
        connection.execute(
            update(schema.leases).where(schema.leases.c.resource == lease.resource).values(expires_at=expires_at)
        )
    return replace(lease, expires_at=expires_at)


def release(catalog: Catalog, lease: Lease) -> None:
    """Given a lease, give it back. One that was taken over meanwhile is left to its new holder."""
    with catalog.begin() as connection:
        # The row stays: the next token must be higher than every token before it.
        connection.execute(
            update(schema.leases)
            .where((schema.leases.c.resource == lease.resource) & (schema.leases.c.token == lease.token))
            .values(holder="", expires_at=schema.timestamp(_now(connection)))
        )


def holder_is(connection: Connection, lease: Lease) -> None:
    """Given a connection and a lease, return when the lease is held and not expired. Raises LeaseLostError.

    Inside Catalog.begin() nobody can take it over before that transaction ends.
    """
    current = _require_token(connection, lease)
    if not _is_alive(current, _now(connection)):
        raise _lost(lease, f"it expired at {current.expires_at}")


def all_held(connection: Connection, held: Sequence[Lease]) -> None:
    """Fencing: return when all of these leases are held; whoever took one over decides, not we. See holder_is()."""
    for lease in held:
        holder_is(connection, lease)


def list_leases(connection: Connection) -> list[dict[str, Any]]:
    """Return the leases that somebody holds, each with whether it has expired; the guard takes over those."""
    moment = _now(connection)
    query = select(schema.leases).where(schema.leases.c.holder != "").order_by(schema.leases.c.resource)
    # Plain text keys: SQLAlchemy's are a subclass, which canonical JSON refuses.
    return [
        {**{str(name): value for name, value in row._mapping.items()}, "expired": not _is_alive(row, moment)}
        for row in connection.execute(query)
    ]


def held_until(connection: Connection, resource: str) -> str | None:
    """Given a resource, return until when it is held, or when it was given back; None when nobody ever took it."""
    current = _find(connection, resource)
    return current.expires_at if current is not None else None


def note(catalog: Catalog, resource: str) -> None:
    """Given a resource that nobody holds, record that something was done just now: held_until() then says when."""
    with catalog.begin() as connection:
        current = _find(connection, resource)
        moment = schema.timestamp(_now(connection))
        values = {"holder": "", "token": current.token + 1 if current else 1, "taken_at": moment, "expires_at": moment}
        _write(connection, resource, current, values)


@contextmanager
def keep(catalog: Catalog, lease: Lease) -> Iterator[KeptLease]:
    """Given a lease, renew it at a third of its time in a thread while the block runs.

    Raises LeaseLostError after the block when the lease was lost meanwhile; the block can ask the yielded object.
    """
    kept = KeptLease(lease)
    stop = threading.Event()
    heartbeat = threading.Thread(
        target=_renew_until, args=(catalog, kept, stop), name=f"lease of {lease.resource}", daemon=True
    )
    heartbeat.start()
    try:
        yield kept
    finally:
        stop.set()
        heartbeat.join()
    kept.check()


def _renew_until(catalog: Catalog, kept: KeptLease, stop: threading.Event) -> None:
    renewed = time.monotonic()
    try:
        while not stop.wait(kept.lease.seconds / 3):
            begun = time.monotonic()
            try:
                kept.lease = renew(catalog, kept.lease)
                # From before the renewal: the catalog's clock may have been read at any time since.
                renewed = begun
            except LeaseLostError:
                kept.mark_lost()
                return
            except RecordsError:
                # The catalog may come back before the lease ends; from then on somebody else may hold it.
                if time.monotonic() - renewed >= kept.lease.seconds:
                    kept.mark_lost()
                    return
    except BaseException:
        # A heartbeat that died must not look like one that beats.
        kept.mark_lost()
        raise


def _require_token(connection: Connection, lease: Lease) -> Row[Any]:
    current = _find(connection, lease.resource)
    if current is None or current.token != lease.token or current.holder != lease.holder:
        raise _lost(lease, f"it is held by {current.holder}" if current is not None and current.holder else "")
    return current


def _lost(lease: Lease, detail: str = "") -> LeaseLostError:
    because = f" ({detail})" if detail else ""
    return LeaseLostError(
        f"the lease of {lease.resource} was lost by {lease.holder}{because}",
        state="whoever holds the newer token decides what is live",
        hint="do not repeat the step by hand; run `pulih guard`",
    )


def _write(connection: Connection, resource: str, current: Row[Any] | None, values: dict[str, Any]) -> None:
    if current is None:
        connection.execute(insert(schema.leases).values(resource=resource, **values))
    else:
        connection.execute(update(schema.leases).where(schema.leases.c.resource == resource).values(values))


def _find(connection: Connection, resource: str) -> Row[Any] | None:
    return connection.execute(select(schema.leases).where(schema.leases.c.resource == resource)).one_or_none()


def _is_alive(row: Row[Any], moment: datetime) -> bool:
    return bool(row.holder) and datetime.fromisoformat(row.expires_at) > moment


def _now(connection: Connection) -> datetime:
    # Holders on several machines share a PostgreSQL catalog, and must share its clock too.
    if connection.dialect.name == "postgresql":
        moment: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return moment
    return datetime.now(UTC)
