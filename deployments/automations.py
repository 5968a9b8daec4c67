"""Automations on the Prefect server: what happens to a run of a procedure starts the flow that tells people of it.

Ours are known by their tag and how their names begin; any other automation is never read further, changed or removed.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from deployments.change import Change, differences
from deployments.wanted import NOTIFY_NAME, TAG, WATCHED_TAG
from recovery.inventory import Inventory
from recovery.procedures.run_notices import LATE_AFTER, TITLES, Occasion

PREFIX = "Pulih: "
NOTIFY_FLOW = "Pemberitahuan"
# Who has just asked, or answered wrongly, sits before the form: he needs no notice.
UNANSWERED_FOR = timedelta(minutes=1)
# No official's time is over sooner: a step that opens at midnight is due at the end of the next day's office hours.
OVERDUE_AT_THE_EARLIEST = timedelta(hours=16)
# Runs give a sign of life every 180 seconds; three that are missing are no accident.
SILENT_FOR = timedelta(minutes=10)
_PAGE = 200
_NOT_THERE = "the deployment that this apply creates"

_BEGUN = ("Pending", "Running", "Completed", "Failed", "Crashed", "Cancelled", "Cancelling")


def wanted_automations(inventory: Inventory, deployment_id: str) -> list[dict[str, Any]]:
    """Given an inventory and the id of the notify flow's deployment, return the automations in the server's words.

    There are none while the inventory names nobody who could be told: each would only start a run that fails.
    """
    if not inventory.office.notice_targets and not any(official.contact for official in inventory.officials):
        return []

    def at_once(occasion: Occasion, *events: str) -> dict[str, Any]:
        return _automation(occasion, deployment_id, {"posture": "Reactive", "expect": _flow_run_events(events)})

    def unless(
        occasion: Occasion, within: timedelta, after: tuple[str, ...], expect: tuple[str, ...]
    ) -> dict[str, Any]:
        # An event of `after` that comes again begins the time anew only when it stands among those expected, too.
        trigger = {
            "posture": "Proactive",
            "after": _flow_run_events(after),
            "expect": _flow_run_events((*after, *expect)),
            "within": within.total_seconds(),
        }
        return _automation(occasion, deployment_id, trigger)

    ended = [
        # "Gagal" is how a procedure itself ends that did not reach its aim.
        at_once("gagal", "Failed", "Gagal"),
        at_once("terputus", "Crashed"),
    ]
    if not inventory.office.timed_automations:
        # Each run that a timed trigger looks after is counted in the server's database at every event. On SQLite the
        # server's other work meets that count, and stands still for a minute at a time.
        return [*ended, at_once("terlambat", "Late"), at_once("persetujuan", "Suspended", "Paused")]
    return [
        *ended,
        # Prefect marks as late what its schedule wanted; a run that goes on after an answer or a retry it does not.
        unless("terlambat", LATE_AFTER, ("Late", "Resuming", "AwaitingRetry"), _BEGUN),
        unless("persetujuan", UNANSWERED_FOR, ("Suspended", "Paused"), ("Resuming", *_BEGUN)),
        unless("lewat-waktu", OVERDUE_AT_THE_EARLIEST, ("Suspended", "Paused"), ("Resuming", *_BEGUN)),
        # Whatever happens to it is a sign of life, also a state whose name is ours.
        unless("tanpa-kabar", SILENT_FOR, ("heartbeat",), ("*",)),
    ]


def plan_automations(
    client: SyncPrefectClient, inventory: Inventory, *, prune: bool
) -> tuple[list[Change], list[Change]]:
    """Given a client and the inventory, return the changes to our automations, and the removals."""
    there = automations_there(client)
    changes = []
    kept = set()
    for wanted in wanted_automations(inventory, _notify_deployment(client) or _NOT_THERE):
        found = next((each for each in there if each["name"] == wanted["name"]), None)
        write = _writing(client, inventory, wanted["name"], found)
        if found is None:
            changes.append(Change("automation", wanted["name"], "create", (), write))
            continue
        kept.add(found["id"])
        details = differences(_comparable(found, wanted), wanted)
        if details:
            changes.append(Change("automation", wanted["name"], "change", details, write))
    return changes, [_removal(client, each, prune) for each in there if each["id"] not in kept]


def _automation(occasion: Occasion, deployment_id: str, trigger: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"{PREFIX}{TITLES[occasion]}",
        "description": "Memberi tahu yang berkepentingan. Dipasang oleh `pulih apply`; jangan diubah di sini.",
        "enabled": True,
        "tags": [TAG],
        "trigger": {
            "type": "event",
            "match": {"prefect.resource.id": "prefect.flow-run.*"},
            "match_related": {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{WATCHED_TAG}"},
            "after": [],
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": 0.0,
            **trigger,
        },
        "actions": [
            {
                "type": "run-deployment",
                "source": "selected",
                "deployment_id": deployment_id,
                # The run alone: everything else is read where it is told, and no person is named in Prefect.
                "parameters": {
                    "perihal": occasion,
                    "run": "{{ event.resource.id }}",
                    "peristiwa": "{{ event.id|string }}",
                },
            }
        ],
    }


def _flow_run_events(names: tuple[str, ...]) -> list[str]:
    return sorted({f"prefect.flow-run.{name}" for name in names})


def _comparable(there: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """What is there, in so far as it is ours to say: the server adds ids, and keeps lists in no order."""
    trigger = {field: there["trigger"].get(field) for field in wanted["trigger"]}
    for field in ("after", "expect", "for_each"):
        trigger[field] = sorted(trigger[field] or [])
    fields = wanted["actions"][0]
    return {
        **{field: there.get(field) for field in wanted},
        "tags": sorted(there["tags"]),
        "trigger": trigger,
        "actions": [{field: action.get(field) for field in fields} for action in there["actions"]],
    }


def automations_there(client: SyncPrefectClient) -> list[dict[str, Any]]:
    """Given a client, return the automations that are ours, newest first."""
    found: list[dict[str, Any]] = []
    while True:
        body = {"limit": _PAGE, "offset": len(found), "sort": "CREATED_DESC"}
        page = client.request("POST", "/automations/filter", json=body).raise_for_status().json()
        found += page
        if len(page) < _PAGE:
            return [each for each in found if TAG in each["tags"] and each["name"].startswith(PREFIX)]


def _notify_deployment(client: SyncPrefectClient) -> str | None:
    try:
        return str(client.read_deployment_by_name(f"{NOTIFY_FLOW}/{NOTIFY_NAME}").id)
    except ObjectNotFound:
        return None


def _writing(
    client: SyncPrefectClient, inventory: Inventory, name: str, there: dict[str, Any] | None
) -> Callable[[], None]:
    def write() -> None:
        # Looked up again: by now the deployments of this apply are there.
        deployment_id = _notify_deployment(client)
        (wanted,) = [each for each in wanted_automations(inventory, str(deployment_id)) if each["name"] == name]
        if there is None:
            response = client.request("POST", "/automations/", json=wanted)
        else:
            response = client.request("PUT", "/automations/{id}", path_params={"id": there["id"]}, json=wanted)
        response.raise_for_status()

    return write


def _removal(client: SyncPrefectClient, automation: dict[str, Any], prune: bool) -> Change:
    if not prune:
        return Change("automation", automation["name"], "leave", ("not wanted any more; goes with --prune",))

    def remove() -> None:
        client.request("DELETE", "/automations/{id}", path_params={"id": automation["id"]}).raise_for_status()

    return Change("automation", automation["name"], "remove", (), remove)
