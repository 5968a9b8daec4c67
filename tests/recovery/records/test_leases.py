"""Leases: one holder, expiry, tokens that grow, and a heartbeat that tells when the lease was lost."""

import threading
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from recovery.errors import LeaseHeldError, LeaseLostError
from recovery.records import leases, ledger, schema
from recovery.records.catalog import Catalog, open_catalog
from recovery.records.leases import acquire, holder_is, keep, list_leases, release, renew

RESOURCE = "component:simpel/db"
PAST = "2020-01-01T00:00:00.000000+00:00"


def _expire(catalog: Catalog) -> None:
    """Let the time pass in which the holder should have renewed."""
    with catalog.begin() as connection:
        connection.execute(update(schema.leases).values(expires_at=PAST))


def _holds(catalog: Catalog, lease: leases.Lease) -> bool:
    with catalog.begin() as connection:
        try:
            holder_is(connection, lease)
        except LeaseLostError:
            return False
        return True


def test_a_held_lease_is_refused_and_names_its_holder(catalog: Catalog) -> None:
    """Whoever is kept out must know by whom and until when."""
    lease = acquire(catalog, RESOURCE, "run-1", 60, "back up")
    remaining = datetime.fromisoformat(lease.expires_at) - datetime.now(UTC)
    assert 50 < remaining.total_seconds() <= 61
    with pytest.raises(LeaseHeldError) as caught:
        acquire(catalog, RESOURCE, "run-2", 60, "restore")
    assert str(caught.value) == (
        f"{RESOURCE} is held by run-1 until {lease.expires_at} for 'back up'; nothing was touched\n"
        "HINT: wait until it is given back; the guard takes over what a dead run left"
    )
    assert acquire(catalog, "component:simpel/files", "run-2", 60, "restore").token == 1
    assert _holds(catalog, lease)


def test_a_released_lease_can_be_taken_and_its_token_still_grows(catalog: Catalog) -> None:
    """A token that began anew would let a dead holder pass for the living one."""
    first = acquire(catalog, RESOURCE, "run-1", 60, "back up")
    release(catalog, first)
    assert not _holds(catalog, first)
    with catalog.read() as connection:
        assert list_leases(connection) == []
    second = acquire(catalog, RESOURCE, "run-2", 60, "restore")
    assert (first.token, second.token) == (1, 2)
    release(catalog, first)
    assert _holds(catalog, second)


def test_the_same_holder_takes_it_again_with_a_higher_token(catalog: Catalog) -> None:
    """A killed run comes back; what still works under the old token has lost the lease."""
    old = acquire(catalog, RESOURCE, "run-1", 60, "restore")
    new = acquire(catalog, RESOURCE, "run-1", 60, "restore")
    assert (old.token, new.token) == (1, 2)
    assert _holds(catalog, new)
    assert not _holds(catalog, old)
    with pytest.raises(LeaseLostError):
        renew(catalog, old)


def test_an_expired_lease_is_taken_over_and_the_old_holder_is_fenced_off(catalog: Catalog) -> None:
    """The takeover stands in the ledger; the old holder can neither renew nor release nor pass for the holder."""
    old = acquire(catalog, RESOURCE, "run-1", 60, "restore")
    _expire(catalog)
    assert not _holds(catalog, old)
    with catalog.read() as connection:
        assert [(row["holder"], row["expired"]) for row in list_leases(connection)] == [("run-1", True)]
    new = acquire(catalog, RESOURCE, "guard", 60, "undo")
    with pytest.raises(LeaseLostError) as caught:
        renew(catalog, old)
    assert str(caught.value) == (
        f"the lease of {RESOURCE} was lost by run-1 (it is held by guard); "
        "whoever holds the newer token decides what is live\n"
        "HINT: do not repeat the step by hand; run `pulih guard`"
    )
    release(catalog, old)
    assert _holds(catalog, new)
    with catalog.read() as connection:
        assert ledger.verify(connection) == []
        entry = connection.execute(select(schema.ledger)).one()
    assert entry.kind == "lease.taken_over"
    assert entry.facts == f'{{"from":"run-1","resource":"{RESOURCE}","to":"guard","token":2}}'


