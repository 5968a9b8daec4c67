"""The Prefect server: whether it is one, of this release, closed to strangers, silent to the outside, and works."""

import importlib.metadata
import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from recovery.doctor.blocks import examine_blocks
from recovery.doctor.clock import compare_clocks
from recovery.doctor.finding import Finding
from recovery.doctor.runs import examine_runs
from recovery.errors import HostError
from recovery.installation import Installation
from recovery.prefect_api import RETENTION_POOL, WORK_POOL, PrefectApi, UnauthorizedError

SERVER = "Prefect server"


def examine_server(installation: Installation, api: PrefectApi | None) -> Iterator[Finding]:
    """Given the Prefect server's API, yield whether server, work pool, workers and schedules are there and work."""
    if api is None:
        yield Finding(SERVER, "problem", "no address is known", "set PREFECT_API_URL")
        return
    try:
        if api.ask("/health") is not True:
            mend = "start the server, or correct PREFECT_API_URL (it ends in /api)"
            yield Finding(SERVER, "problem", f"{api.url}: what answers there is no Prefect server", mend)
            return
        # Asked first of all that wants a password: the rest would only say the same again.
        version = api.ask("/admin/version")
        yield Finding(SERVER, "ok", api.url)
        yield from _version(version)
        yield from _locked(api)
        yield from _telemetry(api)
        if (clock := api.clock()) is not None:
            yield compare_clocks(clock)
        yield from _workers(api, WORK_POOL, "worker")
        if installation.office.destruction_cron:
            yield from _workers(api, RETENTION_POOL, "worker that destroys")
        yield from examine_runs(installation, api)
        yield from examine_blocks(installation, api)
    except HostError as error:
        yield Finding(SERVER, "problem", error.message, error.hint)


def _version(version: str | None) -> Iterator[Finding]:
    here = importlib.metadata.version("prefect")
    if version != here:
        message = f"runs Prefect {version}, and this machine has {here}"
        yield Finding(SERVER, "problem", message, "install requirements.lock of the same release on both")


def _locked(api: PrefectApi) -> Iterator[Finding]:
    subject = "Prefect server's password"
    try:
        api.ask("/flow_runs/count", {}, authenticated=False)
    except UnauthorizedError:
        yield Finding(subject, "ok", "is asked for")
        return
    who = "every account on this machine" if _is_loopback(api.url) else "whoever reaches it over the network"
    mend = "set PREFECT_SERVER_API_AUTH_STRING for the server, and PREFECT_API_AUTH_STRING for workers and commands"
    message = f"is not asked for: {who} can start, resume and cancel procedures"
    yield Finding(subject, "warning", message, mend)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _telemetry(api: PrefectApi) -> Iterator[Finding]:
    settings = api.ask("/admin/settings")
    server = settings.get("server", {}) if isinstance(settings, dict) else {}
    if server.get("analytics_enabled") is True:
        mend = (
            "set PREFECT_SERVER_ANALYTICS_ENABLED=false and DO_NOT_TRACK=1 for the server, and the latter for workers"
        )
        yield Finding("telemetry", "warning", "the server tells its maker about this installation", mend)
    elif "analytics_enabled" in server:
        yield Finding("telemetry", "ok", "off")


def _workers(api: PrefectApi, name: str, subject: str) -> Iterator[Finding]:
    pool = api.ask(f"/work_pools/{name}")
    if pool is None:
        yield Finding(f"work pool {name}", "problem", "is not on the server", "run `pulih apply`")
        return
    if pool["is_paused"]:
        yield Finding(f"work pool {name}", "problem", "is paused", "resume it in the Prefect UI")
    workers = api.ask(f"/work_pools/{name}/workers/filter", {}) or []
    online = [worker["name"] for worker in workers if worker["status"] == "ONLINE"]
    if online:
        yield Finding(subject, "ok", f"{len(online)} online")
    else:
        yield Finding(subject, "problem", "none is online", f"start one: prefect worker start --pool {name}")
