"""A run of a deployment that apply wrote, by a real worker."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from deployments.server import LocalServer
    from tests.deployments.conftest import Applied

pytestmark = pytest.mark.slow


def test_a_worker_runs_a_deployment_from_the_release_directory(
    applied: "Applied", api: Callable[..., Any], prefect_worker: "LocalServer"
) -> None:
    deployment = api("GET", "/deployments/name/Back%20Up%20Data/harian")
    run = api("POST", f"/deployments/{deployment['id']}/create_flow_run", {})
    deadline = time.monotonic() + 600
    state = run["state"]
    while state["type"] not in ("COMPLETED", "FAILED", "CRASHED") and time.monotonic() < deadline:
        time.sleep(0.2)
        state = api("GET", f"/flow_runs/{run['id']}")["state"]
    assert state["type"] == "COMPLETED", state
    # What the domain logs is shown with the run.
    body = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
    while time.monotonic() < deadline:
        messages = [(line["name"], line["message"]) for line in api("POST", "/logs/filter", body)]
        if ("recovery.sources", "domain speaks") in messages:
            return
        time.sleep(0.2)
    raise AssertionError(messages)
