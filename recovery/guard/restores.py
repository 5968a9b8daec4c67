"""Ending the critical sections of restores that died: whole old or whole new data, and the service runs.

A restore that died in step 4 before it moved anything can go on afterwards: steps 4 and 5 prove everything anew.
One that the guard undid cannot: its copies are gone, and step 5 says "undone before".
"""

import logging
from dataclasses import dataclass

from recovery.errors import LeaseHeldError, LeaseLostError, NotFoundError, PulihError
from recovery.guard.report import Action, Alarm, Report
from recovery.installation import Installation
from recovery.procedures.restore.interventions import SERVICE_STARTED, is_untouched
from recovery.procedures.restore.inventoried import missing_of_restore, require_in_inventory, require_to_end
from recovery.procedures.restore.plan import Plan, approved_plan
from recovery.procedures.restore.rehearsal import discard_rehearsed
from recovery.procedures.restore.restarting import put_back, restart
from recovery.procedures.restore.swapping import is_final, replaced
from recovery.procedures.working import work_on
from recovery.records import journal, leases, ledger, procedures, steps
from recovery.records.leases import Lease
from recovery.records.procedures import Procedure

logger = logging.getLogger(__name__)

TOOK_OVER = "guard.took_over"
FAILED = "guard.failed"


@dataclass(frozen=True)
class _Situation:
    """What a restore that nobody works on has left behind."""

    expired: list[str]
    unsettled: list[str]
    stopped: list[str]
    # A guard began to end it and has not said that it did, and its services are well.
    untold: bool

    def is_dead(self) -> bool:
        return bool(self.expired or self.is_to_be_ended())

    def is_to_be_ended(self) -> bool:
        return bool(self.unsettled or self.stopped or self.untold)


def settle_restores(installation: Installation, holder: str, report: Report) -> None:
    """Given the guard's name as a holder, settle every restore between its steps 4 and 6 that nobody works on."""
    for procedure in _between_stop_and_start(installation):
        try:
            _settle(installation, procedure, holder, report)
        except LeaseHeldError:  # pragma: no cover - between two looks at the catalog
            # Somebody took it up just now, which is as good.
            logger.info("the restore of %s is being worked on", procedure.application)
        except LeaseLostError as error:  # pragma: no cover - a guard that slept longer than its leases last
            report.trouble("restore", procedure.application, error)
        except PulihError as error:
            _record_failure(installation, procedure, error, report)
    _tell_what_left_the_inventory(installation, report)
    for procedure in _closed_before_the_start(installation):
        try:
            _look_for_what_stands_still(installation, procedure, report)
        except PulihError as error:
            report.trouble("restore", procedure.application, error)


def _tell_what_left_the_inventory(installation: Installation, report: Report) -> None:
    """Before step 4 nothing is to be brought back; whoever waits for it must hear that it cannot go on."""
    with installation.catalog.read() as connection:
        waiting = [
            (procedure, missing_of_restore(connection, installation, procedure))
            for procedure in procedures.list_open(connection, "restore")
            if steps.find(connection, procedure.id, "restore.4") is None
        ]
    for procedure, missing in waiting:
        try:
            require_in_inventory(installation, procedure.id, procedure.application, missing)
        except NotFoundError as error:
            report.trouble("restore", procedure.application, error)


def _closed_before_the_start(installation: Installation) -> list[Procedure]:
    """Of each application the last restore that began to stop services, when it was closed before it started them.

    A rebuild closes such a restore: the copy of the records was made in its midst. And an administrator, when it died
    and nobody can take it up again, as when its services are not well on the data that stays.
    """
    last = {}
    with installation.catalog.read() as connection:
        for procedure in procedures.list_all(connection, "restore"):
            if not is_untouched(connection, procedure.id):
                last[procedure.application] = procedure
        return [
            procedure
            for procedure in last.values()
            if procedure.state == "closed"
            and steps.evidence_of(connection, procedure.id, "restore.6") is None
            and procedure.application in installation.applications
        ]


def _look_for_what_stands_still(installation: Installation, procedure: Procedure, report: Report) -> None:
    """Nothing is done: the restore may have ended long ago, and putting old data back would undo all work since."""
    for service in installation.services(procedure.application):
        state = service.state()
        if state != "running" or not service.healthy():
            found = "not healthy" if state == "running" else state
            report.alarm(
                Alarm(
                    "service",
                    f"{procedure.application}/{service.name}",
                    f"is {found}, and the restore {procedure.id} was closed between its steps 4 and 6",
                    "look at the data of every component, then start the service yourself; nobody else will",
                    procedure.closed_at or "",
                )
            )


def _between_stop_and_start(installation: Installation) -> list[Procedure]:
    with installation.catalog.read() as connection:
        return [
            procedure
            for procedure in procedures.list_open(connection, "restore")
            if steps.find(connection, procedure.id, "restore.4") is not None
            and steps.evidence_of(connection, procedure.id, "restore.6") is None
        ]


def _settle(installation: Installation, procedure: Procedure, holder: str, report: Report) -> None:
    plan = approved_plan(installation, procedure.id)
    if _is_worked_on(installation, plan):
        return
    require_to_end(installation, procedure.id, plan)
    if not _situation(installation, procedure, plan).is_dead():
        _look_at_services(installation, procedure, report)
        return
    with work_on(installation, plan.components, holder, f"end the restore {procedure.id}") as held:
        with installation.catalog.read() as connection:
            started = steps.evidence_of(connection, procedure.id, "restore.6")
            ended = started is not None or procedures.get(connection, procedure.id).state == "closed"
        # Looked at again, now that nobody can change it any more; only the leases are ours by now.
        situation = _situation(installation, procedure, plan)
        if not ended:  # pragma: no cover - false when somebody else ended it between two looks
            _take_over(installation, procedure, situation, held, report)
            if situation.is_to_be_ended():
                _end(installation, procedure, plan, held, report)
    _look_at_services(installation, procedure, report)


