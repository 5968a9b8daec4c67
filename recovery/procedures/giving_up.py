"""Whether a procedure that will not go on may be closed by an administrator, and as what.

Asked in the transaction that closes it: a closed procedure begins no step, and steps 4 to 6 of a restore look, once
they hold the leases of its components, whether it is open still. So whoever works comes before the closing, or never.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from recovery.errors import ProcedureError
from recovery.procedures.restore.interventions import STOPPING, is_untouched
from recovery.procedures.restore.inventoried import SETTLED
from recovery.records import approvals, journal, leases, ledger, schema, steps
from recovery.records.procedures import GIVEN_UP, INTERRUPTED, UNACKNOWLEDGED, Procedure

# For so long a step of a backup that was begun may still be worked on: not every one holds a lease.
_GRACE = timedelta(days=1)


def outcome_of_giving_up(connection: Connection, procedure: Procedure) -> str:
    """Given a procedure, return the outcome with which it may be closed now: GIVEN_UP, UNACKNOWLEDGED or INTERRUPTED.

    Raises ProcedureError when it may not, or not yet.
    """
    if procedure.outcome == INTERRUPTED:
        return INTERRUPTED
    if procedure.kind == "backup":
        return _of_backup(connection, procedure)
    if procedure.kind != "restore":
        raise not_to_be_given_up(procedure)
    if steps.evidence_of(connection, procedure.id, "restore.7") is not None:
        if approvals.decision_of(connection, procedure.id, "restore.8") is not None:
            raise not_to_be_given_up(procedure)
        return UNACKNOWLEDGED
    if is_untouched(connection, procedure.id):
        return GIVEN_UP
    _require_settled(connection, procedure)
    return INTERRUPTED


def data_in_words(connection: Connection, procedure_id: str) -> str:
    """Given a restore all of whose swaps are settled, say in Indonesian which data is live."""
    states = {entry.state for entry in journal.entries(connection, procedure_id)}
    if states == {"kept"}:
        return "Data hasil restore yang dipakai; data lama tersimpan sebagai salinan pengaman."
    return "Data lama yang dipakai, seluruhnya; tidak ada yang dipulihkan."


def not_to_be_given_up(procedure: Procedure) -> ProcedureError:
    """Return what to say of a procedure that no administrator may close."""
    return ProcedureError(
        f"procedure {procedure.id} is no open restore before step 4, nor one that lacks only the requester's receipt, "
        "nor one or a backup that died",
        state="nothing was changed",
        hint="`pulih show` says where it stands; Retry its run, or answer it",
    )


def _require_settled(connection: Connection, procedure: Procedure) -> None:
    """Of a restore from step 4 on: all its swaps are settled, and the guard, or step 6, had the last word about its
    services. Both give the leases back; what died keeps its own, which the guard takes over."""
    verified = steps.evidence_of(connection, procedure.id, "restore.3") or {}
    wanted = {f"component:{component}" for component in verified.get("plan", {})}
    held = [lease for lease in leases.list_leases(connection) if lease["resource"] in wanted]
    # What never came to stopping a service, and does not hold it any more, leaves nothing to the guard.
    stopped = ledger.entries(connection, procedure_id=procedure.id, kind=STOPPING, last=1)
    at_work = [lease for lease in held if not lease["expired"] or (stopped and lease["holder"] == procedure.id)]
    moved = [entry for entry in journal.entries(connection, procedure.id) if entry.state not in SETTLED]
    if not at_work and not moved:
        return
    why = [f"{each.component} is {each.state}" for each in moved]
    why += [f"{each['holder']} holds {each['resource']}" for each in at_work]
    raise ProcedureError(
        f"the restore {procedure.id} is between its steps 4 and 6 and not settled: {'; '.join(why)}",
        state="nothing was changed",
        hint="wait until `pulih guard` has settled it, which its timer does within minutes and whose alarms say what "
        "keeps it from that; then close it, or Retry its run",
    )


def _of_backup(connection: Connection, procedure: Procedure) -> str:
    if procedure.state == "closed":
        raise not_to_be_given_up(procedure)
    working = [lease for lease in leases.list_leases(connection) if lease["holder"] == procedure.id]
    since = schema.timestamp(datetime.now(UTC) - _GRACE)
    # A step with a deadline waits for an official, and is worked on by nobody.
    begun = [
        row
        for row in steps.list_steps(connection, procedure.id)
        if row.state == "open" and row.deadline is None and row.opened_at > since
    ]
    if any(not lease["expired"] for lease in working) or begun or procedure.opened_at > since:
        raise ProcedureError(
            f"the backup {procedure.id} was begun less than a day ago, or is being worked on",
            state="nothing was changed",
            hint="see its run in the Prefect UI; Retry it, or cancel it there and close the backup a day later",
        )
    return INTERRUPTED
