"""prefect.yaml holds what apply would write for the example inventory, drop-downs excepted."""

from pathlib import Path

import pytest
import yaml
from prefect.client.schemas.schedules import CronSchedule

from deployments.flow_deployments import load_flow
from deployments.prefect_yaml import EXAMPLE, ROOT, prefect_yaml, write
from deployments.wanted import (
    BACKUP_ENTRYPOINT,
    DRILL_ENTRYPOINT,
    NOTIFY_ENTRYPOINT,
    RESTORE_ENTRYPOINT,
    RETENTION_ENTRYPOINT,
    RETENTION_NAME,
    SCHEDULE_ENTRYPOINT,
    TIMEZONE,
    parameter_schema,
    wanted_deployments,
)
from recovery.cron import check_cron
from recovery.inventory import load_inventory


def test_prefect_yaml_holds_the_deployments_that_apply_writes() -> None:
    there = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    assert there == prefect_yaml(load_inventory(EXAMPLE))


def test_prefect_yaml_is_as_the_command_writes_it(tmp_path: Path) -> None:
    write(tmp_path / "prefect.yaml")
    assert (ROOT / "prefect.yaml").read_text() == (tmp_path / "prefect.yaml").read_text()


def test_only_what_destroys_runs_in_a_work_pool_of_its_own() -> None:
    """Its worker alone needs the credentials that remove; without a time in the inventory it is started by hand."""
    inventory = load_inventory(EXAMPLE)
    pools = {each["name"]: each["work_pool"]["name"] for each in wanted_deployments(inventory)}
    assert [RETENTION_NAME] == [name for name, pool in pools.items() if pool == "pulih-pemusnahan"]
    assert {"pulih", "pulih-pemusnahan"} == set(pools.values())
    inventory.office.destruction_cron = ""
    (deployment,) = (each for each in wanted_deployments(inventory) if each["name"] == RETENTION_NAME)
    assert [] == deployment["schedules"]


def test_no_deployment_has_a_concurrency_limit() -> None:
    # A limit frees its slot while a run waits for an approval; only leases say "one restore at a time".
    assert all("concurrency_limit" not in each for each in wanted_deployments(load_inventory(EXAMPLE)))


def test_the_real_flows_have_the_parameters_that_get_drop_downs() -> None:
    inventory = load_inventory(EXAMPLE)
    schemas = {
        entrypoint: load_flow(ROOT, entrypoint).parameters.model_dump_for_openapi()
        for entrypoint in (
            BACKUP_ENTRYPOINT,
            DRILL_ENTRYPOINT,
            NOTIFY_ENTRYPOINT,
            RESTORE_ENTRYPOINT,
            RETENTION_ENTRYPOINT,
            SCHEDULE_ENTRYPOINT,
        )
    }
    found = {
        deployment["name"]: parameter_schema(deployment, schemas[deployment["entrypoint"]], inventory)
        for deployment in wanted_deployments(inventory)
    }
    (form,) = found["restore"]["definitions"].values()
    assert form["properties"]["aplikasi"]["enum"] == ["perizinan", "simpeg"]
    assert found["di-luar-jadwal"]["properties"]["jadwal"]["enum"] == ["bulanan", "harian"]
    assert found["di-luar-jadwal"]["required"] == ["alasan_di_luar_jadwal", "jadwal"]
    assert found["harian"]["properties"]["jadwal"]["enum"] == ["harian"]
    occasions = ["gagal", "terputus", "terlambat", "persetujuan", "lewat-waktu", "tanpa-kabar"]
    assert found["pemberitahuan"]["properties"]["perihal"]["enum"] == occasions
    assert found["harian"]["properties"]["jadwal"]["title"] == "Jadwal Back Up"
    assert found["gladi-restore"]["properties"]["jadwal"]["enum"] == ["bulanan", "harian"]
    assert found["gladi-bulanan"]["properties"]["jadwal"]["enum"] == ["bulanan"]
    assert found["gladi-restore"]["properties"]["penyimpanan"]["enum"][0] == ""
    assert found["pengesahan-jadwal"]["properties"]["jadwal"]["enum"] == ["bulanan", "harian"]


@pytest.mark.parametrize(
    "cron", ["0 22 * * *", "*/15 0-6/2 1,15 * *", "0 22 31 * mon", "0 22 * 3-5 SUN", "0 22 * * 7", "5 4 1 JAN,jul 1-5"]
)
def test_what_the_inventory_accepts_as_cron_prefect_accepts_too(cron: str) -> None:
    check_cron(cron)
    assert CronSchedule(cron=cron, timezone=TIMEZONE).cron == cron
