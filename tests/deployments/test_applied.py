"""What lies on a real Prefect server, in the catalog and in the stores after an inventory was applied once."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from blocks.installation import forget_installation, load_installation
from deployments.apply import apply

if TYPE_CHECKING:
    from tests.deployments.conftest import Applied

pytestmark = pytest.mark.slow


def test_applying_twice_changes_nothing_the_second_time(applied: "Applied", api: Callable[..., Any]) -> None:
    assert {
        ("create", "deployment", "Back Up Data/harian"),
        ("create", "deployment", "Back Up Data/bulanan"),
        ("create", "deployment", "Back Up Data/di-luar-jadwal"),
        ("create", "deployment", "Restore Data/restore"),
        ("create", "deployment", "Jadwal Back Up/pengesahan-jadwal"),
        ("create", "deployment", "Gladi Restore/gladi-bulanan"),
        ("create", "deployment", "Gladi Restore/gladi-restore"),
        ("create", "deployment", "Pemusnahan Cadangan/pemusnahan"),
        ("create", "deployment", "Pemberitahuan/pemberitahuan"),
        ("create", "automation", "Pulih: Proses gagal"),
        ("create", "automation", "Pulih: Proses terputus"),
        ("create", "automation", "Pulih: Proses terlambat dimulai"),
        ("create", "automation", "Pulih: Persetujuan ditunggu"),
        ("create", "automation", "Pulih: Persetujuan lewat batas waktu"),
        ("create", "automation", "Pulih: Proses tanpa kabar"),
        ("create", "block Pulih Aplikasi", "simpeg"),
        ("create", "block Pulih Instansi", "pulih"),
        ("create", "official", "199001012015011001 Contoh Pelaksana, S.Kom."),
    } <= {(change.action, change.kind, change.name) for change in applied.changes}
    assert apply(applied.inventory, release=applied.release) == []


def test_the_scheduler_creates_a_run_at_the_hour_of_the_schedule_in_wib(
    applied: "Applied", api: Callable[..., Any]
) -> None:
    # With another SQLAlchemy everything looks healthy and this run never comes.
    deployment = api("GET", "/deployments/name/Back%20Up%20Data/harian")
    body = {
        "deployments": {"id": {"any_": [deployment["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        "sort": "EXPECTED_START_TIME_ASC",
    }
    deadline = time.monotonic() + 150
    runs: list[Any] = []
    while not runs and time.monotonic() < deadline:
        runs = api("POST", "/flow_runs/filter", body)
        time.sleep(0.2)
    first = datetime.fromisoformat(runs[0]["expected_start_time"]).astimezone(UTC)
    assert (first.hour, first.minute) == (15, 0)  # 22.00 WIB
    assert runs[0]["auto_scheduled"] is True
    assert runs[0]["parameters"] == {"jadwal": "harian"}


def test_forms_offer_the_names_as_drop_downs_and_the_server_enforces_them(
    applied: "Applied", api: Callable[..., Any]
) -> None:
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


def test_the_worker_reads_from_the_blocks_what_the_inventory_said(applied: "Applied", api: Callable[..., Any]) -> None:
    forget_installation()
    found, expected = load_installation(), applied.inventory.installation()
    assert (found.office, found.keys) == (expected.office, expected.keys)
    assert (found.hosts, found.stores) == (expected.hosts, expected.stores)
    assert (found.applications, found.schedules) == (expected.applications, expected.schedules)
    assert load_installation() is found


def test_no_secret_is_in_a_block(applied: "Applied", api: Callable[..., Any]) -> None:
    documents = str(api("POST", "/block_documents/filter", {"include_secrets": True}))
    for secret in (applied.directory / "kunci").iterdir():
        assert secret.read_text().strip().splitlines()[-1] not in documents
    assert f"file:{applied.directory}/kunci/operasional" in documents


def test_the_restore_guide_is_in_every_store(applied: "Applied", api: Callable[..., Any]) -> None:
    assert sorted(path.relative_to(applied.directory) for path in applied.directory.rglob("RESTORE.md")) == [
        Path("terpisah/pulih/RESTORE.md"),
        Path("utama/pulih/RESTORE.md"),
    ]
