"""Automations on a real Prefect server: written, set right, removed, and never mixed up with anybody else's."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from deployments.apply import apply
from deployments.automations import OVERDUE_AT_THE_EARLIEST, PREFIX, SILENT_FOR, UNANSWERED_FOR, wanted_automations
from deployments.change import Change
from deployments.prefect_yaml import EXAMPLE, ROOT
from deployments.wanted import NOTIFY_NAME, WATCHED_TAG, wanted_deployments
from recovery.calendar import WIB, Counting, deadline
from recovery.inventory import load_inventory
from recovery.procedures.run_notices import LATE_AFTER, TITLES

if TYPE_CHECKING:
    from tests.deployments.conftest import Applied

FOREIGN = (
    {"name": "Pulih: Proses gagal", "tags": []},  # our name without our tag
    {"name": "Milik kantor lain", "tags": ["pulih"]},  # our tag without our name
)
BEGUN = "Pending Running Completed Failed Crashed Cancelled Cancelling"
# Of each automation: after which events it waits, for how many seconds, and what it waits for. Without a time it acts
# at once. One that waits begins anew with each event of the former, so those are among the latter.
TRIGGERS = {
    "gagal": ("", 0, "Failed Gagal"),
    "terputus": ("", 0, "Crashed"),
    "terlambat": ("Late Resuming AwaitingRetry", 600, f"Late Resuming AwaitingRetry {BEGUN}"),
    "persetujuan": ("Suspended Paused", 60, f"Suspended Paused Resuming {BEGUN}"),
    "lewat-waktu": ("Suspended Paused", 57600, f"Suspended Paused Resuming {BEGUN}"),
    "tanpa-kabar": ("heartbeat", 600, "heartbeat *"),
}
TRIGGERS_AT_ONCE = {
    "gagal": ("", 0, "Failed Gagal"),
    "terputus": ("", 0, "Crashed"),
    "terlambat": ("", 0, "Late"),
    "persetujuan": ("", 0, "Suspended Paused"),
}


@pytest.fixture
def restored(applied: "Applied", api: Callable[..., Any]) -> "Iterator[Applied]":
    """The applied server, made what it was again after the test."""
    yield applied
    for automation in theirs(api):
        api("DELETE", f"/automations/{automation['id']}")
    apply(applied.make(), release=applied.release, prune=True)


def ours(api: Callable[..., Any]) -> dict[str, Any]:
    found = api("POST", "/automations/filter", {})
    return {each["name"]: each for each in found if each["tags"] == ["pulih"] and each["name"].startswith("Pulih: ")}


def theirs(api: Callable[..., Any]) -> list[dict[str, Any]]:
    mine = {each["id"] for each in ours(api).values()}
    return [each for each in api("POST", "/automations/filter", {}) if each["id"] not in mine]


def made(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in changes]


def triggers(automations: Iterable[dict[str, Any]]) -> dict[str, tuple[str, list[str], float, list[str]]]:
    """Of each automation, by name: the posture, after which events, for how long, and for which it waits."""
    found = {each["name"]: each["trigger"] for each in automations}
    return {
        name: (trigger["posture"], sorted(trigger["after"]), trigger["within"], sorted(trigger["expect"]))
        for name, trigger in found.items()
    }


def as_wanted(table: dict[Any, tuple[str, int, str]]) -> dict[str, tuple[str, list[str], float, list[str]]]:
    def events(names: str) -> list[str]:
        return sorted(f"prefect.flow-run.{name}" for name in names.split())

    return {
        f"Pulih: {TITLES[occasion]}": (
            "Proactive" if within else "Reactive",
            events(after),
            float(within),
            events(expect),
        )
        for occasion, (after, within, expect) in table.items()
    }


def without_targets(applied: "Applied") -> Any:
    return applied.make(("  notice_targets:\n    - credential:notice-target\n", ""))


def test_without_timed_automations_none_waits_for_what_does_not_happen() -> None:
    inventory = load_inventory(EXAMPLE)
    assert as_wanted(TRIGGERS) == triggers(wanted_automations(inventory, "deployment"))
    inventory.office.timed_automations = False
    assert as_wanted(TRIGGERS_AT_ONCE) == triggers(wanted_automations(inventory, "deployment"))


@pytest.mark.slow
def test_every_occasion_runs_the_notify_deployment_with_nothing_but_the_run(
    applied: "Applied", api: Callable[..., Any]
) -> None:
    deployment = api("GET", "/deployments/name/Pemberitahuan/pemberitahuan")
    found = ours(api)
    assert {f"Pulih: {title}" for title in TITLES.values()} == set(found)
    for occasion, title in TITLES.items():
        automation = found[f"Pulih: {title}"]
        (action,) = automation["actions"]
        assert (True, "run-deployment", deployment["id"]) == (
            automation["enabled"],
            action["type"],
            action["deployment_id"],
        )
        event = {"run": "{{ event.resource.id }}", "peristiwa": "{{ event.id|string }}"}
        assert {"perihal": occasion, **event} == action["parameters"]
        assert ["prefect.resource.id"] == automation["trigger"]["for_each"], "each run is counted on its own"
    assert as_wanted(TRIGGERS) == triggers(found.values())


@pytest.mark.slow
def test_what_somebody_changed_is_shown_and_set_right(restored: "Applied", api: Callable[..., Any]) -> None:
    before = ours(api)["Pulih: Proses tanpa kabar"]
    kept = {name: before[name] for name in ("name", "description", "tags", "actions")}
    api(
        "PUT",
        f"/automations/{before['id']}",
        {**kept, "enabled": False, "trigger": {**before["trigger"], "within": 60}},
    )
    (change,) = apply(restored.make(), release=restored.release)
    assert ("change", "automation", "Pulih: Proses tanpa kabar") == (change.action, change.kind, change.name)
    assert change.details == ("enabled: false → true", "trigger.within: 60.0 → 600.0")
    after = ours(api)["Pulih: Proses tanpa kabar"]
    assert (before["id"], True, 600) == (after["id"], after["enabled"], after["trigger"]["within"])
    assert apply(restored.make(), release=restored.release) == []


@pytest.mark.slow
def test_a_deployment_that_was_made_anew_is_the_one_that_automations_run(
    restored: "Applied", api: Callable[..., Any]
) -> None:
    old = api("GET", "/deployments/name/Pemberitahuan/pemberitahuan")["id"]
    api("DELETE", f"/deployments/{old}")
    dry = apply(restored.make(), release=restored.release, dry_run=True)
    changes = apply(restored.make(), release=restored.release)
    assert dry == changes
    assert ("create", "deployment", "Pemberitahuan/pemberitahuan") == made(changes)[0]
    assert {f"Pulih: {title}" for title in TITLES.values()} == {change.name for change in changes[1:]}
    new = api("GET", "/deployments/name/Pemberitahuan/pemberitahuan")["id"]
    assert {new} == {each["actions"][0]["deployment_id"] for each in ours(api).values()} != {old}
    assert apply(restored.make(), release=restored.release) == []


@pytest.mark.slow
def test_with_nobody_to_tell_ours_are_left_without_prune_and_go_with_it_and_others_stay(
    restored: "Applied", api: Callable[..., Any]
) -> None:
    one = ours(api)["Pulih: Proses gagal"]
    for fields in FOREIGN:
        api("POST", "/automations/", {"trigger": one["trigger"], "actions": [{"type": "do-nothing"}], **fields})
    assert 2 == len(theirs(api))
    inventory = without_targets(restored)
    left = [change for change in apply(inventory, release=restored.release) if change.kind == "automation"]
    assert {("leave", ("not wanted any more; goes with --prune",))} == {(each.action, each.details) for each in left}
    assert 6 == len(left) == len(ours(api))
    gone = made(apply(inventory, release=restored.release, prune=True))
    assert {("remove", "automation", f"Pulih: {title}") for title in TITLES.values()} == set(gone)
    assert {} == ours(api)
    assert {fields["name"] for fields in FOREIGN} == {each["name"] for each in theirs(api)}
    assert apply(inventory, release=restored.release, prune=True) == []


def test_a_contact_of_one_official_is_somebody_to_tell() -> None:
    inventory = load_inventory(EXAMPLE)
    inventory.office.notice_targets = []
    assert [] == wanted_automations(inventory, "d")
    inventory.officials[0].contact = "credential:kadis"
    assert 6 == len(wanted_automations(inventory, "d"))


def test_the_notify_flow_is_not_looked_after_by_its_own_automations() -> None:
    """A notice that cannot be delivered would be told of without end."""
    inventory = load_inventory(EXAMPLE)
    unwatched = [each["name"] for each in wanted_deployments(inventory) if WATCHED_TAG not in each["tags"]]
    assert [NOTIFY_NAME] == unwatched
    for automation in wanted_automations(inventory, "d"):
        wanted = {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.sop"}
        assert wanted == automation["trigger"]["match_related"]


def test_the_documentation_lists_the_automations_and_their_times() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(Pulih: .+?)` \|", text, re.MULTILINE)
    assert [f"{PREFIX}{title}" for title in TITLES.values()] == documented
    assert timedelta(minutes=10) == LATE_AFTER == SILENT_FOR
    assert (timedelta(minutes=1), timedelta(hours=16)) == (UNANSWERED_FOR, OVERDUE_AT_THE_EARLIEST)
    assert "has not answered within a minute" in text
    assert "within 10 minutes after it should have" in text
    assert "no sign of life for 10 minutes" in text
    assert "asks after 16 hours" in text


@pytest.mark.parametrize("counting", ["kerja", "kalender"])
def test_no_deadline_comes_before_the_automation_asks(counting: Counting) -> None:
    """A step that opens in the last second of a day has the shortest time."""
    opened = datetime(2026, 11, 24, 23, 59, 59, tzinfo=WIB)
    assert (
        OVERDUE_AT_THE_EARLIEST <= deadline(opened, counting) - opened < OVERDUE_AT_THE_EARLIEST + timedelta(minutes=1)
    )