def _is_worked_on(installation: Installation, plan: Plan) -> bool:
    wanted = {f"component:{component}" for component in plan.components}
    with installation.catalog.read() as connection:
        return any(lease["resource"] in wanted and not lease["expired"] for lease in leases.list_leases(connection))


def _situation(installation: Installation, procedure: Procedure, plan: Plan) -> _Situation:
    wanted = {f"component:{component}" for component in plan.components}
    with installation.catalog.read() as connection:
        expired = [
            lease["resource"]
            for lease in leases.list_leases(connection)
            if lease["resource"] in wanted and lease["holder"] == procedure.id and lease["expired"]
        ]
        unsettled = [
            f"{entry.component}: {entry.state}"
            for entry in journal.entries(connection, procedure.id)
            if entry.state not in ("undone", "kept")
        ]
    services = installation.services(procedure.application)
    # A maintenance page that a dead restore left keeps people out as a stopped service does.
    stopped = [each.name for each in services if each.state() != "running"]
    begun = _is_begun(_last_word(installation, procedure))
    return _Situation(expired, unsettled, stopped, begun and all(each.healthy() for each in services))


def _take_over(
    installation: Installation, procedure: Procedure, situation: _Situation, held: list[Lease], report: Report
) -> None:
    """Say so before anything is touched: a guard that dies here leaves word of what it was about to do."""
    if situation.untold or _is_failed(_last_word(installation, procedure)):
        # Said before the first of these tries; the restore is the guard's since then.
        return
    report.did(
        installation.catalog,
        Action(
            TOOK_OVER,
            f"took the restore of {procedure.application} over, which died between its steps 4 and 6",
            procedure.id,
            facts={
                "tokens": {lease.resource: lease.token for lease in held},
                "unsettled": situation.unsettled,
                "stopped": situation.stopped,
            },
        ),
    )


def _end(installation: Installation, procedure: Procedure, plan: Plan, held: list[Lease], report: Report) -> None:
    with installation.catalog.read() as connection:
        swapped = steps.evidence_of(connection, procedure.id, "restore.5") is not None
    trusted = swapped or is_final(installation, procedure.id)
    if not (trusted and replaced(installation, procedure.id)):
        put_back(installation, procedure.id, plan, held)
        # Before users come back: a process that was only asleep, and is past its last look at the lease, then finds
        # nothing any more that it could make live.
        _discard(installation, procedure, plan)
    restarted = restart(installation, procedure.id, plan, held, trusted=trusted)
    if not restarted.new_data:
        _discard(installation, procedure, plan)
    report.did(
        installation.catalog,
        Action(
            SERVICE_STARTED,
            f"the service of {procedure.application} runs on the whole {'new' if restarted.new_data else 'old'} data"
            + (f" (on the new it was not well: {restarted.trouble})" if restarted.trouble else ""),
            procedure.id,
            facts={"new_data": restarted.new_data, "trouble": restarted.trouble, "health": restarted.health},
        ),
    )


def _discard(installation: Installation, procedure: Procedure, plan: Plan) -> None:
    with installation.catalog.read() as connection:
        undone = {entry.component for entry in journal.entries(connection, procedure.id) if entry.state == "undone"}
    # A restore that had journalled nothing keeps its copies: it may go on.
    for component in plan.components:
        if component in undone:
            discard_rehearsed(installation, procedure.id, component)


def _look_at_services(installation: Installation, procedure: Procedure, report: Report) -> None:
    """A service that runs but is not well is not started once more: people must look."""
    for service in installation.services(procedure.application):
        if not service.healthy():
            report.alarm(
                Alarm(
                    "service",
                    f"{procedure.application}/{service.name}",
                    f"is not healthy, and the restore {procedure.id} is not finished",
                    "look at the service's own log; retry the run when it is well, so that the form gets written",
                )
            )


def _record_failure(installation: Installation, procedure: Procedure, error: PulihError, report: Report) -> None:
    report.trouble("restore", procedure.application, error)
    reason = steps.describe(error)
    last = _last_word(installation, procedure)
    # Once for each reason: a guard that tries every minute must not fill the ledger.
    if last is None or not _is_failed(last) or last.facts["error"] != reason:
        message = f"the restore of {procedure.application} could not be ended: {reason}"
        report.did(installation.catalog, Action(FAILED, message, procedure.id, facts={"error": reason}))


def _last_word(installation: Installation, procedure: Procedure) -> ledger.Entry | None:
    """The guard's newest entry about this restore: that it took it over, failed at it, or ended it."""
    with installation.catalog.read() as connection:
        own = [
            entry
            for kind in (TOOK_OVER, FAILED, SERVICE_STARTED)
            for entry in ledger.entries(connection, procedure_id=procedure.id, kind=kind, last=1)
        ]
    return max(own, key=lambda entry: entry.sequence, default=None)


def _is_failed(word: ledger.Entry | None) -> bool:
    return word is not None and word.kind == FAILED


def _is_begun(word: ledger.Entry | None) -> bool:
    """Whether it took over what had to be ended, and said no more: the services may run since, and nobody knows."""
    return word is not None and word.kind == TOOK_OVER and bool(word.facts["unsettled"] or word.facts["stopped"])
