"""Applications: whether each component can be dumped and has room for a restore, and whether services are well."""

from collections.abc import Iterator

from recovery.calendar import format_bytes
from recovery.doctor.finding import Finding
from recovery.errors import PulihError
from recovery.installation import Installation
from recovery.proofs import require_apart
from recovery.records import backups
from recovery.records.backups import Backup
from recovery.settings import ApplicationSettings


def examine_applications(installation: Installation) -> Iterator[Finding]:
    """Yield what is to be said about every component and service."""
    for application in installation.applications.values():
        for component in application.components:
            yield from _source(installation, f"{application.name}/{component.name}")
    for application in installation.applications.values():
        yield from _services(installation, application)
    # Of files, quiet is proven by nobody having them open; a database server knows its sessions.
    with_files = {
        application.host: application
        for application in installation.applications.values()
        if any(component.kind in ("sqlite", "files") for component in application.components)
    }
    for application in with_files.values():
        yield from _processes(installation, application)


def _processes(installation: Installation, application: ApplicationSettings) -> Iterator[Finding]:
    subject = f"processes on {application.host}"
    try:
        found = installation.host_of(application).call("system", "holders")
    except PulihError as error:
        yield Finding(subject, "problem", error.message, error.hint)
        return
    unseen = found["unreadable"]
    # A lone one that even root may not look into (the first process of some containers) is no news: the form says so.
    if unseen <= found["processes"]:
        yield Finding(subject, "ok", "can be looked into")
        return
    yield Finding(
        subject,
        "warning",
        f"this account cannot look into {unseen} of them: a restore could not prove that none has its files open",
        "see 'An account without root's rights' in docs/services.md",
    )


def _source(installation: Installation, key: str) -> Iterator[Finding]:
    subject = f"component {key}"
    try:
        require_apart(installation, key)
        source = installation.source(key)
        warnings = source.preflight()
    except PulihError as error:
        yield Finding(subject, "problem", error.message, error.hint)
        return
    yield Finding(subject, "ok", "can be backed up")
    for warning in warnings:
        yield Finding(subject, "warning", warning, "see whether the application's owner knows")
    try:
        for tie in source.ties():
            yield Finding(
                subject, "warning", f"a restore would be refused: {tie}", "drop it or end it before a restore"
            )
        newest = _newest(installation, key)
        for message, mend in source.unloadable(newest.facts) if newest else []:
            yield Finding(subject, "warning", message, mend)
        free = source.free_space()
    except PulihError as error:
        # Only a restore asks for it.
        yield Finding(subject, "warning", error.message, error.hint)
        return
    needed = _needed(newest)
    if free < needed:
        message = f"a restore needs {format_bytes(needed)} beside the live data, and {format_bytes(free)} are free"
        yield Finding(subject, "warning", message, "make room on that file system")


def _needed(newest: Backup | None) -> int:
    # Here, because it brings what judges copies.
    from recovery.procedures.restore.rehearsal import space_needed

    return space_needed(newest.facts["fingerprint"]["totals"]) if newest else 0


def _newest(installation: Installation, key: str) -> Backup | None:
    application, _, component = key.partition("/")
    try:
        with installation.catalog.read() as connection:
            return backups.newest_verified(connection, application, component)
    except PulihError:
        return None  # said by the look at the catalog


def _services(installation: Installation, application: ApplicationSettings) -> Iterator[Finding]:
    subject = f"services of {application.name}"
    if not application.services:
        yield Finding(subject, "warning", "none is configured", "a restore could not prove quiet")
        return
    try:
        opened = installation.services(application.name)
    except PulihError as error:
        yield Finding(subject, "problem", error.message, error.hint)
        return
    for service in opened:
        subject = f"service {application.name}/{service.name}"
        try:
            service.preflight()
            healthy = service.healthy()
        except PulihError as error:
            yield Finding(subject, "problem", error.message, error.hint)
            continue
        if healthy:
            yield Finding(subject, "ok", "healthy")
        else:
            yield Finding(subject, "warning", "not healthy now", "look at the service's own log")
