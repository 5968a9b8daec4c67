"""What a fresh installation gets wrong: each finding with how to mend it. Needs no Prefect in this process."""

import importlib.metadata
import json
import shutil
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from recovery.errors import PulihError
from recovery.installation import Installation
from recovery.records import officials

State = Literal["ok", "warning", "problem"]

# Bounds that nothing but a broken night reveals: see pyproject.toml for what each breaks.
PINNED: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "prefect": ((3, 8, 8), (3, 8, 9)),
    "fastapi": ((0, 139), (0, 151)),
    "sqlalchemy": ((2, 0), (2, 1)),
    "great-expectations": ((1, 24), (1, 25)),
}
SPACE_WANTED = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `mend` says what to do when it is not ok."""

    subject: str
    state: State
    message: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return asdict(self)


def examine(installation: Installation, prefect_api_url: str) -> list[Finding]:
    """Given an installation and the Prefect API's address ("" when there is none), return all findings."""
    findings: list[Finding] = []
    for look in (_packages, _keys, _state_directory, _stores, _catalog, _sources, _services):
        findings += look(installation)
    return findings + list(_server(prefect_api_url))


def _packages(installation: Installation) -> Iterator[Finding]:
    for name, (lowest, beyond) in PINNED.items():
        version = importlib.metadata.version(name)
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        if lowest <= numbers < beyond:
            yield Finding(f"package {name}", "ok", version)
        else:
            yield Finding(f"package {name}", "problem", f"{version} is outside its bounds", "install requirements.lock")


def _keys(installation: Installation) -> Iterator[Finding]:
    keys = installation.keys
    for name, reference, use in (
        ("signing key", keys.signing_key, lambda: installation.signer),
        ("operations identity", keys.operations_identity, installation.operations_identity),
        ("enrolment key", keys.enrolment_key, installation.enrolment_key),
    ):
        yield _try(name, use, "readable and of use")
        if reference.startswith("file:"):
            yield from _only_the_owner_reads(name, Path(reference.removeprefix("file:")))
    if keys.operations_recipient == keys.escrow_recipient:
        yield Finding(
            "escrow recipient", "problem", "is the operations recipient", "make a second key and put it into escrow"
        )


def _only_the_owner_reads(name: str, path: Path) -> Iterator[Finding]:
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding(f"{name} file", "problem", f"others can read {path}", f"chmod 600 {path}")


def _state_directory(installation: Installation) -> Iterator[Finding]:
    directory = installation.state_directory
    if not directory.is_dir():
        yield Finding(
            "state directory", "problem", f"{directory} is not there", "run `pulih apply`, or create it with mode 0700"
        )
        return
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        yield Finding("state directory", "problem", f"others can look into {directory}", f"chmod 700 {directory}")
    free = shutil.disk_usage(directory).free
    if free < SPACE_WANTED:
        yield Finding(
            "state directory", "warning", f"only {free >> 20} MiB are free", "staging and scratch copies need room"
        )
    else:
        yield Finding("state directory", "ok", f"{free >> 30} GiB free")


def _stores(installation: Installation) -> Iterator[Finding]:
    for name in sorted(installation.stores):
        yield _try(f"store {name}", installation.store(name).check, "can be written")
    if not any(schedule.offsite_store for schedule in installation.schedules.values()):
        yield Finding("off-site store", "warning", "no schedule names one", "a fire takes server and store together")


def _catalog(installation: Installation) -> Iterator[Finding]:
    finding = _try("catalog", installation.catalog.check, "of this release")
    yield finding
    if finding.state != "ok":
        return
    with installation.catalog.read() as connection:
        everybody = officials.list_all(connection)
    for official in everybody:
        if not official.is_enrolled():
            yield Finding(
                f"official {official.nip}", "warning", "has no enrolled device", f"pulih official enrol {official.nip}"
            )
    for role in ("pemohon", "kadis", "kabid", "pelaksana"):
        if not any(role in official.roles for official in everybody):
            yield Finding(f"role {role}", "problem", "no official has it", "add one to the inventory and apply")


def _sources(installation: Installation) -> Iterator[Finding]:
    for application in installation.applications.values():
        for component in application.components:
            key = f"{application.name}/{component.name}"
            yield _try(f"component {key}", installation.source(key).preflight, "can be backed up")


def _services(installation: Installation) -> Iterator[Finding]:
    for application in installation.applications.values():
        if not application.services:
            yield Finding(
                f"services of {application.name}", "warning", "none is configured", "a restore could not prove quiet"
            )
        for service in installation.services(application.name):
            healthy = service.healthy()
            yield Finding(
                f"service {application.name}/{service.name}",
                "ok" if healthy else "warning",
                "healthy" if healthy else "not healthy now",
                "" if healthy else "look at the service's own log",
            )


def _server(api_url: str) -> Iterator[Finding]:
    if not api_url:
        yield Finding("Prefect server", "problem", "no address is known", "set PREFECT_API_URL")
        return
    try:
        _ask(api_url, "/health")
        pool = _ask(api_url, "/work_pools/pulih")
        workers = _ask(api_url, "/work_pools/pulih/workers/filter", {})
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        yield Finding("Prefect server", "problem", f"{api_url}: {reason}", "start the server, then `pulih apply`")
        return
    yield Finding("Prefect server", "ok", api_url)
    online = [worker["name"] for worker in workers if worker["status"] == "ONLINE"]
    if pool["is_paused"]:
        yield Finding("work pool pulih", "problem", "is paused", "resume it in the Prefect UI")
    if online:
        yield Finding("worker", "ok", f"{len(online)} online")
    else:
        yield Finding("worker", "problem", "none is online", "start one: prefect worker start --pool pulih")


def _ask(api_url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(api_url.rstrip("/") + path, data=data, headers=headers)  # noqa: S310 — operator's own setting
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def _try(subject: str, look: Callable[[], Any], good: str) -> Finding:
    try:
        look()
    except PulihError as error:
        return Finding(subject, "problem", error.message, error.hint)
    return Finding(subject, "ok", good)
