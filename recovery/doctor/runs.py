"""Whether schedules really create runs: a server can look well while its scheduler creates none."""

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from recovery.doctor.finding import Finding
from recovery.installation import Installation
from recovery.prefect_api import PrefectApi

FLOW = "Back Up Data"


def examine_runs(installation: Installation, api: PrefectApi) -> Iterator[Finding]:
    """Yield, for every schedule of the installation, whether the server will begin a run of it. Raises HostError."""
    for name in sorted(installation.schedules):
        yield _schedule(name, api)


def _schedule(name: str, api: PrefectApi) -> Finding:
    subject = f"schedule {name}"
    deployment = api.ask(f"/deployments/name/{quote(FLOW)}/{quote(name)}")
    if deployment is None:
        return Finding(subject, "problem", "has no deployment on the Prefect server", "run `pulih apply`")
    if deployment["paused"]:
        return Finding(subject, "problem", "its deployment is paused", "resume it in the Prefect UI, or `pulih apply`")
    if not any(each["active"] for each in deployment["schedules"]):
        mend = "switch it on in the Prefect UI, or run `pulih apply`"
        return Finding(subject, "problem", "its deployment has no active schedule", mend)
    coming = {
        "deployments": {"id": {"any_": [deployment["id"]]}},
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "next_scheduled_start_time": {"after_": datetime.now(UTC).isoformat()},
        },
    }
    count = api.ask("/flow_runs/count", coming)
    if not count:
        mend = "see the server's log: its scheduler is dead (after `pulih apply`, give it a minute)"
        return Finding(subject, "problem", "no run of it is to come although it is active", mend)
    return Finding(subject, "ok", f"{count} runs are to come")
