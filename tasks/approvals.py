"""Asking an official through a suspended run, and deciding from what the official had to produce.

Prefect carries the form and knows nothing of officials; the rules are in recovery/records/approvals.py.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from prefect import suspend_flow_run
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.input.run_input import keyset_from_base_key
from pydantic import ValidationError

from blocks.installation import load_installation
from recovery import calendar
from recovery.errors import ApprovalError
from recovery.installation import Installation
from recovery.procedures.approval_text import approval_markdown
from recovery.procedures.decided import decision_recorded
from recovery.procedures.questions import question_of
from recovery.records.approvals import Answer, ApprovalRequest, Decision, Submission, answer, ask
from recovery.records.steps import open_step
from recovery.sop import GATES
from tasks.approval_forms import FORMS, ApprovalForm

logger = logging.getLogger(__name__)


def await_decision(procedure_id: str, step_id: str) -> Decision:
    """Given a step that an official decides, return the decision; suspend the run until there is one that counts.

    Runs in the flow (only a flow can be suspended). The process ends at the suspension; the worker starts the flow
    again after the answer, and this function is reached again with the answer waiting. An answer that does not count
    is recorded as refused, and the run suspends anew with the reason, under a new key: it never fails the run.
    """
    installation = load_installation()
    _open_step(installation, procedure_id, step_id)
    while True:
        # Looked up before the question is made anew: a decision stands, whatever has become newer since.
        decision = decision_recorded(installation, procedure_id, step_id)
        if decision is not None:
            return decision
        asked = ask(
            installation.catalog,
            question_of(installation, procedure_id, step_id),
            lifetime=timedelta(days=installation.office.approvals.lifetime_days),
        )
        if isinstance(asked, Decision):
            return asked
        form = FORMS[step_id].with_initial_data(description=approval_markdown(asked))
        logger.info("waiting for an official: %s", step_id)
        given = _suspend_until_answered(form, asked)
        try:
            return answer(installation.catalog, asked, given, _submission(asked), key=installation.enrolment_key())
        except ApprovalError as error:
            # Recorded by now, and the next attempt is open: ask again with the complaint.
            logger.warning("the answer to %s does not count: %s", step_id, error.message)


def _open_step(installation: Installation, procedure_id: str, step_id: str) -> None:
    """The SOP's time standard runs from here: "1 hari" until the official has done his step."""
    if step_id not in GATES:
        counting = installation.office.working_days
        open_step(
            installation.catalog,
            step_id,
            procedure_id,
            deadline=lambda opened_at: calendar.deadline(opened_at, counting),
        )


def _suspend_until_answered(form: type[ApprovalForm], asked: ApprovalRequest) -> Answer:
    """Suspend the run, or, when it has gone on from this suspension, return what was filled in.

    Whether it has is read from the run's states and not left to Prefect, which forgets suspensions at a retry: it
    would ask again under the same key, where the answer that is there already lets no other be sent.
    A run that was pushed on without the form, or with something that is no form, has an empty answer: the rules
    refuse it and record why.
    """
    if not _was_left(asked.key, _states()):
        # Ends this process; the worker starts another when somebody answers.
        suspend_flow_run(wait_for_input=form, key=asked.key, timeout=None)
    try:
        # Without a running event loop, as here in the flow's own thread, it is no coroutine.
        return cast(ApprovalForm, form.load(keyset_from_base_key(_input_name(asked)))).answer()
    except (ValidationError, TypeError, ValueError, KeyError) as error:
        logger.warning("the run was resumed without a form that can be read: %s", type(error).__name__)
        return Answer(decision="", nip="", document_code="", code="")


def _input_name(asked: ApprovalRequest) -> str:
    """The name under which Prefect keeps an attempt's form and answer."""
    return f"suspended-{asked.key}"


def _submission(asked: ApprovalRequest) -> Submission:
    """Read from the server when and how often this attempt was resumed, and when its input was written.

    The submission's time is the Resuming state's, which the server sets: the process that judges the one-time code
    wakes seconds to minutes later.
    """
    resumes = _resumes_of(asked.key, _states())
    with get_client(sync_client=True) as client:
        inputs = client.filter_flow_run_input(
            _run_id(), key_prefix=f"{_input_name(asked)}-response", limit=10, exclude_keys=set()
        )
    opened_at = datetime.fromisoformat(asked.opened_at)
    return Submission(
        submitted_at=resumes[-1] if resumes else opened_at,
        input_created_at=max((entry.created for entry in inputs if entry.created), default=opened_at),
        resumes=len(resumes),
    )


def _states() -> list[Any]:
    """All states that the server recorded of this run, oldest first."""
    with get_client(sync_client=True) as client:
        return sorted(client.read_flow_run_states(_run_id()), key=lambda state: state.timestamp)


def _run_id() -> UUID:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("approvals are awaited only inside a flow run")
    return context.flow_run.id


def _was_left(key: str, states: list[Any]) -> bool:
    """Given a run's states, say whether it went on after it was suspended under `key`."""
    keys = [state.state_details.pause_key if state.name == "Suspended" else None for state in states]
    return key in keys and keys[-1] != key


def _resumes_of(key: str, states: list[Any]) -> list[datetime]:
    """Given a run's states, return the times of the Resuming states that followed the suspension under `key`."""
    resumes: list[datetime] = []
    within = False
    for state in states:
        if state.name == "Suspended":
            within = state.state_details.pause_key == key
        elif within and state.name == "Resuming":
            resumes.append(state.timestamp)
    return resumes
