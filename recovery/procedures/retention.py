"""Destroying sets whose retention is over: the plan, its Berita Acara, the removal after the approval, and the end."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.errors import ApprovalError, LeaseHeldError, ProcedureError
from recovery.installation import RELEASE, Installation
from recovery.points import reached
from recovery.procedures.conclude import Conclusion, close
from recovery.procedures.decided import decision_recorded
from recovery.procedures.documents import issue_form
from recovery.procedures.retention_document import APPROVED, REJECTED
from recovery.records import destructions, forms, leases, procedures
from recovery.records.destructions import Destruction
from recovery.records.procedures import SUPERSEDED
from recovery.retention_destruction import RESOURCE, alone, carry_out, finish_begun
from recovery.retention_plan import draw_up
from recovery.sop import RETENTION_APPROVAL

# The kind of the procedure, and of its form.
KIND = "retention"
FORM: Literal["destruction"] = "destruction"


@dataclass(frozen=True)
class NotOpened:
    """Why a run has nothing to decide, with one Indonesian sentence for the dashboard.

    "nothing": nobody's retention is over. "busy": another run draws up or carries out a plan. "unfinished": nothing new
    is to go, but what was approved and begun earlier could not be ended, of which people must know.
    """

    why: Literal["nothing", "busy", "unfinished"]
    sentence: str


def begin_retention(installation: Installation, procedure_id: str, *, now: datetime | None = None) -> NotOpened | None:
    """Draw up what may be destroyed and open its procedure (again, after a suspend or retry).

    First what was approved, begun and interrupted earlier is finished, and a procedure of which only a part was carried
    out gets its final document and its end. A plan that waits for an answer is replaced.
    Returns None when there is something to decide; else, with nothing opened, why not.
    Raises ProcedureError when the clock is not to be believed, StoreError when a store cannot be looked at.
    """
    with installation.catalog.read() as connection:
        if procedures.find(connection, procedure_id) is not None:
            return None
    try:
        with alone(installation, procedure_id):
            return _begin(installation, procedure_id, now or datetime.now(UTC))
    except LeaseHeldError:
        return _busy(installation)


def draw_up_record(installation: Installation, procedure_id: str) -> forms.Form:
    """Issue the Berita Acara as a proposal, once. Raises ProcedureError when another plan took this one's place."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        drawn_up = forms.latest(connection, FORM, procedure_id)
    if drawn_up is None and procedure.state == "closed":
        raise ProcedureError(
            f"the retention {procedure_id} is closed",
            state="nothing was drawn up and nothing is destroyed",
            hint="a newer plan was drawn up; answer that one",
        )
    return issue_form(installation, procedure_id, FORM, version=1)


def destroy(installation: Installation, procedure_id: str, *, now: datetime | None = None) -> None:
    """Carry out what was decided, and issue the Berita Acara with the decision and what became of each set.

    A plan that another one replaced, or that was rejected, destroys nothing. What was done of one whose approval holds
    no more is put on record all the same, and what was begun is ended. Raises as `carry_out`.
    """
    decision = decision_recorded(installation, procedure_id, RETENTION_APPROVAL)
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        issued = forms.find_version(connection, FORM, procedure_id, 2)
    if procedure.state == "closed" or decision is None:
        return
    # What the final version says must stay true: what it calls unfinished is finished by the next procedure.
    if decision.decision == APPROVED and issued is None:
        try:
            carry_out(installation, procedure_id, now=now)
        except ApprovalError:
            if not _is_begun(installation, procedure_id):
                raise
            # At every Retry again. What is not begun yet is drawn up anew by the next procedure.
            with alone(installation, procedure_id):
                finish_begun(installation)
        reached("retention: carried out")
    issue_form(installation, procedure_id, FORM, version=2)


