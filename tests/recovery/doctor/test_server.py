"""What is wrong with a Prefect server is found over plain HTTP, one thing after the other."""

import json
import socket
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recovery.doctor.finding import Finding
from recovery.doctor.runs import examine_runs
from recovery.doctor.server import _locked, examine_server
from recovery.doctor.silence import listen
from recovery.installation import Installation
from recovery.prefect_api import RETENTION_POOL, WORK_POOL, PrefectApi
from tests.testbed.fake_api import fake_server

if TYPE_CHECKING:
    from deployments.server import LocalServer


def test_no_address_is_a_problem(installation: Installation) -> None:
    """`prefect` would start a server of its own and throw it away."""
    assert [Finding("Prefect server", "problem", "no address is known", "set PREFECT_API_URL")] == list(
        examine_server(installation, None)
    )


def test_a_server_that_does_not_answer_is_a_problem(installation: Installation) -> None:
    """The port is bound and nobody listens, so nobody else can take it meanwhile."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/api"
        (trouble,) = examine_server(installation, PrefectApi(address))
    assert "problem" == trouble.state
    assert trouble.message.startswith(f"{address}: ") and "refused" in trouble.message


@pytest.mark.parametrize("address", ["127.0.0.1:4200/api", "file:///etc/passwd", "http://[", "http://nowhere.invalid"])
def test_an_address_that_is_none_is_a_problem(installation: Installation, address: str) -> None:
    """It comes from the environment: anything may stand there."""
    (trouble,) = examine_server(installation, PrefectApi(address))
    assert ("Prefect server", "problem") == (trouble.subject, trouble.state)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_another_program_at_that_address_is_a_problem(installation: Installation, status: int) -> None:
    """A web server that answers is not yet a Prefect server."""
    with fake_server(lambda path, headers: (status, "hello")) as url:
        (trouble,) = examine_server(installation, PrefectApi(url))
    assert ("Prefect server", "problem") == (trouble.subject, trouble.state)


def locked(path: str, headers: Any) -> tuple[int, Any]:
    """Answer as a server does that wants "pulih:rahasia", and knows nothing else."""
    if path == "/api/health":
        return 200, True
    if headers["Authorization"] != "Basic cHVsaWg6cmFoYXNpYQ==":
        return 401, {"exception_message": "Unauthorized"}
    return (200, {"server": {"analytics_enabled": True}}) if path == "/api/admin/settings" else (404, {})


def test_a_password_that_is_not_set_here_is_a_problem_and_never_told(installation: Installation) -> None:
    """The health of a server is open to all; nothing else is."""
    with fake_server(locked) as url:
        (none,) = examine_server(installation, PrefectApi(url))
        (wrong,) = examine_server(installation, PrefectApi(url, "pulih:salah"))
    assert f"{url} asks for a password (401)" == none.message == wrong.message
    assert none.mend.startswith("set PREFECT_API_AUTH_STRING")
    assert "salah" not in str(wrong)
    assert "salah" not in repr(PrefectApi(url, "pulih:salah"))


def test_a_server_that_wants_a_password_is_asked_with_it(installation: Installation) -> None:
    """And what it tells its maker is found; one of another release too."""
    with fake_server(locked) as url:
        found = {finding.subject: finding for finding in examine_server(installation, PrefectApi(url, "pulih:rahasia"))}
    assert ("ok", "is asked for") == (
        (password := found["Prefect server's password"]).state,
        password.message,
    )
    assert "warning" == found["telemetry"].state
    assert "PREFECT_SERVER_ANALYTICS_ENABLED=false" in found["telemetry"].mend
    assert "runs Prefect None, and this machine has " in found["Prefect server"].message
    assert "has no deployment on the Prefect server" == found["schedule bulanan"].message


def test_a_scheduler_that_makes_no_runs_is_found(installation: Installation) -> None:
    """The server looks well, the schedule is active, and no night would ever bring a backup."""

    def scheduler_is_dead(path: str, headers: Any) -> tuple[int, Any]:
        if path == "/api/deployments/name/Back%20Up%20Data/bulanan":
            return 200, {"id": "1", "paused": False, "schedules": [{"active": False}, {"active": True}]}
        return 200, 0

    with fake_server(scheduler_is_dead) as url:
        (trouble,) = examine_runs(installation, PrefectApi(url))
    assert ("problem", "no run of it is to come although it is active") == (trouble.state, trouble.message)


def silent(path: str, headers: Any) -> tuple[int, Any]:
    """Answer as a server does of which little is known: it says nothing of what it tells, and its pool lives."""
    known = {"/api/health": True, f"/api/work_pools/{WORK_POOL}": {"is_paused": False}}
    return (200, known[path]) if path in known else (404, {})


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_what_a_server_does_not_tell_is_not_judged(installation: Installation, date: str) -> None:
    """A proxy may take the time out of its answers."""
    with fake_server(silent, date=date) as url:
        assert PrefectApi(url).clock() is None
        found = {finding.subject: finding.message for finding in examine_server(installation, PrefectApi(url))}
    assert {"server's clock", "telemetry", f"work pool {WORK_POOL}"}.isdisjoint(found)
    assert found["worker"] == "none is online"


def test_the_pool_of_what_destroys_is_looked_at_where_it_has_a_time(installation: Installation) -> None:
    """Otherwise its runs would wait unseen; without a time it is started by hand, with a worker of that day."""
    subject = f"work pool {RETENTION_POOL}"
    with fake_server(silent) as url:
        assert subject not in {finding.subject for finding in examine_server(installation, PrefectApi(url))}
        timed = replace(installation, office=installation.office.model_copy(update={"destruction_cron": "0 9 * * 1"}))
        found = {finding.subject: finding for finding in examine_server(timed, PrefectApi(url))}
    assert ("problem", "is not on the server") == (found[subject].state, found[subject].message)


@pytest.mark.parametrize(
    ("url", "who"),
    [
        ("http://localhost:1/api", "every account on this machine"),
        ("http://[::1]:1/api", "every account on this machine"),
        ("http://pulih.example:1/api", "whoever reaches it over the network"),
    ],
)
def test_who_reaches_a_server_without_a_password_is_told(url: str, who: str) -> None:
    """By its address: a name that is not localhost may be anybody's."""

    class Answering(PrefectApi):
        def ask(self, path: str, body: Any = None, *, authenticated: bool = True) -> Any:
            return 0

    (finding,) = _locked(Answering(url))
    assert finding.message == f"is not asked for: {who} can start, resume and cancel procedures"


