"""Step 3: "Melakukan verifikasi jenis dan kewenangan data"; after approval, the rehearsal."""

from recovery.installation import Installation
from recovery.procedures.decided import decided, decided_document
from recovery.procedures.documents import issue_form
from recovery.procedures.restore.inventoried import require_in_inventory
from recovery.procedures.restore.own_places import refuse_own_places
from recovery.procedures.restore.rehearsal import rehearse
from recovery.progress import Tell, to_nobody
from recovery.records.steps import StepResult

APPROVED = "disetujui"
REJECTED = "ditolak"


def verify_authority(installation: Installation, procedure_id: str, tell: Tell = to_nobody) -> StepResult:
    """Given the Kabid's decision, put it on the form and, when approved, rehearse the restore beside the live data.

    The rehearsal stands here because the executor must see its verdict before the service is stopped. One that fails
    fails this step: nothing on the server was touched but copies beside the live data, which are removed.
    """
    decision = decided(installation, procedure_id, "restore.3")
    issue_form(installation, procedure_id, "restore_request", version=3)
    if decision["decision"] != APPROVED:
        return StepResult(evidence=decision)
    plan = decided_document(installation, procedure_id, "restore.3")["rencana"]
    application = next(iter(plan)).partition("/")[0]
    require_in_inventory(installation, procedure_id, application, list(plan))
    # Days have passed since it was opened. From here on the approval binds the target, so another one is found.
    refuse_own_places(installation, application)
    rehearsal = rehearse(installation, procedure_id, plan, tell)
    return StepResult(evidence={**decision, "plan": plan, "rehearsal": rehearsal})
