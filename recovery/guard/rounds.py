"""One round of the guard: settle what died, sweep what was left behind, and say what is wrong.

Safe beside running procedures (what somebody holds a lease of is not touched) and beside another guard; repeating a
round changes nothing more.
"""

import uuid
from datetime import UTC, datetime

from recovery.errors import LeaseHeldError
from recovery.guard.approvals import expire_approvals
from recovery.guard.chain import look_at_chain
from recovery.guard.copies import look_at_copies
from recovery.guard.destructions import look_at_destructions
from recovery.guard.drills import settle_drills
from recovery.guard.lateness import look_for_lateness
from recovery.guard.proofs import look_at_proofs
from recovery.guard.report import Report
from recovery.guard.requesters import tell_requesters
from recovery.guard.restores import settle_restores
from recovery.guard.schedules import look_at_schedules
from recovery.guard.sweeping import sweep
from recovery.guard.telling import GUARD_KINDS, tell_alarms
from recovery.installation import Installation
from recovery.procedures.working import LEASE_SECONDS
from recovery.records import leases

RESOURCE = "guard"
# Noted when a round has come to its end: one that dies takes and frees the lease all the same.
ROUND = "guard.round"


def make_round(installation: Installation, *, now: datetime | None = None) -> Report:
    """Given an installation, make one round and return its report.

    `now` is the time by which ages and deadlines are judged; leases always go by the catalog's own clock. Trouble with
    one thing becomes an alarm and does not keep the guard from the others.
    """
    moment = now or datetime.now(UTC)
    # A name of its own for each round: whoever comes back with the same name may take a lease again at once.
    holder = f"guard-{uuid.uuid4().hex[:12]}"
    try:
        lease = leases.acquire(installation.catalog, RESOURCE, holder, LEASE_SECONDS, "guard")
    except LeaseHeldError as error:
        return Report(busy=error.message)
    report = Report()
    try:
        with leases.keep(installation.catalog, lease):
            # First what keeps users waiting; alarms last, so that they tell what is still wrong after it.
            settle_restores(installation, holder, report)
            expire_approvals(installation, moment, report)
            settle_drills(installation, moment, report)
            sweep(installation, moment, report)
            tell_requesters(installation, moment, report)
            look_at_proofs(installation, moment, report)
            look_at_schedules(installation, report)
            look_for_lateness(installation, moment, report)
            look_at_chain(installation, report)
            look_at_copies(installation, moment, report)
            look_at_destructions(installation, moment, report)
            tell_alarms(installation, report.alarms, GUARD_KINDS, moment)
        leases.note(installation.catalog, ROUND)
    finally:
        leases.release(installation.catalog, lease)
    return report
