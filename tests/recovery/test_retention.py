"""Which sets stay: examples for every rule, and properties that hold for whatever was recorded."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.retention import (
    LONGEST_SILENCE,
    Planned,
    Policy,
    RetentionPlan,
    StoredSet,
    plan_retention,
    planned_json,
    promised,
    words,
)

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SHORT = Policy(retention_days=7)


def sets(
    count: int, *, policy: Policy | None = SHORT, every: timedelta = timedelta(days=1), component: str = "simpel/data"
) -> list[StoredSet]:
    """A component's sets, oldest first; the newest is an hour old."""
    return [
        StoredSet(
            id=f"{component}-{number}",
            name=f"{component}-{number}".replace("/", "_"),
            component=component,
            schedule="harian",
            position=number,
            moment=NOW - timedelta(hours=1) - every * (count - number),
            policy=policy,
        )
        for number in range(1, count + 1)
    ]


def numbers(planned: list[Planned]) -> list[int]:
    return [each.set.position for each in planned]


def destroyed(plan: RetentionPlan) -> list[int]:
    return numbers(plan.of("destroy"))


def test_what_is_younger_than_the_minimum_stays_and_older_ones_go() -> None:
    """A set of exactly so many days has had them."""
    plan = plan_retention(sets(20), NOW)
    assert list(range(1, 14)) == destroyed(plan)
    assert ("age",) == plan.sets[13].reasons
    assert ("verified", "age") == plan.sets[-1].reasons
    assert ("expired",) == plan.sets[0].reasons


def test_the_newest_of_days_weeks_months_and_years_stay() -> None:
    """Each reason is listed; periods are those of WIB."""
    policy = Policy(retention_days=1, verified=1, daily=3, weekly=2, monthly=2, yearly=2)
    plan = plan_retention(sets(400, policy=policy), NOW)
    kept = {each.set.moment.date().isoformat(): each.reasons for each in plan.of("keep")}
    assert {
        "2026-11-22": ("verified", "age", "daily", "weekly", "monthly", "yearly"),
        "2026-11-21": ("daily",),
        "2026-11-20": ("daily",),
        "2026-11-15": ("weekly",),
        "2026-10-31": ("monthly",),
        "2025-12-31": ("yearly",),
    } == kept


def test_a_day_is_one_of_wib() -> None:
    """17.30 UTC is the next day there."""
    policy = Policy(retention_days=1, verified=1, daily=1)
    first, second, third = sets(3, policy=policy)
    late = replace(first, moment=datetime(2026, 11, 18, 16, 0, tzinfo=UTC))
    next_day = replace(second, moment=datetime(2026, 11, 18, 17, 30, tzinfo=UTC))
    two = replace(third, moment=datetime(2026, 11, 20, 17, 30, tzinfo=UTC), policy=replace(policy, daily=3))
    plan = plan_retention([replace(late, policy=two.policy), replace(next_day, policy=two.policy), two], NOW)
    assert [1, 2, 3] == numbers(plan.of("keep"))


def test_a_hold_a_lock_and_work_in_progress_keep_a_set() -> None:
    """What only a lock keeps still is told apart: it goes when the lock ends."""
    held, locked, used, free, *newer = sets(20)
    held, used = replace(held, holds=("perkara 7",)), replace(used, in_use="restore")
    plan = plan_retention([held, replace(locked, locked="locked until 2027"), used, free, *newer], NOW)
    assert ["keep", "wait", "keep", "destroy"] == [each.decision for each in plan.sets[:4]]
    assert [("hold",), ("locked",), ("in use",), ("expired",)] == [each.reasons for each in plan.sets[:4]]
    said = [words(each.reasons[0], each.set) for each in plan.sets[:4]]
    assert ["held: perkara 7", "locked until 2027", "restore"] == said[:3]
    assert "past its retention, and replaced by newer verified sets" == said[3]


def test_a_set_with_a_lock_and_another_reason_is_simply_kept() -> None:
    """Waiting means that nothing else stands in the way."""
    (newest,) = sets(1)
    (planned,) = plan_retention([replace(newest, locked="locked until 2027")], NOW).sets
    assert ("keep", ("verified", "age", "locked")) == (planned.decision, planned.reasons)


def test_sets_without_a_policy_stay_and_still_count_as_newer() -> None:
    """Nothing is an orphan that may go."""
    plan = plan_retention(
        [*sets(3, policy=None), *[replace(each, position=each.position + 3) for each in sets(20)]], NOW
    )
    assert [("no policy",)] * 3 == [each.reasons for each in plan.sets[:3]]


