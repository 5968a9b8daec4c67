"""Applying an inventory to a real Prefect server, a real catalog and real stores."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from blocks.installation import forget_installation, load_installation
from deployments.apply import apply
from deployments.change import Change
from recovery.errors import ConfigurationError, HostError
from recovery.records import officials

if TYPE_CHECKING:
    from deployments.server import LocalServer
    from tests.deployments.conftest import MakeInventory


@pytest.fixture
def api(bare_server: "LocalServer") -> Callable[..., Any]:
    """Return a function that asks the server's API as any client would."""

    def ask(method: str, path: str, body: Any = None) -> Any:
        response = httpx.request(method, f"{bare_server.api_url}{path}", json=body, timeout=30)
        response.raise_for_status()
        return response.json() if response.content else None

    return ask


def _summary(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name) for change in changes]


def test_applying_twice_changes_nothing_the_second_time(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    inventory = make_inventory()
    first = apply(inventory, release=small_release)
    assert {
        ("create", "deployment", "Back Up Data/harian"),
        ("create", "deployment", "Back Up Data/bulanan"),
        ("create", "deployment", "Back Up Data/di-luar-jadwal"),
        ("create", "deployment", "Restore Data/restore"),
        ("create", "block Pulih Aplikasi", "simpeg"),
        ("create", "block Pulih Instansi", "pulih"),
        ("create", "official", "199001012015011001 Contoh Pelaksana, S.Kom."),
    } <= set(_summary(first))
    assert apply(inventory, release=small_release) == []


def test_a_dry_run_shows_the_same_changes_and_makes_none(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path, tmp_path: Path
) -> None:
    inventory = make_inventory()
    shown: list[Change] = []
    dry = apply(inventory, release=small_release, dry_run=True, before=shown.extend)
    assert shown == dry
    assert api("POST", "/deployments/filter", {}) == []
    assert not (tmp_path / "keadaan").exists()
    assert list((tmp_path / "utama").rglob("RESTORE.md")) == []
    assert apply(inventory, release=small_release) == dry


def test_changes_are_shown_before_anything_is_done_and_can_be_refused(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path, tmp_path: Path
) -> None:
    def refuse(changes: list[Change]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(make_inventory(), release=small_release, before=refuse)
    assert api("POST", "/deployments/filter", {}) == []
    assert not (tmp_path / "keadaan").exists()


def test_a_changed_inventory_is_shown_as_a_difference_and_written(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    apply(make_inventory(), release=small_release)
    changed = make_inventory(
        ('cron: "0 22 * * *"', 'cron: "30 21 * * *"'),
        ("retention_days: 90", "retention_days: 120"),
        ("position: Pranata Komputer Ahli Muda", "position: Pranata Komputer Ahli Madya"),
        ("downtime_allowed: 30 menit", "downtime_allowed: 15 menit"),
    )
    changes = {(change.kind, change.name): change for change in apply(changed, release=small_release)}
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
    assert apply(changed, release=small_release) == []


def test_what_somebody_changed_on_the_server_is_shown_and_set_right(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    inventory = make_inventory()
    apply(inventory, release=small_release)
    deployment = api("GET", "/deployments/name/Back%20Up%20Data/harian")
    schedule = deployment["schedules"][0]["id"]
    api("PATCH", f"/deployments/{deployment['id']}/schedules/{schedule}", {"active": False})
    api("PATCH", f"/deployments/{deployment['id']}", {"concurrency_limit": 1})
    (change,) = apply(inventory, release=small_release)
    assert change.details[0] == "schedules.harian.active: false → true"
    assert change.details[1].startswith("global_concurrency_limit: ")
    assert apply(inventory, release=small_release) == []


def test_a_removed_schedule_stays_without_prune_and_goes_with_it(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    apply(make_inventory(), release=small_release)
    fewer = make_inventory()
    fewer.schedules = [each for each in fewer.schedules if each.name == "bulanan"]
    kept = {(change.action, change.kind, change.name) for change in apply(fewer, release=small_release)}
    assert ("leave", "deployment", "Back Up Data/harian") in kept
    assert ("leave", "block Pulih Jadwal", "harian") in kept
    assert api("GET", "/deployments/name/Back%20Up%20Data/harian")["name"] == "harian"

    removed = {(change.action, change.kind, change.name) for change in apply(fewer, release=small_release, prune=True)}
    assert removed == {("remove", "deployment", "Back Up Data/harian"), ("remove", "block Pulih Jadwal", "harian")}
    assert sorted(each["name"] for each in api("POST", "/deployments/filter", {})) == [
        "bulanan",
        "di-luar-jadwal",
        "restore",
    ]
    assert apply(fewer, release=small_release, prune=True) == []


def test_a_deployment_whose_run_waits_for_an_approval_is_never_removed(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    apply(make_inventory(), release=small_release)
    deployment = api("GET", "/deployments/name/Back%20Up%20Data/harian")
    run = api("POST", f"/deployments/{deployment['id']}/create_flow_run", {})
    suspended = {"state": {"type": "PAUSED", "name": "Suspended"}, "force": True}
    api("POST", f"/flow_runs/{run['id']}/set_state", suspended)
    fewer = make_inventory()
    fewer.schedules = [each for each in fewer.schedules if each.name == "bulanan"]
    left = [change for change in apply(fewer, release=small_release, prune=True) if change.kind == "deployment"]
    assert [(each.action, each.details) for each in left] == [
        ("leave", ("not in the inventory, but 1 of its runs are still open; close them first",))
    ]
    api("POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": "COMPLETED"}, "force": True})
    gone = [change.action for change in apply(fewer, release=small_release, prune=True) if change.kind == "deployment"]
    assert gone == ["remove"]


def test_the_scheduler_creates_a_run_at_the_hour_of_the_schedule_in_wib(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    # With another SQLAlchemy everything looks healthy and this run never comes.
    apply(make_inventory(), release=small_release)
    deployment = api("GET", "/deployments/name/Back%20Up%20Data/harian")
    body = {
        "deployments": {"id": {"any_": [deployment["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
    }
    deadline = time.monotonic() + 75
    runs: list[Any] = []
    while not runs and time.monotonic() < deadline:
        runs = api("POST", "/flow_runs/filter", body)
        time.sleep(0.2)
    first = datetime.fromisoformat(runs[0]["expected_start_time"]).astimezone(UTC)
    assert (first.hour, first.minute) == (15, 0)  # 22.00 WIB
    assert runs[0]["auto_scheduled"] is True
    assert runs[0]["parameters"] == {"jadwal": "harian"}


def test_forms_offer_the_names_as_drop_downs_and_the_server_enforces_them(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    apply(make_inventory(), release=small_release)
    restore = api("GET", "/deployments/name/Restore%20Data/restore")
    form = restore["parameter_openapi_schema"]["definitions"]["RestoreRequest"]
    assert form["properties"]["aplikasi"] == {
        "description": "Aplikasi yang diminta.",
        "enum": ["perizinan", "simpeg"],
        "title": "Nama aplikasi",
        "type": "string",
    }
    extra = api("GET", "/deployments/name/Back%20Up%20Data/di-luar-jadwal")
    assert extra["parameter_openapi_schema"]["properties"]["jadwal"]["enum"] == ["bulanan", "harian"]
    assert extra["schedules"] == []

    for deployment, parameters in (
        (restore, {"formulir": {"nomor_surat": "1", "aplikasi": "tidak-ada"}}),
        (extra, {"jadwal": "tidak-ada", "alasan_di_luar_jadwal": "pemindahan server"}),
        (extra, {"jadwal": "harian"}),
    ):
        with pytest.raises(httpx.HTTPStatusError) as caught:
            api("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
        assert caught.value.response.status_code == 409
    for deployment, parameters in (
        (restore, {"formulir": {"nomor_surat": "1", "aplikasi": "simpeg"}}),
        (extra, {"jadwal": "harian", "alasan_di_luar_jadwal": "pemindahan server"}),
    ):
        api("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})


def test_a_new_application_appears_in_the_drop_down(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    fewer = make_inventory(("applications: [simpeg, perizinan]", "applications: [perizinan]"))
    fewer.applications = [each for each in fewer.applications if each.name == "perizinan"]
    fewer.schedules = [each for each in fewer.schedules if each.name == "bulanan"]
    apply(fewer, release=small_release)
    changes = {(change.kind, change.name): change for change in apply(make_inventory(), release=small_release)}
    assert changes["deployment", "Restore Data/restore"].details == (
        'parameter_openapi_schema.definitions.RestoreRequest.properties.aplikasi.enum: + "simpeg"',
    )


def test_the_worker_reads_from_the_blocks_what_the_inventory_said(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    inventory = make_inventory()
    apply(inventory, release=small_release)
    forget_installation()
    found, expected = load_installation(), inventory.installation()
    assert (found.office, found.keys) == (expected.office, expected.keys)
    assert (found.hosts, found.stores) == (expected.hosts, expected.stores)
    assert (found.applications, found.schedules) == (expected.applications, expected.schedules)
    assert load_installation() is found


def test_a_server_without_blocks_is_named(bare_server: "LocalServer") -> None:
    forget_installation()
    with pytest.raises(ConfigurationError, match="the Prefect server has no block 'Pulih Instansi' / 'pulih'"):
        load_installation()


def test_a_block_that_was_spoilt_in_the_user_interface_is_named(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    apply(make_inventory(), release=small_release)
    document = api("GET", "/block_types/slug/pulih-jadwal/block_documents/name/harian")
    api("PATCH", f"/block_documents/{document['id']}", {"data": {"retention_days": 0}})
    forget_installation()
    with pytest.raises(ConfigurationError, match="the block 'Pulih Jadwal' / 'harian' is not valid: retention_days: "):
        load_installation()
    (change,) = apply(make_inventory(), release=small_release)
    assert change.details == ("retention_days: 0 → 90",)


def test_no_secret_is_in_a_block(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path, tmp_path: Path
) -> None:
    apply(make_inventory(), release=small_release)
    documents = str(api("POST", "/block_documents/filter", {"include_secrets": True}))
    for secret in (tmp_path / "kunci").iterdir():
        assert secret.read_text().strip().splitlines()[-1] not in documents
    assert f"file:{tmp_path}/kunci/operasional" in documents


def test_officials_are_recorded_and_revoked_only_with_prune(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path
) -> None:
    inventory = make_inventory()
    apply(inventory, release=small_release)
    catalog = inventory.installation().catalog
    with catalog.read() as connection:
        assert len(officials.list_all(connection)) == 4
    officials.enrol(catalog, "198504042010012004", bytes(32))
    inventory.officials = [each for each in inventory.officials if each.nip != "198504042010012004"]
    assert [(each.action, each.kind) for each in apply(inventory, release=small_release)] == [("leave", "official")]
    assert [(each.action, each.kind) for each in apply(inventory, release=small_release, prune=True)] == [
        ("remove", "official")
    ]
    with catalog.read() as connection:
        assert not officials.get(connection, "198504042010012004").is_enrolled()
    assert apply(inventory, release=small_release, prune=True) == []


def test_the_restore_guide_is_in_every_store(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path, tmp_path: Path
) -> None:
    apply(make_inventory(), release=small_release)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("RESTORE.md")) == [
        Path("terpisah/pulih/RESTORE.md"),
        Path("utama/pulih/RESTORE.md"),
    ]


def test_a_flow_that_cannot_be_loaded_stops_apply_before_anything_is_changed(
    api: Callable[..., Any], make_inventory: "MakeInventory", small_release: Path, tmp_path: Path
) -> None:
    (small_release / "flows" / "restore.py").write_text("import tidak_ada\n")
    with pytest.raises(ConfigurationError, match=r"the flow flows/restore.py:restore cannot be loaded from .*tidak_ada"):
        apply(make_inventory(), release=small_release)
    assert api("POST", "/deployments/filter", {}) == []
    assert not (tmp_path / "keadaan").exists()


def test_without_a_server_apply_does_not_start_one_of_its_own(make_inventory: "MakeInventory") -> None:
    with (
        temporary_settings(restore_defaults={PREFECT_API_URL}),
        pytest.raises(ConfigurationError, match="no Prefect server is configured; nothing was changed"),
    ):
        apply(make_inventory())


def test_a_server_that_does_not_answer_is_reported(make_inventory: "MakeInventory", small_release: Path) -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(HostError, match=r"the Prefect server at http://127.0.0.1:9/api does not answer"),
    ):
        apply(make_inventory(), release=small_release, dry_run=True)
