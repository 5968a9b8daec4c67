"""Buckets: whether what the inventory promises of them holds now – versions, the lock, rights – tried and read back.

What is tried on is a small object of the doctor's own, always the same one, whose lock ends within minutes.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

from recovery.doctor.clock import MEND
from recovery.doctor.finding import Finding, State, attempt
from recovery.errors import PulihError
from recovery.settings import StoreSettings
from recovery.stores.s3 import S3Store
from recovery.stores.s3_examination import PROBE, away_from_here, can_remove_versions, default_retention, keeps_versions
from recovery.stores.s3_lock import clock

PROBED_FOR = timedelta(minutes=1)
# Services refuse what is signed 15 minutes off; a lock that ends wrong by less harms nobody.
TOLERATED = 300.0
NOTICED = 30.0


def examine_bucket(settings: StoreSettings) -> Iterator[Finding]:
    """Given the settings of a store of kind s3, yield what is to be said about it."""
    store, subject = S3Store(settings), f"store {settings.name}"
    reachable = attempt(subject, store.check, "can be written")
    yield reachable
    if reachable.state != "ok":
        return  # everything else would fail for the same reason
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _clock(store, subject),
        lambda: _versions(store, settings, subject),
        lambda: _lock(store, settings, subject),
        lambda: _rights(store, settings, subject),
    )
    for look in looks:
        try:
            yield from look()
        except PulihError as error:
            yield Finding(subject, "problem", error.message, error.hint)


def _clock(store: S3Store, subject: str) -> Iterator[Finding]:
    away = away_from_here(store.bucket)
    if away >= NOTICED:
        state: State = "problem" if away >= TOLERATED else "warning"
        yield Finding(f"{subject}: clock", state, f"is {away:.0f} seconds away from this machine's", MEND)


def _versions(store: S3Store, settings: StoreSettings, subject: str) -> Iterator[Finding]:
    subject = f"{subject}: versions"
    if keeps_versions(store.bucket):
        yield Finding(subject, "ok", "what is overwritten stays readable")
    else:
        mend = "turn versions on, or keep a second copy in a store that has them"
        yield Finding(subject, "warning", "the bucket keeps none: whoever may write can destroy", mend)
    days = default_retention(store.bucket)
    if days:
        mend = "remove it: Pulih locks each set itself, until its own retention ends"
        yield Finding(subject, "warning", f"the bucket locks everything by itself for {days}", mend)


def _lock(store: S3Store, settings: StoreSettings, subject: str) -> Iterator[Finding]:
    subject = f"{subject}: lock"
    if settings.lock == "none":
        yield Finding(subject, "warning", "none is demanded", "set lock, in a bucket with Object Lock (docs/stores.md)")
        return
    store.put_bytes(PROBE, b"Pulih tries here whether a lock holds.\n")
    # By the service's clock, in which a minute of ours may have passed already.
    holds = store.protect(PROBE, (clock(store.bucket) + PROBED_FOR).isoformat())
    if holds == "none":
        mend = "make the bucket anew with Object Lock (docs/stores.md)"
        yield Finding(subject, "warning", f"{settings.lock} is demanded and the store cannot lock", mend)
    else:
        yield Finding(subject, "ok", f"{holds} holds, read back")


def _rights(store: S3Store, settings: StoreSettings, subject: str) -> Iterator[Finding]:
    subject = f"{subject}: rights"
    if can_remove_versions(store.bucket):
        mend = "give the backup credentials of their own, without s3:DeleteObject… (docs/stores.md)"
        yield Finding(subject, "warning", "the backup's credentials can remove what no lock keeps", mend)
    else:
        yield Finding(subject, "ok", "the backup's credentials can remove nothing")