def test_seven_months_of_failing_backups_destroy_nothing_more() -> None:
    """What failed was never secured; only newer verified sets make others old."""
    monthly = sets(24, policy=Policy(retention_days=365), every=timedelta(days=30))
    before = plan_retention(monthly, NOW)
    for month in range(1, 8):
        later = plan_retention(monthly, NOW + timedelta(days=30 * month))
        assert set(destroyed(later)) <= set(destroyed(before))
    first_again = replace(monthly[-1], id="n", position=25, moment=NOW + timedelta(days=210))
    after = plan_retention([*monthly, first_again], NOW + timedelta(days=210, hours=1))
    assert 2 >= len(set(destroyed(after)) - set(destroyed(before))), "the silence counts for no more than a month"


def test_sets_that_were_found_bad_replace_nothing() -> None:
    """A drill failed, or a copy is gone: they do not count, however new they are."""
    stored = sets(20)
    spoilt = [replace(each, fault="a copy is missing") if each.position > 10 else each for each in stored]
    plan = plan_retention(spoilt, NOW)
    assert [1, 2, 3] == destroyed(plan), "ages end at the newest verified set, the tenth"
    assert {8, 9, 10} == {each.set.position for each in plan.sets if "verified" in each.reasons}


def test_an_application_that_was_renamed_keeps_what_it_had() -> None:
    """Under the old name nothing newer comes; under the new one everything is as for any other."""
    old = sets(30, component="lama/data")
    new = [replace(each, moment=each.moment + timedelta(days=0)) for each in sets(60, component="baru/data")]
    alone, both = plan_retention(old, NOW), plan_retention([*old, *new], NOW + timedelta(days=1))
    kept = [each for each in both.sets if each.set.component == "lama/data" and each.decision == "keep"]
    assert numbers(alone.of("keep")) == numbers(kept)


def test_the_most_that_any_policy_of_a_component_promises_counts() -> None:
    """Two schedules back one component up."""
    stored = sets(20)
    stored[4] = replace(stored[4], schedule="bulanan", policy=Policy(retention_days=7, verified=15))
    assert 15 == promised(stored)
    assert list(range(1, 6)) == destroyed(plan_retention(stored, NOW))
    assert 1 == promised([])
    both = Policy(retention_days=3, verified=5, daily=1).with_promises_of(Policy(retention_days=9, monthly=4))
    assert Policy(retention_days=9, verified=5, daily=1, monthly=4) == both


def test_a_smaller_number_holds_from_the_next_backup_on_and_no_destruction_makes_it_smaller() -> None:
    """Else what is destroyed today would let more be destroyed tomorrow, of which the approval said nothing."""
    stored = sets(20)
    stored[0] = replace(stored[0], policy=Policy(retention_days=7, verified=15))
    assert 15 == promised(stored[:1])
    assert promised(stored[1:]) == promised(stored) == promised([replace(each, destroyed=True) for each in stored]) == 3


@pytest.mark.parametrize(
    ("now", "recorded_at", "expected"),
    [
        (NOW - timedelta(days=3), None, "the newest set simpel_data-20 is of"),
        (NOW + LONGEST_SILENCE, None, "the newest set of all is of"),
        (NOW, NOW + timedelta(hours=1), "the ledger's newest entry is of"),
    ],
)
def test_nothing_is_destroyed_while_the_clock_is_not_believed(
    now: datetime, recorded_at: datetime | None, expected: str
) -> None:
    """Set back, or far ahead: the plan says so."""
    plan = plan_retention(sets(20), now, recorded_at)
    assert expected in plan.suspicion
    assert [] == [each for each in plan.sets if each.decision != "keep" or "clock" not in each.reasons]


def test_a_clock_that_was_set_right_is_believed_after_the_next_backup() -> None:
    """One set of the year 2036 must not keep all others for ten years, nor make any of them ten years old."""
    stored = sets(20)
    wrong = replace(stored[9], moment=NOW + timedelta(days=3650))
    assert plan_retention([*stored[:9], wrong], NOW).suspicion
    plan = plan_retention([*stored[:9], wrong, *stored[10:]], NOW)
    assert "" == plan.suspicion
    assert set(destroyed(plan)) <= set(range(1, 14))


def test_no_sets_give_an_empty_plan() -> None:
    """A new installation."""
    assert RetentionPlan((), "", {}) == plan_retention([], NOW)
    assert None is plan_retention([], NOW).find("x")


