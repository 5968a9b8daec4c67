"""Deployments on the Prefect server: what is there, what should be, and what changes."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import MissingFlowError, ObjectNotFound, ScriptError
from prefect.flows import load_flow_from_entrypoint

from deployments.change import Change, differences
from deployments.server import RETENTION_POOL, WORK_POOL
from deployments.wanted import TAG, engine_command, parameter_schema, wanted_deployments
from recovery.errors import ConfigurationError
from recovery.inventory import Inventory

_POOL_TYPE = "process"
_POOL_DESCRIPTIONS = {
    WORK_POOL: "Pekerja SOP Back Up/Restore Data (Pulih).",
    RETENTION_POOL: "Pekerja pemusnahan cadangan (Pulih): satu-satunya yang boleh menghapus dari penyimpanan.",
}
# A run in one of these is under way or waits for an official; it needs its deployment to go on.
_OPEN_STATES = {"type": {"any_": ["RUNNING", "PAUSED", "PENDING", "CANCELLING"]}}
_COMING_BACK = {"name": {"any_": ["Resuming", "AwaitingRetry"]}}


def plan_work_pools(client: SyncPrefectClient) -> list[Change]:
    """Given a client, return the changes that create those of our work pools that are missing.

    Raises ConfigurationError when a work pool of such a name has another type.
    """
    return [change for name in _POOL_DESCRIPTIONS for change in _plan_work_pool(client, name)]


def _plan_work_pool(client: SyncPrefectClient, name: str) -> list[Change]:
    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        return [Change("work pool", name, "create", (f"type: {_POOL_TYPE}",), lambda: _create_pool(client, name))]
    if pool.type != _POOL_TYPE:
        raise ConfigurationError(
            f"the work pool {name!r} is of type {pool.type!r} and not {_POOL_TYPE!r}",
            state="nothing was changed",
            hint=f"delete or rename that work pool; Pulih needs the name {name!r}",
        )
    return []


def plan_deployments(
    client: SyncPrefectClient, inventory: Inventory, release: Path, *, prune: bool
) -> tuple[list[Change], list[Change]]:
    """Given a client, the inventory and the release directory, return the changes to make and the removals.

    Without `prune` what the inventory no longer names is left; and a deployment with open runs is always left, since
    a run that waits for an approval could never be resumed without it.
    """
    there = _deployments_there(client)
    changes = []
    wanted_keys = set()
    flows: dict[str, Flow[Any, Any]] = {}
    for deployment in wanted_deployments(inventory):
        entrypoint = deployment["entrypoint"]
        if entrypoint not in flows:
            flows[entrypoint] = load_flow(release, entrypoint)
        flow = flows[entrypoint]
        schema = parameter_schema(deployment, flow.parameters.model_dump_for_openapi(), inventory)
        wanted = _comparable_wanted(deployment, schema, release)
        key = (flow.name, deployment["name"])
        wanted_keys.add(key)
        change = _change(client, key, there.get(key), wanted)
        if change:
            changes.append(change)
    return changes, [
        _removal(client, key, UUID(deployment["id"]), prune)
        for key, deployment in there.items()
        if key not in wanted_keys
    ]


def load_flow(release: Path, entrypoint: str) -> Flow[Any, Any]:
    """Given the release directory and an entrypoint in it, return the flow. Raises ConfigurationError."""
    try:
        with _on_path(release):
            return load_flow_from_entrypoint(f"{release}/{entrypoint}", use_placeholder_flow=False)
    except (ScriptError, MissingFlowError, FileNotFoundError) as error:
        cause = error.user_exc if isinstance(error, ScriptError) else error
        raise ConfigurationError(
            f"the flow {entrypoint} cannot be loaded from {release}: {type(cause).__name__}: {cause}",
            state="nothing was deployed",
            hint="name the directory of an installed release",
        ) from error


@contextmanager
def _on_path(release: Path) -> Iterator[None]:
    sys.path.insert(0, str(release))
    try:
        yield
    finally:
        sys.path.remove(str(release))


def _create_pool(client: SyncPrefectClient, name: str) -> None:
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    client.create_work_pool(
        WorkPoolCreate(name=name, type=_POOL_TYPE, description=_POOL_DESCRIPTIONS[name], base_job_template=template)
    )


def _deployments_there(client: SyncPrefectClient) -> dict[tuple[str, str], dict[str, Any]]:
    response = client.request("POST", "/deployments/filter", json={"deployments": {"tags": {"all_": [TAG]}}})
    deployments = response.raise_for_status().json()
    flows = client.request(
        "POST", "/flows/filter", json={"flows": {"id": {"any_": [each["flow_id"] for each in deployments]}}}
    )
    names = {flow["id"]: flow["name"] for flow in flows.raise_for_status().json()}
    return {(names[each["flow_id"]], each["name"]): each for each in deployments}


def _comparable_wanted(deployment: dict[str, Any], schema: dict[str, Any], release: Path) -> dict[str, Any]:
    return {
        **{field: deployment[field] for field in ("version", "description", "tags", "entrypoint", "parameters")},
        "schedules": {each["slug"]: each for each in deployment["schedules"]},
        "enforce_parameter_schema": deployment["enforce_parameter_schema"],
        "work_pool_name": deployment["work_pool"]["name"],
        "job_variables": {
            **deployment["work_pool"]["job_variables"],
            "command": engine_command(shlex.quote(sys.executable)),
        },
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(release)}}],
        "paused": False,
        "global_concurrency_limit": None,
        "parameter_openapi_schema": schema,
    }


def _comparable_there(deployment: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    there = {field: deployment.get(field) for field in wanted}
    there["tags"] = sorted(deployment["tags"])
    there["schedules"] = {
        each["slug"] or each["id"]: {
            "cron": each["schedule"].get("cron"),
            "timezone": each["schedule"].get("timezone"),
            "slug": each["slug"],
            "active": each["active"],
        }
        for each in deployment["schedules"]
    }
    return there


def _change(
    client: SyncPrefectClient, key: tuple[str, str], there: dict[str, Any] | None, wanted: dict[str, Any]
) -> Change | None:
    name = "/".join(key)
    if there is None:
        cron = [f"schedule: {each['cron']} ({each['timezone']})" for each in wanted["schedules"].values()]
        return Change("deployment", name, "create", tuple(cron), lambda: _write(client, key, wanted))
    details = differences(_comparable_there(there, wanted), wanted)
    return Change("deployment", name, "change", details, lambda: _write(client, key, wanted)) if details else None


def _write(client: SyncPrefectClient, key: tuple[str, str], wanted: dict[str, Any]) -> None:
    flow_name, name = key
    # The server updates a deployment of this flow and name, and drops only runs that are still in the future.
    client.create_deployment(
        flow_id=client.create_flow_from_name(flow_name),
        name=name,
        version=wanted["version"],
        description=wanted["description"],
        tags=wanted["tags"],
        entrypoint=wanted["entrypoint"],
        parameters=wanted["parameters"],
        schedules=[
            DeploymentScheduleCreate(
                schedule=CronSchedule(cron=each["cron"], timezone=each["timezone"]),
                slug=each["slug"],
                active=each["active"],
            )
            for each in wanted["schedules"].values()
        ],
        enforce_parameter_schema=wanted["enforce_parameter_schema"],
        work_pool_name=wanted["work_pool_name"],
        job_variables=wanted["job_variables"],
        pull_steps=wanted["pull_steps"],
        paused=wanted["paused"],
        parameter_openapi_schema=wanted["parameter_openapi_schema"],
    )


def _removal(client: SyncPrefectClient, key: tuple[str, str], deployment_id: UUID, prune: bool) -> Change:
    name = "/".join(key)
    if not prune:
        return Change("deployment", name, "leave", ("not in the inventory; goes with --prune",))
    count = open_runs(client, {"id": {"any_": [str(deployment_id)]}})
    if count:
        why = f"not in the inventory, but {count} of its runs are still open; close them first"
        return Change("deployment", name, "leave", (why,))
    return Change("deployment", name, "remove", (), lambda: client.delete_deployment(deployment_id))


def open_runs(client: SyncPrefectClient, deployments: dict[str, Any] | None = None) -> int:
    """Given a client and a filter of deployments (default: all of ours), return how many runs are under way or wait."""

    def count(state: dict[str, Any]) -> int:
        body = {"deployments": deployments or {"tags": {"all_": [TAG]}}, "flow_runs": {"state": state}}
        return int(client.request("POST", "/flow_runs/count", json=body).raise_for_status().json())

    return count(_OPEN_STATES) + count(_COMING_BACK)
