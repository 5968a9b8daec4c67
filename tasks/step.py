"""The only step decorator: it gives a body its place in the register, in Prefect and in the catalog."""

import logging
from collections.abc import Callable
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE

from blocks.installation import load_installation
from recovery import sop
from recovery.records.steps import StepResult, perform
from tasks.approvals import await_decision

# The domain logs its progress at INFO, for the run's page in the UI; loggers are silent at that level by default.
logging.getLogger("recovery").setLevel(logging.INFO)

# Every step task, by its id in the register. A test compares this with the register.
STEP_TASKS: dict[str, "StepTask"] = {}


class StepTask(Task[Any, Any]):
    """A Prefect task that is one step of the SOP.

    Called with a procedure's id (and, for a step per component, "application/component"). The catalog decides whether
    the body runs: evidence that exists is returned. A step that an official decides suspends the run first.
    """

    def __init__(self, entry: sop.Step, body: Callable[..., StepResult]) -> None:
        self.entry = entry
        self.body = body
        super().__init__(
            fn=_per_component(entry, body) if entry.per_component else _once(entry, body),
            name=entry.title,
            description=body.__doc__,
            tags={"sop", entry.id},
            task_run_name=f"{entry.title} · {{component}}" if entry.per_component else entry.title,
            # Prefect's cache repeats a step after a code change and skips one that looks alike: the catalog decides.
            cache_policy=NO_CACHE,
            persist_result=False,
        )

    # Prefect's overloads take anything; a step takes its procedure first.
    def __call__(self, procedure_id: str, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        if self.entry.approval:
            # In the flow, not in the task: only a flow can be suspended, and it starts again from its first line.
            await_decision(procedure_id, self.entry.id)
        return super().__call__(procedure_id, *arguments, **options)


def step(step_id: str) -> Callable[[Callable[..., StepResult]], StepTask]:
    """Given a step's id in the register, turn its body into the step's task.

    The body takes (installation, procedure_id) and, for a step per component, the component; it returns a StepResult.
    """
    entry = sop.step(step_id)

    def decorate(body: Callable[..., StepResult]) -> StepTask:
        if step_id in STEP_TASKS:
            raise TypeError(f"step {step_id} has a task already")
        STEP_TASKS[step_id] = StepTask(entry, body)
        return STEP_TASKS[step_id]

    return decorate


def _once(entry: sop.Step, body: Callable[..., StepResult]) -> Callable[[str], dict[str, Any]]:
    def run(procedure_id: str) -> dict[str, Any]:
        installation = load_installation()
        return perform(installation.catalog, entry.id, procedure_id, lambda: body(installation, procedure_id))

    return run


def _per_component(entry: sop.Step, body: Callable[..., StepResult]) -> Callable[[str, str], str]:
    def run(procedure_id: str, component: str) -> str:
        """Do the step for one component and return the component, so that the next step maps over it."""
        installation = load_installation()
        perform(
            installation.catalog,
            entry.id,
            procedure_id,
            lambda: body(installation, procedure_id, component),
            component=component,
        )
        return component

    return run