def test_a_planned_set_is_plain_data() -> None:
    """This is what is recorded, hashed and approved."""
    plan = plan_retention(sets(20), NOW)
    found = plan.find("simpel/data-1")
    assert found is not None
    assert {
        "backup_id": "simpel/data-1",
        "name": "simpel_data-1",
        "component": "simpel/data",
        "schedule": "harian",
        "moment": "2026-11-03T14:00:00.000000+00:00",
        "retention_days": 7,
        "decision": "destroy",
        "reasons": ["expired"],
    } == planned_json(found)


# --- whatever was recorded -------------------------------------------------------------------------------------------

POLICIES = st.builds(
    Policy,
    retention_days=st.sampled_from([1, 7, 90]),
    verified=st.integers(1, 6),
    daily=st.sampled_from([0, 0, 3]),
    weekly=st.sampled_from([0, 0, 2]),
    monthly=st.sampled_from([0, 0, 4]),
    yearly=st.sampled_from([0, 0, 1]),
)
MOMENTS = st.datetimes(datetime(2023, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def histories(draw: st.DrawFn) -> list[StoredSet]:
    """Sets of some components with whatever verdicts, holds and locks; the clock was set forward and back at times."""
    found: list[StoredSet] = []
    seldom = st.sampled_from([True] * 9 + [False])  # else every set would be kept for one reason or another
    clock = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(draw(st.integers(0, 12))):
        clock += timedelta(days=draw(st.sampled_from([1, 7, 30, 30, 30, 30, -300, 3000])))
        fields: dict[str, Any] = {
            "component": draw(st.sampled_from(["baru/data", "baru/data", "lama/data"])),
            "schedule": draw(st.sampled_from(["harian", "bulanan"])),
            "moment": clock,
            "policy": draw(POLICIES) if draw(seldom) else None,
            "verdict": "pass" if draw(seldom) else "fail",
            "fault": "" if draw(seldom) else "a copy is missing",
            "holds": () if draw(seldom) else ("perkara",),
            "locked": "" if draw(seldom) else "locked until 2040",
            "in_use": "" if draw(seldom) else "a restore is open",
            "destroyed": not draw(seldom),
        }
        found.append(StoredSet(id=str(number), name=f"set-{number}", position=number, **fields))
    return found


def believed(stored: list[StoredSet]) -> datetime:
    """A time by which nothing is suspicious: an hour after the newest sets of all components."""
    newest = {each.component: each.moment for each in stored}
    return max(newest.values(), default=NOW) + timedelta(hours=1)


def verified_left(stored: list[StoredSet], plan: RetentionPlan) -> dict[str, int]:
    gone = {each.set.id for each in plan.of("destroy")}
    left: dict[str, int] = defaultdict(int)
    for each in stored:
        left[each.component] += each.verified and not each.destroyed and each.id not in gone
    return left


@settings(max_examples=80, deadline=None)
@given(histories(), st.none() | MOMENTS, st.none() | MOMENTS)
def test_never_fewer_verified_sets_than_promised(
    stored: list[StoredSet], now: datetime | None, recorded_at: datetime | None
) -> None:
    """Of every component, whatever the clock says; and what is held, locked, used or without a policy never goes."""
    plan = plan_retention(stored, now or believed(stored), recorded_at if now else None)
    there = [each for each in stored if not each.destroyed]
    assert {each.id for each in there} == {each.set.id for each in plan.sets}
    for component, left in verified_left(stored, plan).items():
        own = [each for each in stored if each.component == component]
        assert left >= min(promised(own), sum(each.verified and not each.destroyed for each in own))
    for each in plan.of("destroy"):
        assert not (each.set.holds or each.set.locked or each.set.in_use or each.set.policy is None)
        newer = [one for one in there if one.component == each.set.component and one.position > each.set.position]
        assert not each.set.verified or any(one.verified for one in newer)


@settings(max_examples=50, deadline=None)
@given(histories(), MOMENTS)
def test_the_clock_destroys_nothing(stored: list[StoredSet], other: datetime) -> None:
    """Whatever it says, the same is destroyed, or nothing at all."""
    one, two = (destroyed_ids(plan_retention(stored, moment)) for moment in (believed(stored), other))
    assert one == two or not one or not two


@settings(max_examples=50, deadline=None)
@given(histories())
def test_doing_what_the_plan_says_leaves_nothing_to_do(stored: list[StoredSet]) -> None:
    """And in whatever order: after a part of it was done, no other set is in the plan than before."""
    now = believed(stored)
    planned = destroyed_ids(plan_retention(stored, now))
    for done in (planned, set(sorted(planned)[::2])):
        after = plan_retention([replace(each, destroyed=each.destroyed or each.id in done) for each in stored], now)
        assert destroyed_ids(after) <= planned - done


def destroyed_ids(plan: RetentionPlan) -> set[str]:
    return {each.set.id for each in plan.of("destroy")}