def test_an_expired_lease_that_nobody_took_can_be_renewed(catalog: Catalog) -> None:
    """The unchanged token proves that nobody worked meanwhile."""
    lease = acquire(catalog, RESOURCE, "run-1", 60, "restore")
    _expire(catalog)
    renewed = renew(catalog, lease)
    assert renewed.expires_at > lease.expires_at
    assert (renewed.token, renewed.seconds) == (1, 60)
    assert _holds(catalog, lease)


def test_of_many_who_want_a_lease_at_once_one_gets_it(catalog: Catalog) -> None:
    """No two holders, whatever the timing."""
    barrier, outcomes = threading.Barrier(6), []

    def want(holder: str) -> None:
        barrier.wait(30)
        try:
            acquire(catalog, RESOURCE, holder, 60, "back up")
            outcomes.append("taken")
        except LeaseHeldError:
            outcomes.append("refused")

    threads = [threading.Thread(target=want, args=(f"run-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["refused"] * 5 + ["taken"]


def _until_renewed(kept: leases.KeptLease, times: int) -> None:
    seen, tick = {kept.lease.expires_at}, threading.Event()
    give_up_at = time.monotonic() + 60
    while len(seen) <= times and not kept.lost:
        assert time.monotonic() < give_up_at, "the heartbeat did not renew the lease"
        tick.wait(0.01)
        seen.add(kept.lease.expires_at)


def test_a_heartbeat_keeps_the_lease_longer_than_its_time(catalog: Catalog) -> None:
    """Renewed at a third of the time, so that two misses are survived."""
    lease = acquire(catalog, RESOURCE, "run-1", 1.5, "back up")
    with keep(catalog, lease) as kept:
        _until_renewed(kept, 4)
        kept.check()
        assert _holds(catalog, lease)
        with pytest.raises(LeaseHeldError):
            acquire(catalog, RESOURCE, "run-2", 60, "restore")
    assert threading.active_count() == 1 or "lease of" not in str(threading.enumerate())


def test_a_heartbeat_tells_that_the_lease_was_taken_over(catalog: Catalog) -> None:
    """Inside the block to whoever asks, and at its end to everybody."""
    lease = acquire(catalog, RESOURCE, "run-1", 0.3, "restore")
    with (
        pytest.raises(LeaseLostError, match=f"the lease of {RESOURCE} was lost by run-1"),
        keep(catalog, lease) as kept,
    ):
        with catalog.begin() as connection:
            connection.execute(update(schema.leases).values(holder="guard", token=2))
        assert kept._lost.wait(30)
        with pytest.raises(LeaseLostError):
            kept.check()


def test_an_error_of_the_block_is_not_hidden_by_the_lost_lease(catalog: Catalog) -> None:
    """The block's own error is the one to act on."""
    lease = acquire(catalog, RESOURCE, "run-1", 0.3, "restore")
    with pytest.raises(KeyError), keep(catalog, lease) as kept:
        kept.mark_lost()
        raise KeyError("x")


def test_a_heartbeat_without_catalog_gives_up_when_the_lease_ends(sqlite_url: str) -> None:
    """From then on somebody else may hold it."""
    from pathlib import Path

    path = Path(sqlite_url.removeprefix("sqlite:///"))
    catalog = open_catalog(sqlite_url)
    lease = acquire(catalog, RESOURCE, "run-1", 0.3, "restore")
    with pytest.raises(LeaseLostError), keep(catalog, lease) as kept:
        path.rename(path.with_suffix(".away"))
        assert kept._lost.wait(30)
    path.with_suffix(".away").rename(path)
    catalog.dispose()


def test_a_heartbeat_that_dies_marks_the_lease_lost(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat that died must not look like one that beats."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(leases, "renew", broken)
    monkeypatch.setattr(threading, "excepthook", lambda *_: None)
    lease = acquire(catalog, RESOURCE, "run-1", 0.1, "restore")
    with pytest.raises(LeaseLostError), keep(catalog, lease) as kept:
        assert kept._lost.wait(30)
