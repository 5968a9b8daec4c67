"""Whether one procedure was done as the SOP says: each step with its evidence, in time, decided by whom it must be."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from recovery import calendar, sop
from recovery.conformance_ledger import LedgerOfProcedure, judge_chain
from recovery.errors import ApprovalError, ConfigurationError, ProcedureError
from recovery.installation import Installation
from recovery.procedures.file_digest import sha256_of_file
from recovery.procedures.schedule_approval import recorded_approval
from recovery.records import approvals, backups, drills, forms, officials, procedures, schema, steps
from recovery.records.approval_requests import request_by_id
from recovery.records.decisions import Decision
from recovery.records.procedures import GIVEN_UP, INTERRUPTED, UNACKNOWLEDGED, Procedure
from recovery.records.steps import StepRow

CONFORMANT = "sesuai"
NOT_CONFORMANT = "tidak sesuai"

# Which version of which form a step issues.
FORMS: dict[str, tuple[str, int]] = {
    "backup.5": ("backup", 1),
    "backup.6": ("backup", 2),
    "restore.1": ("restore_request", 1),
    "restore.2": ("restore_request", 2),
    "restore.3": ("restore_request", 3),
    "restore.7": ("restore", 1),
    "restore.8": ("restore", 2),
}
_OTHERS = {"schedule": "the approval of a schedule", "drill": "a drill"}
# Decisions with which a restore rightly ends, and the last step of the SOP that was done then.
_ENDINGS = {("restore.2", "dikembalikan"), ("restore.3", "ditolak"), (sop.EXECUTOR_START, "batalkan")}


@dataclass(frozen=True)
class JudgedStep:
    """A step of the register in this procedure.

    `state`: "done", "failed", "open", "missing" (nobody began it), or "not required" after a decision that ended the
    procedure. `by` is the NIP of who decided or answers for it; `evidence` names the recorded facts; `in_time` is None
    for a step that was not done.
    """

    step_id: str
    title: str
    component: str
    state: str
    by: str
    name: str
    at: str
    deadline: str
    in_time: bool | None
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """The whole procedure: `reasons` is empty exactly when the verdict is "sesuai"."""

    procedure: str
    kind: str
    subject: str
    verdict: str
    reasons: tuple[str, ...]
    steps: tuple[JudgedStep, ...]
    forms: tuple[str, ...]
    schedule: dict[str, Any] | None
    drills: tuple[dict[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def judge_procedure(installation: Installation, name: str) -> Judgement:
    """Given a procedure's id or the number of its form, judge it by the register, the ledger, the forms and decisions.

    Raises NotFoundError, ProcedureError for what is no procedure of the SOP, KeyMissingError without the enrolment
    key, by which decisions are known to be the worker's, and StoreError when no store can be asked for the ledger's
    head.
    """
    with installation.catalog.read() as connection:
        procedure = procedures.find(connection, name) or procedures.by_form(connection, name)
        procedure = procedure or procedures.get(connection, name)
        if not sop.steps_of(procedure.kind):
            raise ProcedureError(
                f"{name} is no procedure of the SOP but {_OTHERS.get(procedure.kind, procedure.kind)}",
                state="nothing was judged",
                hint="`pulih show` shows it; `pulih conformance` judges backups and restores",
            )
        judge = _Judge(installation, connection, procedure)
        judged = judge.judge_steps()
        judge.judge_ending()
        judge.judge_ledger()
        schedule = judge.judge_schedule()
        papers = forms.list_forms(connection, procedure.id)
        drilled = judge.list_drills()
    return Judgement(
        procedure.id,
        procedure.kind,
        procedure.application or procedure.schedule,
        NOT_CONFORMANT if judge.reasons else CONFORMANT,
        tuple(dict.fromkeys(judge.reasons)),
        tuple(judged),
        tuple(dict.fromkeys(form.number for form in papers)),
        schedule,
        drilled,
    )


class _Judge:
    """Looks at one procedure and gathers the reasons why it is not conformant."""

    def __init__(self, installation: Installation, connection: Connection, procedure: Procedure) -> None:
        self.reasons: list[str] = []
        self._installation, self._connection, self._procedure = installation, connection, procedure
        self._rows = {(row.step_id, row.component): row for row in steps.list_steps(connection, procedure.id)}
        self._ledger = LedgerOfProcedure(connection, procedure.id)
        self._names = {official.nip: official.name for official in officials.list_all(connection)}

    def judge_steps(self) -> list[JudgedStep]:
        """Judge every step of the register, in its order."""
        judged = []
        ended = False
        for entry in sop.steps_of(self._procedure.kind):
            if entry.id == "restore.4" and not ended:
                start = self._decision(sop.EXECUTOR_START)
                ended = self._ends(sop.EXECUTOR_START, start)
            if ended:
                judged.append(JudgedStep(entry.id, entry.title, "", "not required", "", "", "", "", None, ()))
                continue
            components = self._procedure.parameters["components"] if entry.per_component else [""]
            judged += [self._step(entry, component) for component in components]
            ended = entry.approval and self._ends(entry.id, self._decision(entry.id))
        return judged

    def judge_ending(self) -> None:
        """Judge how the procedure ended."""
        if self._procedure.state != "closed":
            self.reasons.append("the procedure is not finished")
        elif self._procedure.outcome in (GIVEN_UP, INTERRUPTED, UNACKNOWLEDGED):
            self.reasons.append("an administrator closed the procedure before its end")

    def judge_ledger(self) -> None:
        """Judge whether the ledger is whole, and has what happened here."""
        found = judge_chain(self._installation, self._connection, anchored=self._procedure.state == "closed")
        self.reasons += [f"ledger: {finding}" for finding in found]
        self.reasons += self._ledger.judge_procedure(self._procedure)

    def judge_schedule(self) -> dict[str, Any] | None:
        """Judge whether the schedule was an approved document when the backup was opened."""
        if self._procedure.kind != "backup":
            return None
        approval = recorded_approval(self._procedure)
        if not approval.approved:
            self.reasons.append(f"its schedule was no approved document when it began ({approval.state})")
        return approval.to_json()

    def list_drills(self) -> tuple[dict[str, str], ...]:
        """The drills of the backups that this procedure made; the SOP asks for none, so they judge nothing here."""
        made = {backup.id: backup for backup in backups.list_of_procedure(self._connection, self._procedure.id)}
        return tuple(
            {
                "component": each.component,
                "name": each.name,
                "store": each.store,
                "verdict": each.verdict,
                "at": each.ended_at,
            }
            for key in sorted({backup.key for backup in made.values()})
            for each in drills.of_component(self._connection, key)
            if each.backup_id in made
        )

    def _step(self, entry: sop.Step, component: str) -> JudgedStep:
        row = self._rows.get((entry.id, component))
        subject = entry.title + (f" [{component}]" if component else "")
        if row is None:
            self.reasons.append(f"{subject}: was not begun")
            return JudgedStep(entry.id, entry.title, component, "missing", "", "", "", "", None, ())
        by = self._answers_for(entry)
        until = row.deadline or schema.timestamp(
            calendar.deadline(row.opened_at, self._installation.office.working_days)
        )
        evidence = row.evidence or {}
        in_time = None
        if row.state != "done":
            self.reasons.append(f"{subject}: is {row.state}" + (f" ({row.error})" if row.error else ""))
        else:
            in_time = str(row.ended_at) <= until
            self._done(entry, row, evidence, subject, until, in_time)
        return JudgedStep(
            entry.id,
            entry.title,
            component,
            row.state,
            by,
            self._names.get(by, ""),
            row.ended_at or "",
            until,
            in_time,
            tuple(sorted(evidence)),
        )

    def _done(
        self, entry: sop.Step, row: StepRow, evidence: dict[str, Any], subject: str, until: str, in_time: bool
    ) -> None:
        lacking = [name for name in entry.evidence if evidence.get(name) is None]
        if lacking:
            self.reasons.append(f"{subject}: its evidence lacks {', '.join(lacking)}")
        if not in_time:
            at, limit = calendar.format_moment(row.ended_at), calendar.format_moment(until)
            self.reasons.append(f"{subject}: was done {at}, after the SOP's {entry.time_standard} ended {limit}")
        self.reasons += [f"{subject}: {reason}" for reason in self._ledger.judge_step(row)]
        if entry.approval:
            self._judge_decision(entry.id, evidence, subject)
        if entry.id in FORMS:
            self._judge_form(entry.id, subject)

    def _judge_decision(self, step_id: str, evidence: dict[str, Any], subject: str) -> None:
        decision = self._decision(step_id)
        if decision is None:
            return  # said by whoever asked for it
        if (evidence.get("decision"), evidence.get("official")) != (decision.decision, decision.nip):
            self.reasons.append(f"{subject}: the evidence names another decision than the one that was given")

    def _decision(self, step_id: str) -> Decision | None:
        """The decision on a step when it holds; else the reason is noted."""
        key = self._installation.enrolment_key()
        title = sop.title_of(step_id)
        try:
            decision = approvals.sealed_decision_of(self._connection, self._procedure.id, step_id, key)
            if decision is None:
                self.reasons.append(f"{title}: nobody has decided")
                return None
            request = request_by_id(self._connection, decision.request_id)
            if decision.decision not in request.question.refusals:
                approvals.still_valid(
                    self._connection,
                    self._procedure.id,
                    step_id,
                    decision.binding,
                    key,
                    now=datetime.fromisoformat(decision.submitted_at),
                )
        except ApprovalError as error:
            self.reasons.append(f"{title}: {error.message}")
            return None
        if decision.nip in request.question.excluded:  # pragma: no cover - refused when given, and sealed since
            self.reasons.append(f"{title}: {decision.nip} must not decide it (separation of duties)")
        return decision

    def _ends(self, step_id: str, decision: Decision | None) -> bool:
        return decision is not None and (step_id, decision.decision) in _ENDINGS

    def _answers_for(self, entry: sop.Step) -> str:
        """The NIP of who decided the step; of who answers for what Pulih did in it; "" while nobody does."""
        parameters = self._procedure.parameters
        if entry.approval:
            decision = approvals.decision_of(self._connection, self._procedure.id, entry.id)
            return decision.nip if decision else ""
        if self._procedure.kind == "backup":
            return str(parameters["schedule"]["executor"])
        if entry.role == "pemohon":
            return str(parameters["request"]["nip_pemohon"])
        start = approvals.decision_of(self._connection, self._procedure.id, sop.EXECUTOR_START)
        return start.nip if start else ""

    def _judge_form(self, step_id: str, subject: str) -> None:
        kind, version = FORMS[step_id]
        form = forms.find_version(self._connection, kind, self._procedure.id, version)
        if form is None:
            self.reasons.append(f"{subject}: version {version} of its form was not issued")
            return
        named = f"the form {form.number} version {version}"
        if not self._ledger.has_form(form):
            self.reasons.append(f"{subject}: {named} is not the one that the ledger has")
        try:
            same = sha256_of_file(Path(form.path)) == form.pdf_sha256
        except ConfigurationError as error:
            self.reasons.append(f"{subject}: {named}: {error.message}")
            return
        if not same:
            self.reasons.append(f"{subject}: {named} was changed since it was issued")
