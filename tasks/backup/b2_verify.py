"""Step 2 of the backup procedure: "Memastikan proses back up berhasil dilakukan"."""

from recovery.installation import Installation
from recovery.procedures.backup import b2_verify
from recovery.quality.verdict import Verdict
from recovery.records.steps import StepResult
from tasks.dashboard import show_page
from tasks.progress import show_progress
from tasks.step import step


@step("backup.2")
def verify(installation: Installation, procedure_id: str, component: str) -> StepResult:
    """Restore the staged bytes into a scratch copy and judge it; the verdict, good or bad, becomes an artifact."""

    def publish(verdict: Verdict) -> None:
        key = f"hasil-uji-{component.replace('/', '-')}"
        show_page(key, verdict.markdown(), f"Hasil pemeriksaan cadangan {component}")

    tell = show_progress("kemajuan-uji", "Pengujian cadangan")
    return b2_verify.verify(installation, procedure_id, component, report=publish, tell=tell)
