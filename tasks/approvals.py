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
from recovery.errors import PulihError
from recovery.installation import Installation
from recovery.procedures.approval_text import approval_markdown
from recovery.procedures.decided import decision_recorded
from recovery.procedures.questions import question_of
from recovery.records.approvals import (
    Answer,
    ApprovalRequest,
    Decision,
    Question,
    RefusedError,
    Submission,
    answer,
    ask,
    awaited,
)
from recovery.records.steps import open_step
from recovery.sop import GATES
from tasks.approval_forms import FORMS, ApprovalForm

logger = logging.getLogger(__name__)


def await_decision(procedure_id: str, step_id: str) -> Decision:
    """Given a step that an official decides, return the decision; suspend the run until there is one that counts.

    Runs in the flow (only a flow can be suspended). The process ends at the suspension; the worker starts the flow
    again after the answer, and this function is reached again with the answer waiting. It is judged before anything is
    asked anew, whatever became of question and request meanwhile: else its one-time code would stand readable on the
    server, and good. An answer that does not count is recorded as refused, and the run suspends anew with the reason,
    under a new key: it never fails the run.
    """
    installation = load_installation()
    _open_step(installation, procedure_id, step_id)
    while True:
        # Looked up before the question is made anew: a decision stands, whatever has become newer since.
        decision = decision_recorded(installation, procedure_id, step_id)
        if decision is not None:
            return decision
        answered = _answered(installation, procedure_id, step_id)
        question = _question(installation, procedure_id, step_id, answered)
        if answered is not None:
            decision = _judge(installation, answered, question)
            if decision is not None:
                return decision
        asked = ask(
            installation.catalog, question, lifetime=timedelta(days=installation.office.approvals.lifetime_days)
        )
        if isinstance(asked, Decision):
            return asked
        if not _was_left(asked.key, _states()):
            form = FORMS[step_id].with_initial_data(description=approval_markdown(asked))
            logger.info("waiting for an official: %s", step_id)
            # Ends this process; the worker starts another when somebody answers.
            suspend_flow_run(wait_for_input=form, key=asked.key, timeout=None)


def _answered(installation: Installation, procedure_id: str, step_id: str) -> ApprovalRequest | None:
    """Return the attempt under which the run was suspended and has gone on, when its answer is still to be judged.

    Whether it has is read from the run's states and not left to Prefect, which forgets suspensions at a retry: it
    would ask again under the same key, where the answer that is there already lets no other be sent.
    """
    request = awaited(installation.catalog, procedure_id, step_id)
    return request if request is not None and _was_left(request.key, _states()) else None


def _question(
    installation: Installation, procedure_id: str, step_id: str, answered: ApprovalRequest | None
) -> Question:
    try:
        return question_of(installation, procedure_id, step_id)
    except PulihError:
        # The run fails, and may be retried after the code has ended: not a moment before it is burnt.
        if answered is not None:
            _judge(installation, answered, None)
        raise


def _judge(installation: Installation, answered: ApprovalRequest, question: Question | None) -> Decision | None:
    """Judge what was filled in under an attempt, and return the decision; None when it does not count."""
    given, submission = _filled_in(answered), _submission(answered)
    key = installation.enrolment_key()
    try:
        return answer(installation.catalog, answered, given, submission, question=question, key=key)
    except RefusedError as error:
        # Recorded by now, and the attempt is closed: the next one is asked with the complaint.
        logger.warning("the answer to %s does not count: %s", answered.step_id, error.message)
        return None


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


def _filled_in(answered: ApprovalRequest) -> Answer:
    """Read from the server what was filled in under an attempt.

    A run that was pushed on without the form, or with something that is no form, has an empty answer: the rules
    refuse it and record why.
    """
    form = FORMS[answered.step_id]
    try:
        # Without a running event loop, as here in the flow's own thread, it is no coroutine.
        return cast(ApprovalForm, form.load(keyset_from_base_key(_input_name(answered)))).answer()
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
