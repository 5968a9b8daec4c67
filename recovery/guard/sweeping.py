"""Removing what procedures that died left behind. Never a safety copy, nor what may still be of use."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recovery.errors import ConfigurationError, PulihError
from recovery.guard.report import Action, Alarm, Report
from recovery.installation import Installation, remove_tree
from recovery.procedures.restore.rehearsal import copy_label, discard_rehearsed
from recovery.proofs import sweep_proofs
from recovery.records import journal, leases, procedures, steps
from recovery.records.procedures import Procedure
from recovery.sources.base import Source

SWEPT = "guard.swept"
# What is younger than this may belong to work that goes on, whatever the records say.
ABANDONED_AFTER = timedelta(days=1)


def sweep(installation: Installation, now: datetime, report: Report) -> None:
    """Sweep scratch, staging, copies on scratch servers and beside live data, and the stores' temporary files."""
    with installation.catalog.read() as connection:
        known = {procedure.id: procedure for procedure in procedures.list_all(connection)}
        working = {lease["holder"] for lease in leases.list_leases(connection) if not lease["expired"]}
    for kind in ("scratch", "staging"):
        for directory in _directories(installation.state_directory / kind):
            procedure = known.get(directory.name)
            if directory.name not in working and _is_abandoned(installation, kind, directory, procedure, now):
                _remove(installation, kind, directory, procedure, report)
    _sweep_proofs(installation, report)
    _sweep_copies(installation, list(known.values()), report)
    for name in sorted(installation.stores):
        _sweep_store(installation, name, report)


def _directories(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink())


def _is_abandoned(
    installation: Installation, kind: str, directory: Path, procedure: Procedure | None, now: datetime
) -> bool:
    if procedure is not None and procedure.state == "closed":
        return True
    if procedure is not None and datetime.fromisoformat(procedure.opened_at) > now - ABANDONED_AFTER:
        return False
    if kind == "staging" and procedure is not None:
        # Steps 1 to 4 go on from what is staged, however late somebody retries them, until the form stands.
        with installation.catalog.read() as connection:
            return steps.evidence_of(connection, procedure.id, "backup.5") is not None
    changed = _last_change(directory)
    return changed is not None and changed < now - ABANDONED_AFTER


def _last_change(directory: Path) -> datetime | None:
    """When something was last put in, going by the two levels that are ours; None when nothing is in there.

    What lies deeper is restored data, which has the times of that data. Empty directories of components are left by
    steps that ended well; nothing is abandoned in them.
    """
    inner = [path for outer in _directories(directory) for path in outer.iterdir()]
    if not inner:
        return None
    return datetime.fromtimestamp(max(path.lstat().st_ctime for path in inner), UTC)


def _remove(
    installation: Installation, kind: str, directory: Path, procedure: Procedure | None, report: Report
) -> None:
    try:
        remove_tree(directory)
    except ConfigurationError as error:
        message = f"{error.message}; it may hold plain data"
        report.alarm(Alarm("sweep", kind, message, "remove it by hand, as the account that owns it"))
        return
    procedure_id = procedure.id if procedure else ""
    facts = {"kind": kind, "name": directory.name}
    action = Action(SWEPT, f"removed the abandoned {kind} of {directory.name}", procedure_id, facts=facts)
    report.did(installation.catalog, action)


def _sweep_proofs(installation: Installation, report: Report) -> None:
    for application in installation.applications.values():
        for component in application.components:
            key = f"{application.name}/{component.name}"
            if component.scratch_server is None:
                continue
            try:
                removed = sweep_proofs(installation, key)
            except PulihError as error:
                report.trouble("sweep", key, error)
                continue
            for name in removed:
                message = f"removed the copy {name} that a dead proof left on {component.scratch_server.server}"
                facts = {"kind": "proof", "name": name}
                report.did(installation.catalog, Action(SWEPT, message, component=key, facts=facts))


def _sweep_copies(installation: Installation, known: list[Procedure], report: Report) -> None:
    """Remove rehearsed copies of restores that ended without making them live."""
    by_application: dict[str, list[Procedure]] = defaultdict(list)
    for procedure in known:
        if procedure.kind == "restore":
            by_application[procedure.application].append(procedure)
    for name, restores in sorted(by_application.items()):
        application = installation.applications.get(name)
        # Nothing to look for, so the application's host is not asked.
        if application is None or all(restore.state == "open" for restore in restores):
            continue
        for component in application.components:
            key = f"{name}/{component.name}"
            try:
                _sweep_copies_of(installation, key, restores, report)
            except PulihError as error:
                report.trouble("sweep", key, error)


def _sweep_copies_of(installation: Installation, key: str, restores: list[Procedure], report: Report) -> None:
    source = installation.source(key)
    owners: dict[str, list[Procedure]] = defaultdict(list)
    for restore in restores:
        owners[source.beside(copy_label(restore.id))].append(restore)
    for copy in source.copies():
        # A copy whose name fits two restores, or none, is nobody's to remove.
        if len(owners[copy]) != 1:
            continue
        (restore,) = owners[copy]
        if restore.state == "closed" and not _is_held(installation, key) and _was_not_kept(installation, restore, key):
            _discard(installation, source, restore, key, copy, report)


def _discard(
    installation: Installation, source: Source, restore: Procedure, key: str, copy: str, report: Report
) -> None:
    discard_rehearsed(installation, restore.id, key)
    if copy in source.copies():
        # The file system does not say the same as the journal.
        message = f"{copy} was left by the closed restore {restore.id} and is not clearly the rehearsed data"
        report.alarm(Alarm("sweep", key, message, "look at it and at the live data before anything else"))
        return
    facts = {"kind": "copy", "name": copy}
    action = Action(SWEPT, f"removed the rehearsed copy {copy}, which never went live", restore.id, key, facts)
    report.did(installation.catalog, action)


def _was_not_kept(installation: Installation, restore: Procedure, key: str) -> bool:
    with installation.catalog.read() as connection:
        states = [entry.state for entry in journal.entries(connection, restore.id) if entry.component == key]
    return states in ([], ["undone"])


def _is_held(installation: Installation, key: str) -> bool:
    with installation.catalog.read() as connection:
        held = {lease["resource"] for lease in leases.list_leases(connection) if not lease["expired"]}
    return f"component:{key}" in held


def _sweep_store(installation: Installation, name: str, report: Report) -> None:
    try:
        removed = installation.store(name).sweep(ABANDONED_AFTER.total_seconds())
    except PulihError as error:
        report.trouble("store", name, error)
        return
    if removed:
        facts = {"kind": "store", "store": name, "names": removed}
        message = f"removed {len(removed)} unfinished objects from the store {name}"
        report.did(installation.catalog, Action(SWEPT, message, facts=facts))
