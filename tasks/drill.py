"""A drill as Prefect tasks. The SOP does not number them as steps."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.installation import load_installation
from recovery.errors import VerificationError, VerificationFailedError
from recovery.procedures import drill, drill_conclude
from recovery.quality.verdict import Verdict
from tasks.dashboard import show_page
from tasks.progress import show_progress


@task(
    name="Mengambil salinan dari penyimpanan dan memulihkannya ke salinan uji",
    task_run_name="Gladi restore · {component}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def prove(procedure_id: str, component: str) -> None:
    """Take the chosen copy out of its store and prove it; the verdict becomes an artifact. Fails unless it passed."""

    def publish(verdict: Verdict) -> None:
        key = f"hasil-gladi-{component.replace('/', '-')}"
        show_page(key, verdict.markdown(), f"Hasil gladi restore {component}")

    tell = show_progress("kemajuan-gladi", "Gladi restore")
    drilled = drill.prove(load_installation(), procedure_id, component, report=publish, tell=tell)
    if not drilled.passed:
        failure = VerificationFailedError if drilled.verdict == "fail" else VerificationError
        raise failure(
            f"the drill of {component} from {drilled.store or 'no store'} ended with the verdict {drilled.verdict}: "
            f"{drilled.error}",
            state="the verdict is recorded; the live data and its services were not touched",
            hint="read the form; mend the cause and start another drill",
        )


@task(
    name="Menerbitkan Berita Acara Gladi Restore",
    task_run_name="Menerbitkan Berita Acara Gladi Restore",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def report(procedure_id: str) -> None:
    """Issue the form, with every component and its verdict."""
    drill_conclude.report(load_installation(), procedure_id)
