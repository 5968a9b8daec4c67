"""After a drill: its form, who must hear of it, and its end."""

from recovery.forms.drill import VERDICTS
from recovery.installation import Installation
from recovery.notifying import deliver
from recovery.points import reached
from recovery.procedures.conclude import Conclusion, close
from recovery.procedures.documents import issue_form
from recovery.records import drills, forms, notices, officials, procedures
from recovery.records.drills import Drilled
from recovery.records.forms import Form
from recovery.records.procedures import Procedure

SUCCEEDED, FAILED = "berhasil", "gagal"


def report(installation: Installation, procedure_id: str) -> Form:
    """Issue the Berita Acara Gladi Restore, once."""
    return issue_form(installation, procedure_id, "drill", version=1)


def conclude_drill(installation: Installation, procedure_id: str) -> Conclusion:
    """Close a drill whose form was issued. It ended well when every component passed; else the Kabid is told."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        judged = drills.of_procedure(connection, procedure_id)
        form = forms.latest(connection, "drill", procedure_id)
    components = procedure.parameters["components"]
    wrong = {key: judged.get(key) for key in components if key not in judged or not judged[key].passed}
    number = form.number if form else "-"
    if wrong:
        words = "; ".join(f"{key}: {_words(each)}" for key, each in wrong.items())
        conclusion = Conclusion(False, f"{words}. Berita acara {number}.")
    else:
        conclusion = Conclusion(True, f"{len(components)} komponen lulus gladi restore. Berita acara {number}.")
    if wrong and procedure.state == "open":
        _tell_reviewer(installation, procedure, conclusion)
    return close(installation, procedure_id, FAILED if wrong else SUCCEEDED, conclusion)


def _words(drilled: Drilled | None) -> str:
    return VERDICTS[drilled.verdict if drilled else "error"]


def _tell_reviewer(installation: Installation, procedure: Procedure, conclusion: Conclusion) -> None:
    """Tell the Kabid; the office where he has no contact. What could not be delivered is on record."""
    nip = procedure.parameters["signers"]["reviewer"]
    recipient = nip or "-"
    with installation.catalog.read() as connection:
        official = officials.find(connection, nip) if nip else None
        if any(notice.recipient == recipient for notice in notices.list_notices(connection, procedure.id)):
            return
    references = [official.contact] if official and official.contact else installation.office.notice_targets
    subject = "Gladi restore tidak lulus"
    body = (
        f"{conclusion.sentence}\n"
        "Tindakan: baca berita acaranya, periksa salinan di penyimpanan lain, lalu jalankan lagi gladi restore.\n"
        "Data dan layanan yang berjalan tidak disentuh."
    )
    for reference in references:
        trouble = deliver(reference, subject, body)
        reached("drill: told")
        with installation.catalog.begin() as connection:
            notices.record_notice(
                connection,
                procedure.id,
                recipient=recipient,
                channel=reference,
                subject=subject,
                delivered=trouble == "",
                detail=trouble,
            )
