"""Which sets stay and which may be destroyed: a pure function of the records, the schedules' policies and the time.

Age is counted in a component's own verified backups and not by the clock: from a set to the newest verified one, in the
order in which they were taken, each step counting for at most a month. So neither a clock that was set wrong, nor
months without a good backup, nor an application that was renamed makes any set older; only newer verified sets do.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from recovery.calendar import to_wib

Decision = Literal["keep", "wait", "destroy"]

# The SOP's floor is one backup a month, so no step of a schedule that is kept is longer.
LONGEST_STEP = timedelta(days=35)
# Machines that share a catalog differ by seconds.
CLOCK_TOLERANCE = timedelta(minutes=5)
# Twice the SOP's floor: by then the clock runs ahead, or no backup succeeds, and in neither is anything to go.
LONGEST_SILENCE = timedelta(days=62)

# Why a set stays. Each set lists all that apply.
VERIFIED, AGE, DAILY, WEEKLY, MONTHLY, YEARLY = "verified", "age", "daily", "weekly", "monthly", "yearly"
HOLD, IN_USE, LOCKED, NO_POLICY, CLOCK = "hold", "in use", "locked", "no policy", "clock"
# Why one goes: nothing of the above.
EXPIRED = "expired"

_PERIODS = {DAILY: "%Y-%m-%d", WEEKLY: "%G-%V", MONTHLY: "%Y-%m", YEARLY: "%Y"}


@dataclass(frozen=True)
class Policy:
    """What a schedule promises: days for which a set stays at least, verified sets of a component that always stay,
    and of how many days, weeks, months and years the newest set stays."""

    retention_days: int
    verified: int = 3
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def with_promises_of(self, other: "Policy") -> "Policy":
        """Given another policy, return the one that keeps the promises of both."""
        return Policy(**{name: max(value, getattr(other, name)) for name, value in vars(self).items()})


@dataclass(frozen=True)
class StoredSet:
    """A set that was secured once.

    `component`: "application/component". `position`: by it the sets of a component stand in the order in which they
    were taken, whatever the clock said. `moment`: when its dump began. `verdict`: "pass" when it was proven; `fault`
    says why it counts as verified no more (a copy is missing, a drill failed). `policy` is None when none is on record:
    such a set stays. `holds`, `in_use` and `locked` say in words what keeps it. A `destroyed` one is history: it only
    tells how time went by.
    """

    id: str
    name: str
    component: str
    schedule: str
    position: int
    moment: datetime
    policy: Policy | None
    verdict: str = "pass"
    fault: str = ""
    holds: tuple[str, ...] = ()
    in_use: str = ""
    locked: str = ""
    destroyed: bool = False

    @property
    def verified(self) -> bool:
        """Whether it counts."""
        return self.verdict == "pass" and not self.fault

    @property
    def _order(self) -> tuple[int, datetime, str]:
        return self.position, self.moment, self.id


@dataclass(frozen=True)
class Planned:
    """What the plan says of one set, and every reason for it. `wait`: only a lock keeps it still."""

    set: StoredSet
    decision: Decision
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RetentionPlan:
    """The decision on every set, oldest first in each component; `suspicion` says why the clock is not believed, and
    `promises`, by component, how many verified sets always stay."""

    sets: tuple[Planned, ...]
    suspicion: str
    promises: dict[str, int]

    def of(self, decision: Decision) -> list[Planned]:
        """Return what was so decided."""
        return [each for each in self.sets if each.decision == decision]

    def find(self, set_id: str) -> Planned | None:
        """Given a set's id, return what was decided on it; None when it is not planned."""
        return next((each for each in self.sets if each.set.id == set_id), None)


def plan_retention(
    sets: Iterable[StoredSet],
    now: datetime,
    recorded_at: datetime | None = None,
    *,
    newest_anywhere: datetime | None = None,
) -> RetentionPlan:
    """Given every set that was ever secured, the time, and when the ledger's newest entry was made, return the plan.

    `newest_anywhere` is the moment of the newest backup of all, when the sets are of one component only, or others than
    backups are among them.
    It is the same function for the dry run, for what an official approves and for the look right before a removal.
    """
    components: dict[str, list[StoredSet]] = defaultdict(list)
    for each in sets:
        components[each.component].append(each)
    for stored in components.values():
        stored.sort(key=lambda each: each._order)
    suspicion = _suspicion(components.values(), now, recorded_at, newest_anywhere)
    planned: list[Planned] = []
    for component in sorted(components):
        planned += _plan_component(components[component], suspicion)
    promises = {component: promised(stored) for component, stored in components.items()}
    return RetentionPlan(tuple(planned), suspicion, promises)


def promised(sets: Iterable[StoredSet]) -> int:
    """Given a component's sets, destroyed ones too, return how many verified ones always stay.

    Of each schedule the policy of the set counts that was taken last, and of several schedules the one that promises
    most: a destruction takes no promise away, and a promise that was made smaller is so from the next backup on.
    """
    latest = {each.schedule: each.policy for each in sorted(sets, key=lambda each: each._order) if each.policy}
    return max((policy.verified for policy in latest.values()), default=1)


