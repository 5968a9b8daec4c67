"""Applying a changed inventory, and setting right what somebody changed on the server."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from prefect.settings import PREFECT_API_URL

from blocks.installation import forget_installation, load_installation
from deployments.apply import apply
from deployments.change import Change
from recovery.doctor.blocks import examine_blocks
from recovery.errors import ConfigurationError
from recovery.prefect_api import prefect_api
from recovery.records import officials

if TYPE_CHECKING:
    from tests.deployments.conftest import Applied

pytestmark = pytest.mark.slow


@pytest.fixture
def restored(applied: "Applied") -> "Iterator[Applied]":
    """The applied server, made what it was again after the test."""
    yield applied
    apply(applied.make(), release=applied.release, prune=True)


def _summary(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in changes]


def test_a_changed_inventory_is_shown_as_a_difference_and_written(restored: "Applied", api: Callable[..., Any]) -> None:
    changed = restored.make(
        ('cron: "0 22 * * *"', 'cron: "30 21 * * *"'),
        ("retention_days: 90", "retention_days: 120"),
        ("position: Pranata Komputer Ahli Muda", "position: Pranata Komputer Ahli Madya"),
        ("downtime_allowed: 30 menit", "downtime_allowed: 15 menit"),
    )
    changes = {(change.kind, change.name): change for change in apply(changed, release=restored.release)}
    assert {
        ("deployment", "Back Up Data/harian"),
        ("block Pulih Jadwal", "harian"),
        ("block Pulih Aplikasi", "simpeg"),
        ("official", "199001012015011001 Contoh Pelaksana, S.Kom."),
    } == set(changes)
    assert 'schedules.harian.cron: "0 22 * * *" → "30 21 * * *"' in changes["deployment", "Back Up Data/harian"].details
    assert changes["block Pulih Jadwal", "harian"].details == (
        'cron: "0 22 * * *" → "30 21 * * *"',
        "retention_days: 90 → 120",
    )
    schedules = api("GET", "/deployments/name/Back%20Up%20Data/harian")["schedules"]
    assert [(each["slug"], each["schedule"]["cron"]) for each in schedules] == [("harian", "30 21 * * *")]
    assert apply(changed, release=restored.release) == []


def test_what_somebody_changed_on_the_server_is_shown_and_set_right(
    restored: "Applied", api: Callable[..., Any]
) -> None:
    inventory = restored.make()
    deployment = api("GET", "/deployments/name/Back%20Up%20Data/harian")
    schedule = deployment["schedules"][0]["id"]
    api("PATCH", f"/deployments/{deployment['id']}/schedules/{schedule}", {"active": False})
    api("PATCH", f"/deployments/{deployment['id']}", {"concurrency_limit": 1})
    (change,) = apply(inventory, release=restored.release)
    assert change.details[0] == "schedules.harian.active: false → true"
    assert change.details[1].startswith("global_concurrency_limit: ")
    assert apply(inventory, release=restored.release) == []


def test_a_removed_schedule_stays_without_prune_and_goes_with_it(restored: "Applied", api: Callable[..., Any]) -> None:
    fewer = restored.make()
    fewer.schedules = [each for each in fewer.schedules if each.name == "bulanan"]
    kept = _summary(apply(fewer, release=restored.release))
    assert ("leave", "deployment", "Back Up Data/harian") in kept
    assert ("leave", "block Pulih Jadwal", "harian") in kept
    assert api("GET", "/deployments/name/Back%20Up%20Data/harian")["name"] == "harian"

    removed = set(_summary(apply(fewer, release=restored.release, prune=True)))
    assert removed == {("remove", "deployment", "Back Up Data/harian"), ("remove", "block Pulih Jadwal", "harian")}
    assert sorted(each["name"] for each in api("POST", "/deployments/filter", {})) == [
        "bulanan",
        "di-luar-jadwal",
        "gladi-bulanan",
        "gladi-restore",
        "pemberitahuan",
        "pemusnahan",
        "pengesahan-jadwal",
        "restore",
    ]
    assert apply(fewer, release=restored.release, prune=True) == []


def test_a_deployment_whose_run_waits_for_an_approval_is_never_removed(
    restored: "Applied", api: Callable[..., Any]
) -> None:
    deployment = api("GET", "/deployments/name/Back%20Up%20Data/harian")
    run = api("POST", f"/deployments/{deployment['id']}/create_flow_run", {})
    suspended = {"state": {"type": "PAUSED", "name": "Suspended"}, "force": True}
    api("POST", f"/flow_runs/{run['id']}/set_state", suspended)
    fewer = restored.make()
    fewer.schedules = [each for each in fewer.schedules if each.name == "bulanan"]
    left = {each.kind: each for each in apply(fewer, release=restored.release, prune=True) if each.action != "change"}
    assert {(each.action, each.details) for each in left.values()} == {
        ("leave", ("not in the inventory, but 1 of its runs are still open; close them first",)),
        ("leave", ("not in the inventory, but runs are still open and may read it; close them first",)),
    }
    assert set(left) == {"deployment", "block Pulih Jadwal"}
    api("POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": "COMPLETED"}, "force": True})
    assert _summary(apply(fewer, release=restored.release, prune=True)) == [
        ("remove", "deployment", "Back Up Data/harian"),
        ("remove", "block Pulih Jadwal", "harian"),
    ]


def test_a_new_application_appears_in_the_drop_down(restored: "Applied", api: Callable[..., Any]) -> None:
    fewer = restored.make(("applications: [simpeg, perizinan]", "applications: [perizinan]"))
    fewer.applications = [each for each in fewer.applications if each.name == "perizinan"]
    fewer.schedules = [each for each in fewer.schedules if each.name == "bulanan"]
    apply(fewer, release=restored.release)
    changes = {(change.kind, change.name): change for change in apply(restored.make(), release=restored.release)}
    assert changes["deployment", "Restore Data/restore"].details == (
        'parameter_openapi_schema.definitions.RestoreRequest.properties.aplikasi.enum: + "simpeg"',
    )


def test_a_block_that_was_spoilt_in_the_user_interface_is_named(restored: "Applied", api: Callable[..., Any]) -> None:
    document = api("GET", "/block_types/slug/pulih-jadwal/block_documents/name/harian")
    api("PATCH", f"/block_documents/{document['id']}", {"data": {"retention_days": 0}})
    forget_installation()
    with pytest.raises(ConfigurationError, match="the block 'Pulih Jadwal' / 'harian' is not valid: retention_days: "):
        load_installation()
    server = prefect_api({"PREFECT_API_URL": str(PREFECT_API_URL.value())})
    (spoilt,) = examine_blocks(restored.make().installation(), server)
    assert (spoilt.subject, spoilt.message) == (
        "block pulih-jadwal/harian",
        "is not what the inventory says: retention_days",
    )
    (change,) = apply(restored.make(), release=restored.release)
    assert change.details == ("retention_days: 0 → 90",)
    assert ["ok"] == [finding.state for finding in examine_blocks(restored.make().installation(), server)]


def test_officials_are_recorded_and_revoked_only_with_prune(restored: "Applied", api: Callable[..., Any]) -> None:
    inventory = restored.make()
    catalog = inventory.installation().catalog
    with catalog.read() as connection:
        assert len(officials.list_all(connection)) == 4
    officials.enrol(catalog, "198504042010012004", bytes(32))
    inventory.officials = [each for each in inventory.officials if each.nip != "198504042010012004"]
    assert [(each.action, each.kind) for each in apply(inventory, release=restored.release)] == [("leave", "official")]
    assert [(each.action, each.kind) for each in apply(inventory, release=restored.release, prune=True)] == [
        ("remove", "official")
    ]
    with catalog.read() as connection:
        assert not officials.get(connection, "198504042010012004").is_enrolled()
    assert apply(inventory, release=restored.release, prune=True) == []
