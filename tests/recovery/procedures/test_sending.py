"""A request is sent to a deployment that is there, or nothing is said to have been created."""

from typing import Any

import pytest

from recovery.errors import HostError, NotFoundError, PulihError
from recovery.prefect_api import PrefectApi
from recovery.procedures.restore.sending import send_request
from tests.testbed.fake_api import fake_server
from tests.testbed.small_office import restore_request

DEPLOYMENT = "/api/deployments/name/Restore%20Data/restore"


def server(deployment: bool, run: bool) -> Any:
    answers = {DEPLOYMENT: {"id": "d"} if deployment else None, "/api/deployments/d/create_flow_run": {"id": "r"}}

    def answer(path: str, headers: Any) -> tuple[int, Any]:
        found = answers.get(path) if run or path == DEPLOYMENT else None
        return (404, {}) if found is None else (200, found)

    return answer


def test_the_run_that_was_created_is_named() -> None:
    with fake_server(server(deployment=True, run=True)) as url:
        assert send_request(PrefectApi(url), restore_request()) == "r"


@pytest.mark.parametrize(
    ("deployment", "kind", "sentence", "hint"),
    [
        (
            False,
            NotFoundError,
            "the Prefect server {url} has no deployment 'Restore Data/restore'",
            "run `pulih apply`, or correct PREFECT_API_URL",
        ),
        (
            True,
            HostError,
            "the deployment 'Restore Data/restore' was removed just now",
            "run `pulih apply` and send the request again",
        ),
    ],
)
def test_a_deployment_that_is_not_there_is_told(
    deployment: bool, kind: type[PulihError], sentence: str, hint: str
) -> None:
    with fake_server(server(deployment, run=False)) as url, pytest.raises(kind) as caught:
        send_request(PrefectApi(url), restore_request())
    assert str(caught.value) == f"{sentence.format(url=url)}; no run was created\nHINT: {hint}"
