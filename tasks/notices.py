"""Telling people what happened to a run: what Prefect knows of it is read here, the rest is in the records.

An automation hands over only the occasion and the run, so that nothing about persons lies in Prefect.
"""

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Scheduled

from blocks.installation import load_installation
from recovery.calendar import format_moment
from recovery.errors import NoticeError
from recovery.procedures.run_notices import (
    TITLES,
    Occasion,
    Run,
    compose,
    is_still_so,
    needs_no_answer,
    overdue_at,
    send,
)
from tasks.dashboard import name_run, run_address
from tasks.this_run import this_run

logger = logging.getLogger(__name__)

_UNTOLD = ("FAILED", "CRASHED", "CANCELLED", "CANCELLING")
# How a flow run is called in events.
RESOURCE = "prefect.flow-run."


def tell(occasion: Occasion, resource: str) -> State[Any]:
    """Given an occasion and the run that it is about, as events name it, tell whom it concerns, if it is still so.

    An official whose time is not over yet is reminded when it is: another run of this deployment is put there.
    Raises NoticeError for what could not be delivered, after everybody else was told.
    """
    run = _read(UUID(resource.removeprefix(RESOURCE)))
    if run is None or not is_still_so(occasion, run):
        return Completed(name="Tidak perlu", message="Keadaannya sudah lain; tidak ada yang perlu diberitahukan.")
    if _is_repeated():
        return Completed(name="Tidak perlu", message="Peristiwa ini sudah diberitahukan oleh proses lain.")
    installation, now = load_installation(), datetime.now(UTC)
    if needs_no_answer(installation, occasion, run):
        return Completed(name="Tidak perlu", message="Prosedurnya sudah ditutup; tidak ada yang perlu dijawab.")
    name_run(this_run(), f"Pemberitahuan: {TITLES[occasion]} · {run.name}")
    if occasion == "lewat-waktu" and (due := overdue_at(installation, run)) > now:
        _again_at(due, run)
        return Completed(name="Ditunda", message=f"Batas waktunya {format_moment(due)}; diperiksa lagi pada saat itu.")
    notice = compose(installation, occasion, run, now)
    troubles = send(installation, run, notice)
    if troubles:
        reached = len(notice.recipients) - len(troubles) if notice.recipients else 0
        raise NoticeError(
            f"a notice was not delivered: {'; '.join(troubles)}",
            state=f"{reached} other targets were told",
            hint="mend the target that the inventory refers to, then Retry this run",
        )
    return Completed(message=f"Terkirim ke {len(notice.recipients)} tujuan.")


def _read(run_id: UUID) -> Run | None:
    with get_client(sync_client=True) as client:
        try:
            found = client.read_flow_run(run_id)
        except ObjectNotFound:
            return None
    state = found.state
    scheduled = state.state_details.scheduled_time if state else None
    return Run(
        id=str(found.id),
        name=found.name,
        url=run_address(str(found.id)),
        state_type=state.type.value if state else "",
        message=(state.message or "") if state else "",
        # Of a run that goes on after an answer or a retry, the time at which it should have gone on.
        expected_at=scheduled or found.expected_start_time,
        started_at=found.start_time,
    )


def _is_repeated() -> bool:
    """Whether an earlier run was started for the same event.

    Prefect acts on an event at least once: on SQLite it does so again whenever its database was locked meanwhile.
    """
    this = this_run()
    with get_client(sync_client=True) as client:
        alike = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[this.deployment_id or this.id])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        )
    earlier = [run for run in alike if run.parameters == this.parameters and _order(run) < _order(this)]
    # One that did not get to the end of it is no reason to be silent.
    return any(run.state is not None and run.state.type.value not in _UNTOLD for run in earlier)


def _order(run: FlowRun) -> tuple[datetime, UUID]:
    return run.created or datetime.max.replace(tzinfo=UTC), run.id


def _again_at(due: datetime, run: Run) -> None:
    this = this_run()
    if this.deployment_id is None:
        raise RuntimeError("a reminder is put off only by a run of a deployment")
    with get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(
            this.deployment_id,
            parameters={**this.parameters, "peristiwa": f"tenggat {due.isoformat()}"},
            state=Scheduled(scheduled_time=due),
            name=f"Pemberitahuan: {TITLES['lewat-waktu']} · {run.name}",
            # However often somebody asks, one reminder per run and deadline.
            idempotency_key=f"{run.id} {due.isoformat()}",
        )
    logger.info("the official's time is not over; looking again at %s", due.isoformat())
