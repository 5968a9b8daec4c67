"""Telling the office of alarms: each once, until it is over. What was told is on record, for whoever looks next.

The guard and `pulih doctor --alarm` look at different kinds of alarms and share the record: neither tells what the
other told, nor takes an alarm for over that it does not look for.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from recovery.calendar import format_moment
from recovery.errors import LeaseHeldError
from recovery.guard.report import Alarm, Kind
from recovery.installation import Installation
from recovery.notifying import deliver
from recovery.procedures.working import LEASE_SECONDS
from recovery.records import leases, ledger, schema

TOLD = "guard.alarms_told"
RESOURCE = "alarms"
# A mail server that is down must not fill the ledger with an entry for every minute.
TRY_AGAIN_AFTER = timedelta(hours=1)

# What each kind of alarm is called in a notice; the rest of it is for whoever mends it.
TITLES: dict[Kind, str] = {
    "never": "Belum pernah ada cadangan yang terverifikasi",
    "failing": "Back up terakhir gagal",
    "stale": "Cadangan terverifikasi sudah terlalu lama",
    "unscheduled": "Aplikasi tidak ada di jadwal back up mana pun",
    "silent": "Back up terjadwal tidak berjalan",
    "drill-failed": "Gladi restore gagal: salinan cadangan rusak",
    "drill-error": "Gladi restore tidak dapat memeriksa salinan cadangan",
    "drill-never": "Belum pernah ada gladi restore yang lulus",
    "drill-stale": "Gladi restore terakhir sudah terlalu lama",
    "incomplete": "Salinan kedua cadangan belum ada",
    "clock": "Jam komputer tidak dapat dipercaya",
    "escrow": "Cadangan terbaru tidak dapat dibuka dengan kunci titipan",
    "blocks": "Pengaturan di Prefect berbeda dari inventaris",
    "scheduler": "Penjadwal tidak akan menjalankan back up",
    "schedule": "Jadwal back up belum disahkan",
    "overdue": "Langkah melewati batas waktu SOP",
    "failed": "Langkah gagal dan belum diulang",
    "ledger": "Buku besar tidak utuh",
    "requester": "Pemohon restore belum diberi tahu",
    "restore": "Restore yang terhenti tidak dapat diselesaikan",
    "service": "Layanan tidak sehat",
    "sweep": "Sisa pekerjaan tidak dapat dibersihkan",
    "store": "Penyimpanan cadangan bermasalah",
    "destruction": "Pemusnahan cadangan yang sudah dimulai belum selesai",
    "records": "Rekaman Pulih tidak dapat dibaca atau ditulis: penjagaan tidak berjalan",
    "inventory": "Inventaris Pulih tidak dapat dipakai: penjagaan tidak berjalan",
    "guard": "Penjaga Pulih (pulih guard) tidak berjalan atau selalu terhenti",
}
# The guard asks no Prefect, so it cannot know whether the scheduler works, nor what the worker reads there;
# nor is it there to say that records or inventory cannot be read, or that it is not.
GUARD_KINDS: frozenset[Kind] = frozenset(TITLES) - {"scheduler", "blocks", "records", "inventory", "guard"}


@dataclass(frozen=True)
class _State:
    """What the office was told and is not over, what it was to be told and could not be, and since when not."""

    told: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    tried_at: str = ""


def tell_alarms(installation: Installation, alarms: Iterable[Alarm], looked_for: Iterable[Kind], now: datetime) -> int:
    """Given all alarms that there are of the kinds that were looked for, tell the office those that it was not told.

    Returns how many were told now. Does nothing without notice targets, and while somebody else is telling.
    """
    current = {_key(alarm): alarm for alarm in alarms}
    kinds = frozenset(looked_for)
    if not installation.office.notice_targets or not _has_news(installation, current, kinds, now):
        return 0
    holder = f"telling-{uuid.uuid4().hex[:12]}"
    try:
        lease = leases.acquire(installation.catalog, RESOURCE, holder, LEASE_SECONDS, "tell alarms")
    except LeaseHeldError:
        return 0
    try:
        with leases.keep(installation.catalog, lease):
            return _tell(installation, current, kinds, now)
    finally:
        leases.release(installation.catalog, lease)


def _tell(installation: Installation, current: dict[str, Alarm], kinds: frozenset[Kind], now: datetime) -> int:
    # Looked at again: whoever was telling a moment ago may have told the same.
    state = _state(installation)
    left = _without_what_is_over(state, current, kinds)
    fresh = _fresh(left, current, now)
    if not fresh and left == state:  # pragma: no cover - another teller between two looks at the ledger
        return 0
    trouble = send(installation.office.notice_targets, [current[key] for key in fresh]) if fresh else ""
    told = [*left.told, *(fresh if not trouble else [])]
    untold = [*left.untold, *(key for key in fresh if key not in left.untold)] if trouble else []
    facts = {
        "told": told,
        "untold": untold if fresh else list(left.untold),
        "tried_at": schema.timestamp(now) if trouble else left.tried_at,
        "trouble": trouble,
    }
    with installation.catalog.begin() as connection:
        ledger.append(connection, TOLD, facts)
    return 0 if trouble else len(fresh)


def _has_news(installation: Installation, current: dict[str, Alarm], kinds: frozenset[Kind], now: datetime) -> bool:
    state = _state(installation)
    left = _without_what_is_over(state, current, kinds)
    return left != state or bool(_fresh(left, current, now))


def _state(installation: Installation) -> _State:
    with installation.catalog.read() as connection:
        newest = ledger.entries(connection, kind=TOLD, last=1)
    if not newest:
        return _State()
    facts = newest[0].facts
    return _State(tuple(facts["told"]), tuple(facts["untold"]), facts["tried_at"])


def _without_what_is_over(state: _State, current: dict[str, Alarm], kinds: frozenset[Kind]) -> _State:
    def lasts(key: str) -> bool:
        return key in current or key.partition(" ")[0] not in kinds

    return replace(state, told=tuple(filter(lasts, state.told)), untold=tuple(filter(lasts, state.untold)))


def _fresh(state: _State, current: dict[str, Alarm], now: datetime) -> list[str]:
    again = not state.tried_at or state.tried_at <= schema.timestamp(now - TRY_AGAIN_AFTER)
    return [key for key in current if key not in state.told and (again or key not in state.untold)]


def _key(alarm: Alarm) -> str:
    """What makes an alarm this one and no other: another failure of the same component is another alarm."""
    return f"{alarm.kind} {alarm.subject} {alarm.since}".rstrip()


def send(targets: Sequence[str], alarms: list[Alarm]) -> str:
    """Given the references of targets and alarms, tell every target; return "" when at least one was reached, else what
    went wrong."""
    subject = f"Pulih: {TITLES[alarms[0].kind]}" if len(alarms) == 1 else f"Pulih: {len(alarms)} hal perlu ditangani"
    body = "\n\n".join(_told(alarm) for alarm in alarms)
    troubles = [deliver(reference, subject, body) for reference in targets]
    return "" if "" in troubles else "; ".join(dict.fromkeys(troubles))


def _told(alarm: Alarm) -> str:
    rows = [
        ("Peringatan", TITLES[alarm.kind]),
        ("Perihal", alarm.subject),
        ("Sejak", format_moment(alarm.since) if alarm.since else ""),
        ("Rincian teknis", alarm.message),
        ("Tindakan", alarm.mend),
    ]
    return "\n".join(f"{label}: {text}" for label, text in rows if text)
