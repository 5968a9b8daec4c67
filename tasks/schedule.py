"""The approval of a schedule as Prefect tasks, before and after the question. The SOP does not number them as steps."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.installation import load_installation
from recovery.procedures import schedule_begin


@task(
    name="Menyusun Jadwal Back Up", task_run_name="Menyusun Jadwal Back Up", cache_policy=NO_CACHE, persist_result=False
)
def draw_up(procedure_id: str) -> None:
    """Issue the document that is to be approved."""
    schedule_begin.draw_up(load_installation(), procedure_id)


@task(
    name="Menerbitkan Jadwal Back Up",
    task_run_name="Menerbitkan Jadwal Back Up",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def put_decision(procedure_id: str) -> None:
    """Issue the document with the decision on it."""
    schedule_begin.put_decision(load_installation(), procedure_id)
