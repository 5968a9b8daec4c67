"""The destruction of sets as Prefect tasks, before and after the question. The SOP does not number them as steps."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.installation import load_installation
from recovery.procedures import retention


@task(
    name="Menyusun Berita Acara Pemusnahan",
    task_run_name="Menyusun Berita Acara Pemusnahan",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def draw_up_record(procedure_id: str) -> None:
    """Issue the proposal that is to be approved."""
    retention.draw_up_record(load_installation(), procedure_id)


@task(name="Memusnahkan cadangan", task_run_name="Memusnahkan cadangan", cache_policy=NO_CACHE, persist_result=False)
def destroy(procedure_id: str) -> None:
    """Destroy what was approved and is so still, and issue the final version."""
    retention.destroy(load_installation(), procedure_id)