@pytest.mark.slow
def test_a_real_server_is_mended_step_by_step(
    prefect_server: "LocalServer", installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a bare server to one that will begin a backup; `doctor --alarm` hears the same silence."""
    # A pool of its own: the usual one may have the session's worker.
    monkeypatch.setattr("recovery.doctor.server.WORK_POOL", pool := "uji")
    api = PrefectApi(prefect_server.api_url)
    pools = f"{prefect_server.api_url}/work_pools/"

    def look() -> dict[str, Finding]:
        return {finding.subject: finding for finding in examine_server(installation, api)}

    def heard() -> list[tuple[str, str]]:
        alarms, _told = listen(installation, api, datetime.now(UTC))
        return [(alarm.subject, alarm.message) for alarm in alarms if alarm.kind == "scheduler"]

    from tests.testbed.prefect_server import empty_server

    empty_server()  # what other tests of the session left there
    bare = look()
    assert ("ok", "is not on the server") == (bare["Prefect server"].state, bare[f"work pool {pool}"].message)
    assert ("ok", "the same as here") == (bare["server's clock"].state, bare["server's clock"].message)
    assert ("ok", "off") == (bare["telemetry"].state, bare["telemetry"].message)
    assert bare["Prefect server's password"].message.startswith("is not asked for: every account on this machine can")
    assert [("schedule bulanan", "has no deployment on the Prefect server")] == heard()

    tell(pools, "POST", {"name": pool, "type": "process", "is_paused": True})
    paused = look()
    assert ("is paused", "none is online") == (paused[f"work pool {pool}"].message, paused["worker"].message)
    tell(pools + f"{pool}/workers/heartbeat", "POST", {"name": "uji"})
    assert ("ok", "1 online") == ((worker := look()["worker"]).state, worker.message)

    flow = tell(f"{prefect_server.api_url}/flows/", "POST", {"name": "Back Up Data"})
    deployment = {"name": "bulanan", "flow_id": flow["id"], "paused": False, "schedules": []}
    made = tell(f"{prefect_server.api_url}/deployments/", "POST", deployment)
    one = f"{prefect_server.api_url}/deployments/{made['id']}"
    assert [("schedule bulanan", "its deployment has no active schedule")] == heard()
    tell(
        f"{one}/schedules", "POST", [{"active": True, "schedule": {"cron": "0 22 20 * *", "timezone": "Asia/Jakarta"}}]
    )
    deadline = time.monotonic() + 60
    while heard() and time.monotonic() < deadline:
        time.sleep(0.5)  # the server's scheduler makes runs in its own time
    assert "ok" == look()["schedule bulanan"].state
    tell(f"{one}/pause_deployment", "POST", {})
    assert [("schedule bulanan", "its deployment is paused")] == heard()
    tell(one, "DELETE")
    tell(pools + pool, "DELETE")


def tell(url: str, method: str, body: Any = None) -> Any:
    """Ask the server as any client would; that there is nothing to delete is fine."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        assert (404, "DELETE") == (error.code, method)
