"""Step 2: "Memastikan proses back up berhasil dilakukan"."""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from recovery.crypto import read_identity
from recovery.errors import (
    DigestError,
    ProcedureError,
    PulihError,
    SourceCorruptError,
    VerificationError,
    VerificationFailedError,
)
from recovery.installation import Installation, remove_tree
from recovery.points import reached
from recovery.procedures.backup.b1_back_up import GLOBALS, RUN_IDENTITY
from recovery.progress import Proof, Tell, to_nobody
from recovery.proofs import open_proof, proof_copy
from recovery.quality.verdict import Check, Verdict
from recovery.records import backups
from recovery.records.steps import StepResult
from recovery.sources.base import Fingerprint, Measured, Source
from recovery.stream import PartDigests, decrypt

logger = logging.getLogger(__name__)


def verify(
    installation: Installation,
    procedure_id: str,
    component: str,
    report: Callable[[Verdict], None] = lambda verdict: None,
    tell: Tell = to_nobody,
) -> StepResult:
    """Given a dumped component, restore the staged bytes into a scratch copy and judge that copy.

    The copy's fingerprint, taken by the same code as the dump's, must equal it; Great Expectations judges structure,
    counts, fingerprints and the owner's own suite. `report` gets the verdict, good or bad, for people to read, and
    `tell` how far the proof is.
    Raises VerificationFailedError (the backup is bad) or VerificationError (the checker could not look).
    """
    backup = _staged(installation, procedure_id, component)
    staging = Path(backup.staging)
    directory = installation.scratch(procedure_id, component)
    try:
        verdict = judge_staged(installation, component, backup.facts, staging, directory, backup.moment, tell)
    except PulihError as error:
        _record_unproven(installation, backup.id, error)
        raise
    finally:
        # Plain data must not outlive the proof.
        remove_tree(directory)
    reached("backup.2: scratch removed")
    report(verdict)
    if verdict.state != "pass":
        with installation.catalog.begin() as connection:
            backups.mark_failed(connection, backup.id, verdict.state, {"quality": verdict.to_json()})
        raise _refusal(component, verdict)
    logger.info("verified %s: %s checks passed", component, len(verdict.checks))
    return StepResult(
        evidence={
            "backup_id": backup.id,
            "verdict": verdict.state,
            "checks": verdict.counts,
            "judged_at": verdict.judged_at,
        },
        changes=[lambda connection: backups.mark_verified(connection, backup.id, {"quality": verdict.to_json()})],
    )


def judge_staged(
    installation: Installation,
    component: str,
    facts: dict[str, Any],
    staging: Path,
    directory: Path,
    moment: str,
    tell: Tell = to_nobody,
) -> Verdict:
    """Given staged bytes and what was recorded of their dump, load them in scratch and return the verdict."""
    _application, settings = installation.component(component)
    with _StagedFile(staging / RUN_IDENTITY) as secret:
        identity = read_identity(secret.readall(), "of this run")
    expected = Fingerprint.from_json(facts["fingerprint"])
    with closing(open_proof(installation, component, directory)) as scratch:
        copy = proof_copy(scratch)
        proof = Proof(component, scratch.kind, tell)
        with (
            scratch.load(copy, _globals(staging, facts, identity)) as load,
            _StagedFile(staging / facts["file"]) as staged,
        ):
            digests = PartDigests(**facts["digests"])
            decrypt(staged.readinto, proof.counted(load.write, digests.plain_size), identity, digests)
            load.finish()
        return judge_copy(scratch, copy, expected, settings.suite, moment, directory, proof.measured)


def _globals(staging: Path, facts: dict[str, Any], identity: Any) -> bytes:
    if not facts.get("globals"):
        return b""
    content = io.BytesIO()
    with _StagedFile(staging / GLOBALS) as staged:
        decrypt(staged.readinto, content.write, identity, PartDigests(**facts["globals"]))
    return content.getvalue()


class _StagedFile(io.FileIO):
    """What step 1 staged, while it is read. Raises VerificationError for whatever the system does not give back."""

    def __init__(self, path: Path) -> None:
        with _readable(path):
            super().__init__(path)

    def readinto(self, buffer: Any, /) -> int:
        with _readable(self.name):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with _readable(self.name):
            return super().readall()


@contextmanager
def _readable(path: Any) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VerificationError(
            f"what step 1 staged cannot be read: {path} ({error.strerror})",
            state="nothing is known about this backup, so it was not stored; earlier backups are untouched",
            hint="let the worker's account read it, look at its disk, and Retry the run; when it is gone or its disk "
            "is broken, start a backup with 'Mengulang'",
        ) from error


def judge_copy(
    source: Source,
    copy: str,
    expected: Fingerprint,
    suite: str,
    moment: str,
    directory: Path,
    measured: Measured = lambda done, total: None,
) -> Verdict:
    """Given a loaded copy, let its engine check it, measure it with the source's own code, and let
    Great Expectations judge it. A copy too damaged to be measured is a bad one: the verdict is `fail`."""
    from recovery.quality.judge import judge

    url = source.judge_url(copy, directory)
    try:
        measured(0, len(expected.objects))
        found, findings = source.fingerprint(copy, measured), source.check(copy)
        measured(len(found.objects), len(found.objects))
    except SourceCorruptError as error:
        found, findings = Fingerprint(source.kind, {}, {}, {}), [error.message]
    verdict = judge(
        url,
        expected,
        found,
        suite=Path(suite) if suite else None,
        moment=datetime.fromisoformat(moment),
    )
    unsound = [
        Check("integrity", source.kind, "fail", message=f"Pemeriksaan mesin basis data: {finding}")
        for finding in findings
    ]
    return Verdict.of([*verdict.checks, *unsound], verdict.engines, verdict.judged_at) if unsound else verdict


def _record_unproven(installation: Installation, backup_id: str, error: PulihError) -> None:
    """Record a backup that could not be loaded: as bad when its bytes are, otherwise as not judged: a retry may do."""
    bad = isinstance(error, DigestError | SourceCorruptError)
    with installation.catalog.begin() as connection:
        backups.mark_failed(connection, backup_id, "fail" if bad else "error", {})


def _staged(installation: Installation, procedure_id: str, component: str) -> backups.Backup:
    with installation.catalog.read() as connection:
        backup = backups.of_procedure(connection, procedure_id, component)
    if backup is None:
        raise ProcedureError(
            f"{component} has no dump to verify", state="nothing was verified", hint="retry the run: step 1 comes first"
        )
    return backup


def _refusal(component: str, verdict: Verdict) -> VerificationFailedError | VerificationError:
    if verdict.state == "fail":
        return VerificationFailedError(
            f"the backup of {component} is bad ({verdict.worst()})",
            state="it got no name and was not stored; earlier backups are untouched",
            hint="read the verdict on the Artifacts page, mend the cause and start a backup with 'Mengulang'",
        )
    return VerificationError(
        f"the backup of {component} could not be judged ({verdict.worst()})",
        state="nothing is known about it, so it was not stored; earlier backups are untouched",
        hint="mend what kept the checker from looking and start a backup with 'Mengulang'",
    )
