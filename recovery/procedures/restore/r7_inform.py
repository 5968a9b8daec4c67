"""Step 7 (printed as 6): "Menginformasikan status kerusakan kepada Pemohon"."""

from recovery.installation import Installation
from recovery.procedures.documents import issue_form
from recovery.procedures.informing import inform_requester
from recovery.procedures.restore_document import printed_status
from recovery.records import notices, procedures, steps
from recovery.records.steps import StepResult


def inform(installation: Installation, procedure_id: str) -> StepResult:
    """Issue the form with the true status and tell the requester, with a one-time receipt code for step 8.

    A notice that cannot be delivered is recorded and stops nothing: the requester can still answer with his own code.
    """
    issued = issue_form(installation, procedure_id, "restore", version=1)
    with installation.catalog.begin() as connection:
        procedure = procedures.get(connection, procedure_id)
        status = printed_status(steps.evidence_of(connection, procedure_id, "restore.6") or {})
        code = notices.issue_receipt_code(connection, procedure_id)
    delivered = inform_requester(
        installation,
        procedure,
        "restore.7",
        subject=f"Status permintaan restore {procedure.application}: {status}",
        body=(
            f"Permintaan restore data {procedure.application} selesai dengan status: {status}.\n"
            f"Nomor formulir: {issued.number}\n"
        ),
        personal=(
            f"Kode tanda terima (sekali pakai): {code}\nBerikan kode ini saat menyatakan telah menerima informasi."
        ),
    )
    return StepResult(evidence={"form_number": issued.number, "form_sha256": issued.pdf_sha256, "notice": delivered})