def _suspicion(
    components: Iterable[Sequence[StoredSet]],
    now: datetime,
    recorded_at: datetime | None,
    newest_anywhere: datetime | None,
) -> str:
    by_the_clock = f"it is {now.isoformat()} by the clock"
    if recorded_at is not None and recorded_at > now + CLOCK_TOLERANCE:
        return f"{by_the_clock}, and the ledger's newest entry is of {recorded_at.isoformat()}"
    newest = _taken_last(components)
    for each in newest:
        if each.moment > now + CLOCK_TOLERANCE:
            return (
                f"it is {now.isoformat()} by the clock, and the newest set {each.name} is of {each.moment.isoformat()}"
            )
    latest = newest_anywhere or max((each.moment for each in newest), default=now)
    if latest < now - LONGEST_SILENCE:
        return f"{by_the_clock}, and the newest set of all is of {latest.isoformat()}"
    return ""


def newest_taken(sets: Iterable[StoredSet]) -> datetime | None:
    """Given sets, return the latest moment of those that were taken last, one of each component; None without any."""
    components: dict[str, list[StoredSet]] = defaultdict(list)
    for each in sorted(sets, key=lambda each: each._order):
        components[each.component].append(each)
    return max((each.moment for each in _taken_last(components.values())), default=None)


def _taken_last(components: Iterable[Sequence[StoredSet]]) -> list[StoredSet]:
    """Of each component the set that was taken last, and not the one with the latest moment: after a wrong clock was
    set right, the next backup shows that it is right."""
    return [stored[-1] for stored in components]


def _plan_component(stored: list[StoredSet], suspicion: str) -> list[Planned]:
    """Given a component's sets in the order in which they were taken, decide on those that are there."""
    there = [each for each in stored if not each.destroyed]
    newest_first = [each for each in reversed(there) if each.verified]
    always = {each.id for each in newest_first[: promised(stored)]}
    periods, ages = _kept_by_periods(newest_first), _ages(stored)
    planned = []
    for each in there:
        reasons = [CLOCK] if suspicion else []
        reasons += [VERIFIED] if each.id in always else []
        reasons += [HOLD] if each.holds else []
        reasons += [IN_USE] if each.in_use else []
        if each.policy is None:
            reasons.append(NO_POLICY)
        elif ages[each.id] < timedelta(days=each.policy.retention_days):
            reasons.append(AGE)
        reasons += periods[each.id]
        reasons += [LOCKED] if each.locked else []
        decision: Decision = "keep" if reasons else "destroy"
        if reasons == [LOCKED]:
            decision = "wait"
        planned.append(Planned(each, decision, tuple(reasons or [EXPIRED])))
    return planned


def _kept_by_periods(newest_first: Sequence[StoredSet]) -> dict[str, list[str]]:
    """Of each period (in WIB) the newest verified set of a schedule stays, as long as its own policy counts so far."""
    kept: dict[str, list[str]] = defaultdict(list)
    for period, pattern in _PERIODS.items():
        seen: dict[str, set[str]] = defaultdict(set)
        for each in newest_first:
            label = to_wib(each.moment).strftime(pattern)
            periods_seen = seen[each.schedule]
            if label in periods_seen:
                continue
            if each.policy is not None and len(periods_seen) < getattr(each.policy, period):
                kept[each.id].append(period)
            periods_seen.add(label)
    return kept


def _ages(stored: Sequence[StoredSet]) -> dict[str, timedelta]:
    """How old each set is, by the verified sets that were taken after it; destroyed ones tell how time went by."""
    ages: dict[str, timedelta] = {}
    newer: StoredSet | None = None
    for each in reversed(stored):
        if newer is None:
            ages[each.id] = timedelta(0)
        else:
            step = min(max(newer.moment - each.moment, timedelta(0)), LONGEST_STEP)
            ages[each.id] = ages[newer.id] + step
        if each.verified:
            newer = each
    return ages


def words(reason: str, stored: StoredSet) -> str:
    """Given one of a set's reasons, return it in English, for the command line."""
    match reason:
        case "hold":
            return f"held: {'; '.join(stored.holds)}"
        case "in use":
            return stored.in_use
        case "locked":
            return stored.locked
    return _WORDS[reason]


_WORDS: dict[str, str] = {
    VERIFIED: "one of the newest verified sets, which always stay",
    AGE: "younger than the schedule's retention_days",
    DAILY: "the newest of its day",
    WEEKLY: "the newest of its week",
    MONTHLY: "the newest of its month",
    YEARLY: "the newest of its year",
    NO_POLICY: "no policy is on record for it",
    CLOCK: "the clock is not believed",
    EXPIRED: "past its retention, and replaced by newer verified sets",
}


def planned_json(planned: Planned) -> dict[str, Any]:
    """Return a planned set as plain data."""
    stored = planned.set
    return {
        "backup_id": stored.id,
        "name": stored.name,
        "component": stored.component,
        "schedule": stored.schedule,
        "moment": stored.moment.isoformat(timespec="microseconds"),
        "retention_days": stored.policy.retention_days if stored.policy else 0,
        "decision": planned.decision,
        "reasons": list(planned.reasons),
    }