def conclude_retention(installation: Installation, procedure_id: str) -> Conclusion:
    """Close a decided destruction. It ended well when each set of an approved plan was come to, and nothing that was
    begun is left unfinished."""
    decision = decision_recorded(installation, procedure_id, RETENTION_APPROVAL)
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        form = forms.latest(connection, FORM, procedure_id)
        became = list(destructions.of_procedure(connection, procedure_id).values())
    if procedure.outcome == SUPERSEDED and not became:
        return Conclusion(True, "Keputusan ini tidak dipakai: rencana pemusnahan yang lebih baru sudah disusun.")
    if decision is None or form is None:
        raise ProcedureError(
            f"the retention {procedure_id} is not decided", state="it stays open", hint="answer the suspended run"
        )
    counts = {state: sum(each.state == state for each in became) for state in ("destroyed", "skipped", "begun")}
    if decision.decision == REJECTED:
        good, outcome, sentence = True, REJECTED, f"Pemusnahan ditolak: {decision.note}"
    else:
        untouched = len(procedure.parameters["plan"]["destroy"]) - len(became)
        # What the next procedure ends of it changes no outcome that is recorded.
        outcome = procedure.outcome or ("sebagian" if counts["begun"] or untouched else "berhasil")
        good = outcome == "berhasil"
        sentence = (
            f"{counts['destroyed']} cadangan dimusnahkan, {counts['skipped']} dilewati, "
            f"{counts['begun']} belum selesai"
            f"{f', {untouched} tidak dimusnahkan' if untouched else ''}. "
            f"Berita acara {form.number} versi {form.version}."
        )
    return close(installation, procedure_id, outcome, Conclusion(good, sentence))


def _busy(installation: Installation) -> NotOpened:
    with installation.catalog.read() as connection:
        # Nobody, when it was given back since.
        holders = [
            f"{_run(connection, each['holder'])}, sejak {format_moment(each['taken_at'])}"
            for each in leases.list_leases(connection)
            if each["resource"] == RESOURCE
        ]
    sentence = ": ".join(["Pemusnahan lain sedang berjalan", *holders])
    return NotOpened("busy", f"{sentence}. Eksekusi ini tidak menyusun dan tidak memusnahkan apa pun.")


def _run(connection: Connection, procedure_id: str) -> str:
    form = forms.latest(connection, FORM, procedure_id)
    return f"eksekusi {procedure_id}" if form is None else f"berita acara {form.number} (eksekusi {procedure_id})"


def _unfinished(installation: Installation, left: list[Destruction]) -> NotOpened:
    with installation.catalog.read() as connection:
        runs = sorted({_run(connection, each.procedure_id) for each in left})
    return NotOpened(
        "unfinished",
        f"{len(left)} cadangan yang pemusnahannya sudah disetujui dan dimulai belum musnah seluruhnya: "
        f"{'; '.join(runs)}. Selain itu tidak ada cadangan yang perlu dimusnahkan.",
    )


def _begin(installation: Installation, procedure_id: str, now: datetime) -> NotOpened | None:
    left = finish_begun(installation)
    _end_interrupted(installation)
    drawn_up = draw_up(installation, now)
    if drawn_up.plan.suspicion:
        raise ProcedureError(
            f"nothing is destroyed by this clock: {drawn_up.plan.suspicion}",
            state="every set is as it was",
            hint="set the clock right, see that backups succeed, then start the run again",
        )
    document = drawn_up.document
    if not document["destroy"]:
        if left:
            return _unfinished(installation, left)
        waiting = f"; {len(document['wait'])} menunggu kunci berakhir" if document["wait"] else ""
        return NotOpened("nothing", f"Tidak ada cadangan yang perlu dimusnahkan{waiting}.")
    procedures.open_procedure(
        installation.catalog,
        procedure_id,
        KIND,
        parameters={"plan": document, "plan_sha256": drawn_up.sha256},
        release=RELEASE,
    )
    return None


def _end_interrupted(installation: Installation) -> None:
    """Issue the final document of each open procedure whose run died after it had begun to destroy, and close it: what
    was destroyed must be on paper, whoever ends it, and another plan must not take the place of one that was used."""
    with installation.catalog.read() as connection:
        opened = [each.id for each in procedures.list_open(connection, KIND)]
    for procedure_id in opened:
        if _is_begun(installation, procedure_id):
            issue_form(installation, procedure_id, FORM, version=2)
            conclude_retention(installation, procedure_id)


def _is_begun(installation: Installation, procedure_id: str) -> bool:
    with installation.catalog.read() as connection:
        return bool(destructions.of_procedure(connection, procedure_id))
