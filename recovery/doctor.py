"""What a fresh installation gets wrong: each finding with how to mend it. Needs no Prefect in this process.

Every look is on its own: whatever one of them meets becomes a finding, and the others still happen.
"""

import http.client
import importlib.metadata
import json
import shutil
import stat
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

from recovery import calendar
from recovery.errors import KeyMissingError, PulihError
from recovery.installation import Installation
from recovery.records import officials

State = Literal["ok", "warning", "problem"]

# Bounds that nothing but a broken night reveals: see pyproject.toml for what each breaks. A test compares the two.
PINNED: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "prefect": ((3, 8, 8), (3, 8, 9)),
    "fastapi": ((0, 139), (0, 151)),
    "sqlalchemy": ((2, 0), (2, 1)),
    "great-expectations": ((1, 24), (1, 25)),
}
SPACE_WANTED = 1 << 30
WORK_POOL = "pulih"


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
    findings = list(examine_packages())
    for look in (_keys, _state_directory, _stores, _catalog, _calendar, _sources, _services):
        findings += look(installation)
    return findings + list(examine_server(prefect_api_url))


def examine_packages(version_of: Callable[[str], str] = importlib.metadata.version) -> Iterator[Finding]:
    """Yield whether the packages that break silently outside their bounds are within them."""
    for name, (lowest, beyond) in PINNED.items():
        try:
            version = version_of(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(f"package {name}", "problem", "is not installed", "install requirements.lock")
            continue
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        if lowest <= numbers < beyond:
            yield Finding(f"package {name}", "ok", version)
        else:
            yield Finding(f"package {name}", "problem", f"{version} is outside its bounds", "install requirements.lock")


def _keys(installation: Installation) -> Iterator[Finding]:
    keys = installation.keys
    for name, reference, use in (
        ("signing key", keys.signing_key, lambda: installation.signer),
        ("operations identity", keys.operations_identity, lambda: _operations_identity(installation)),
        ("enrolment key", keys.enrolment_key, installation.enrolment_key),
    ):
        yield _try(name, use, "readable and of use")
        if reference.startswith("file:"):
            yield from _only_the_owner_reads(name, Path(reference.removeprefix("file:")))
    if keys.operations_recipient == keys.escrow_recipient:
        yield Finding(
            "escrow recipient", "problem", "is the operations recipient", "make a second key and put it into escrow"
        )


def _operations_identity(installation: Installation) -> None:
    from recovery.crypto import recipient_of

    recipient = recipient_of(installation.operations_identity())
    if recipient != installation.keys.operations_recipient:
        # Backups would go on well, and no restore could open one.
        raise KeyMissingError(
            f"it opens what is encrypted for {recipient} and not for the operations recipient",
            hint="put the right identity there, or its recipient into the inventory",
        )


def _only_the_owner_reads(name: str, path: Path) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # said by the look at the key itself
    if mode & 0o077:
        yield Finding(f"{name} file", "problem", f"others can read {path}", f"chmod 600 {path}")


def _state_directory(installation: Installation) -> Iterator[Finding]:
    directory = installation.state_directory
    if not directory.is_dir():
        mend = "run `pulih apply`, or create it with mode 0700"
        yield Finding("state directory", "problem", f"{directory} is not there", mend)
        return
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        yield Finding("state directory", "problem", f"others can look into {directory}", f"chmod 700 {directory}")
    free = shutil.disk_usage(directory).free
    if free < SPACE_WANTED:
        mend = "staging and scratch copies need room"
        yield Finding("state directory", "warning", f"only {free >> 20} MiB are free", mend)
    else:
        yield Finding("state directory", "ok", f"{free >> 30} GiB free")


def _stores(installation: Installation) -> Iterator[Finding]:
    for name in sorted(installation.stores):
        yield _try(f"store {name}", partial(_check_store, installation, name), "can be written")
    if not any(schedule.offsite_store for schedule in installation.schedules.values()):
        yield Finding("off-site store", "warning", "no schedule names one", "a fire takes server and store together")


def _check_store(installation: Installation, name: str) -> None:
    installation.store(name).check()


def _catalog(installation: Installation) -> Iterator[Finding]:
    finding = _try("catalog", lambda: installation.catalog.check(), "of this release")
    yield finding
    if finding.state != "ok":
        return
    with installation.catalog.read() as connection:
        everybody = officials.list_all(connection)
    for official in everybody:
        yield from _official(installation, official)
    today = _today()
    for role in ("pemohon", "kadis", "kabid", "pelaksana"):
        if not any(role in official.roles and official.is_in_office(today) for official in everybody):
            mend = "add one to the inventory and apply"
            yield Finding(f"role {role}", "problem", "no official in office has it", mend)


def _official(installation: Installation, official: officials.Official) -> Iterator[Finding]:
    subject = f"official {official.nip}"
    if not official.is_in_office(_today()):
        mend = "his answers do not count today; name his successor in the inventory"
        yield Finding(subject, "warning", "is not in office today", mend)
    if not official.is_enrolled():
        yield Finding(subject, "warning", "has no enrolled device", f"pulih official enrol {official.nip}")
        return

    def open_secret() -> None:
        key = installation.enrolment_key()
        with installation.catalog.read() as connection:
            officials.secret_of(connection, official.nip, key)

    finding = _try(subject, open_secret, "enrolled")
    if finding.state != "ok":
        yield finding


def _calendar(installation: Installation) -> Iterator[Finding]:
    if installation.office.working_days != "kerja":
        return
    year = int(_today()[:4])
    doubt = calendar.warning(year)
    yield Finding("holidays", "warning" if doubt else "ok", doubt or f"{year} follows the decree")


def _sources(installation: Installation) -> Iterator[Finding]:
    for application in installation.applications.values():
        for component in application.components:
            key = f"{application.name}/{component.name}"
            yield from _source(installation, key)


def _source(installation: Installation, key: str) -> Iterator[Finding]:
    try:
        warnings = installation.source(key).preflight()
    except PulihError as error:
        yield Finding(f"component {key}", "problem", error.message, error.hint)
        return
    yield Finding(f"component {key}", "ok", "can be backed up")
    for warning in warnings:
        yield Finding(f"component {key}", "warning", warning, "see whether the application's owner knows")


def _services(installation: Installation) -> Iterator[Finding]:
    for application in installation.applications.values():
        if not application.services:
            yield Finding(
                f"services of {application.name}", "warning", "none is configured", "a restore could not prove quiet"
            )
            continue
        try:
            opened = installation.services(application.name)
        except PulihError as error:
            yield Finding(f"services of {application.name}", "problem", error.message, error.hint)
            continue
        for service in opened:
            subject = f"service {application.name}/{service.name}"
            try:
                healthy = service.healthy()
            except PulihError as error:
                yield Finding(subject, "problem", error.message, error.hint)
                continue
            if healthy:
                yield Finding(subject, "ok", "healthy")
            else:
                yield Finding(subject, "warning", "not healthy now", "look at the service's own log")


def examine_server(api_url: str) -> Iterator[Finding]:
    """Given the Prefect API's address, yield whether server, work pool and workers are there."""
    if not api_url:
        yield Finding("Prefect server", "problem", "no address is known", "set PREFECT_API_URL")
        return
    try:
        if _ask(api_url, "/health") is not True:
            raise ValueError("what answers there is no Prefect server")
        yield Finding("Prefect server", "ok", api_url)
        pool = _ask(api_url, f"/work_pools/{WORK_POOL}")
        if pool is None:
            yield Finding(f"work pool {WORK_POOL}", "problem", "is not on the server", "run `pulih apply`")
            return
        workers = _ask(api_url, f"/work_pools/{WORK_POOL}/workers/filter", {}) or []
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        mend = "start the server, or correct PREFECT_API_URL (it ends in /api)"
        yield Finding("Prefect server", "problem", f"{api_url}: {reason}", mend)
        return
    if pool["is_paused"]:
        yield Finding(f"work pool {WORK_POOL}", "problem", "is paused", "resume it in the Prefect UI")
    online = [worker["name"] for worker in workers if worker["status"] == "ONLINE"]
    if online:
        yield Finding("worker", "ok", f"{len(online)} online")
    else:
        yield Finding("worker", "problem", "none is online", f"start one: prefect worker start --pool {WORK_POOL}")


def _ask(api_url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return the JSON that the server answers, None when there is no such thing.

    Raises OSError, ValueError and HTTPException: what urllib raises when there is no server or another one.
    """
    if not api_url.startswith(("http://", "https://")):
        raise ValueError("the address does not begin with http:// or https://")
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(api_url.rstrip("/") + path, data=data, headers=headers)  # noqa: S310 — checked
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 — checked
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def _today() -> str:
    return calendar.to_date(datetime.now(UTC)).isoformat()


def _try(subject: str, look: Callable[[], Any], good: str) -> Finding:
    try:
        look()
    except PulihError as error:
        return Finding(subject, "problem", error.message, error.hint)
    return Finding(subject, "ok", good)
