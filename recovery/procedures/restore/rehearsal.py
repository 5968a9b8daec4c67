"""The rehearsal: everything a restore does, except making the new data live. The service keeps running meanwhile."""

import io
import logging
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from recovery.copies import read_a_good_copy
from recovery.errors import SourceError, StoreFullError, SwapError, VerificationError, VerificationFailedError
from recovery.installation import Installation
from recovery.points import reached
from recovery.procedures.backup.b2_verify import judge_copy
from recovery.procedures.restore.inventoried import missing_of
from recovery.procedures.working import PATIENCE_SECONDS, work_on
from recovery.progress import Proof, Tell, to_nobody
from recovery.quality.page import check_title
from recovery.quality.verdict import Verdict
from recovery.records import journal
from recovery.sets import BackupSet, open_set, set_prefix
from recovery.sources.base import Fingerprint, Source
from recovery.stores.base import Store

logger = logging.getLogger(__name__)

# Free space demanded beyond the copy itself: journals and logs go on growing while the copy is loaded.
SPACE_MARGIN = 1.1


def rehearse(
    installation: Installation, procedure_id: str, plan: dict[str, dict[str, Any]], tell: Tell = to_nobody
) -> dict[str, Any]:
    """Given a plan, load and judge a copy of every component beside the live one.

    Fetch, check signature and digests, decrypt, load, measure, judge. Returns per component the copy's name, verdict
    and totals, and what the live data holds now. Raises on the first thing that is not as promised; copies made by
    this rehearsal are removed then. `tell` is told how far each proof is.
    """
    rehearsed: dict[str, Any] = {}
    with work_on(installation, list(plan), procedure_id, "rehearse a restore", patience=PATIENCE_SECONDS):
        try:
            for component, chosen in plan.items():
                rehearsed[component] = _rehearse_component(installation, procedure_id, component, chosen, tell)
        except BaseException:
            # Copies are useless once one of them failed: all components go live together or none.
            for component in plan:
                discard_rehearsed(installation, procedure_id, component)
            raise
    return rehearsed


def discard_rehearsed(installation: Installation, procedure_id: str, component: str) -> None:
    """Remove the copy that this procedure loaded beside a component's live data.

    After a swap the same name holds the old data: what the journal and the file system do not both say to be the
    rehearsed copy is left alone. Nor can one be looked for whose component left the inventory: the guard removes it
    when the entry is back and the restore closed.
    """
    if missing_of(installation, component.partition("/")[0], [component]):
        logger.warning("%s is not in the inventory: a rehearsed copy beside its data stays", component)
        return
    source = installation.source(component)
    with installation.catalog.read() as connection:
        entries = {entry.component: entry for entry in journal.entries(connection, procedure_id)}
    entry = entries.get(component)
    if entry is None or (entry.state == "undone" and source.live_is(entry.receipt) == "old"):
        source.discard(source.beside(copy_label(procedure_id)))


def space_needed(totals: dict[str, int]) -> int:
    """Given the totals of a backup's fingerprint, return the bytes that must be free beside the live data."""
    return int(totals["bytes"] * SPACE_MARGIN)


def copy_label(procedure_id: str) -> str:
    """Given a procedure, return the label of the copies that it makes beside live data."""
    return procedure_id.replace("-", "")[:12]


def _rehearse_component(
    installation: Installation, procedure_id: str, component: str, chosen: dict[str, Any], tell: Tell
) -> dict[str, Any]:
    application, settings = installation.component(component)
    source = installation.source(component)
    begun = time.monotonic()
    logger.info("rehearsing %s from %s", component, chosen["name"])
    copy = source.beside(copy_label(procedure_id))
    proof = Proof(component, source.kind, tell)

    def load_from(store: Store) -> BackupSet:
        backup_set = open_set(
            store,
            set_prefix(chosen["unit"], application.name, chosen["name"]),
            installation.signer.trusted_pem,
            application=application.name,
            component=settings.name,
            manifest_sha256=chosen["manifest_sha256"],
        )
        # Half a copy of a killed try, or what was loaded from another store's copy until that turned out to be bad:
        # before the space is measured, which it would take from its own successor.
        discard_rehearsed(installation, procedure_id, component)
        _require_space(source, component, Fingerprint.from_json(backup_set.manifest.fingerprint))
        identity = installation.operations_identity(backup_set.manifest.recipients)
        outside = io.BytesIO()
        if any(part.role == "globals" for part in backup_set.manifest.parts):
            backup_set.restore("globals", identity, outside.write)
        with source.load(copy, outside.getvalue()) as load:
            size = backup_set.manifest.part("data").plain_size
            backup_set.restore("data", identity, proof.counted(load.write, size))
            load.finish()
        return backup_set

    backup_set, store_name = read_a_good_copy(
        installation, chosen["stores"], load_from, name=chosen["name"], procedure_id=procedure_id, component=component
    )
    expected = Fingerprint.from_json(backup_set.manifest.fingerprint)
    reached("rehearsal: copy loaded")
    with (
        tempfile.TemporaryDirectory(dir=installation.scratch(procedure_id, component)) as directory,
        closing(source),  # what leads to a server on another machine is needed as long as the judge works
    ):
        moment = backup_set.manifest.moment
        verdict = judge_copy(source, copy, expected, settings.suite, moment, Path(directory), proof.measured)
    reached("rehearsal: copy judged")
    if verdict.state != "pass":
        raise _refusal(component, chosen["name"], verdict)
    for check in verdict.checks:
        if check.counts_as == "warning":
            logger.warning("rehearsing %s: %s, %s: %s", component, check_title(check), check.object, check.message)
    _require_no_ties(source, component)
    return {
        "copy": copy,
        "name": chosen["name"],
        "store": store_name,
        "manifest_sha256": chosen["manifest_sha256"],
        "data_sha256": backup_set.manifest.part("data").plain_sha256,
        "verdict": verdict.state,
        "checks": verdict.counts,
        "totals": expected.totals,
        "live": _live_totals(source),
        "milliseconds": round((time.monotonic() - begun) * 1000),
    }


def _require_space(source: Source, component: str, expected: Fingerprint) -> None:
    needed = space_needed(expected.totals)
    free = source.free_space()
    if free < needed:
        raise StoreFullError(
            f"the copy of {component} needs {needed} bytes beside the live data and {free} are free",
            state="the live data is untouched and the service is running",
            hint="make room on that file system and retry the run; the newest safety copies are not the place to begin",
        )


def _require_no_ties(source: Source, component: str) -> None:
    """The swap looks again; but by then the service is down, for nothing."""
    ties = source.ties()
    if ties:
        raise SwapError(
            f"the copy of {component} could not go live: {'; '.join(ties)}",
            state="the live data is untouched and the service was never stopped",
            hint="drop it, or end it, and retry the run",
        )


def _live_totals(source: Source) -> dict[str, Any]:
    """What the live data holds now, for the executor's screen. That it cannot be read is itself the answer."""
    try:
        return {"totals": source.fingerprint().totals}
    except SourceError as error:
        return {"unreadable": error.message}


def _refusal(component: str, name: str, verdict: Verdict) -> VerificationFailedError | VerificationError:
    message = f"the rehearsal of {component} from {name} ended with the verdict {verdict.state} ({verdict.worst()})"
    hint = "choose another recovery point in a new request"
    untouched = "the live data is untouched and the service was never stopped"
    if verdict.state == "fail":
        return VerificationFailedError(message, state=untouched, hint=hint)
    return VerificationError(message, state=untouched, hint=hint)
