"""Ending a procedure: its record is closed, leftovers are removed, and the ledger's head is written to the stores."""

from dataclasses import dataclass

from recovery.calendar import format_duration
from recovery.copies import put_into_every_store
from recovery.errors import ConfigurationError, ObjectExistsError, ProcedureError, PulihError
from recovery.installation import Installation
from recovery.own_records import back_up_records
from recovery.points import reached
from recovery.procedures.decided import decision_recorded
from recovery.procedures.giving_up import data_in_words, not_to_be_given_up, outcome_of_giving_up
from recovery.procedures.informing import inform_requester, unless_told
from recovery.procedures.restore.inventoried import missing_of_restore
from recovery.procedures.restore.r6_start_service import SUCCEEDED
from recovery.procedures.restore.r8_acknowledge import acknowledge
from recovery.procedures.restore.rehearsal import discard_rehearsed
from recovery.procedures.restore_document import printed_status
from recovery.procedures.schedule_approval import APPROVED, KIND, recorded_approval
from recovery.records import approvals, backups, forms, ledger, ledger_heads, notices, procedures, steps
from recovery.records.procedures import GIVEN_UP, INTERRUPTED, SUPERSEDED
from recovery.sop import SCHEDULE_APPROVAL
from recovery.stores.base import Store


@dataclass(frozen=True)
class Conclusion:
    """How a procedure ended: whether well, and one Indonesian sentence for the dashboard."""

    good: bool
    sentence: str


def conclude_backup(installation: Installation, procedure_id: str) -> Conclusion:
    """Close a reviewed backup. It ended well when every component is secured and the Kabid found the form in order."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        review = steps.evidence_of(connection, procedure_id, "backup.6") or {}
        secured = {
            backup.key for backup in backups.list_of_procedure(connection, procedure_id) if backup.state == "secured"
        }
    failed = [component for component in procedure.parameters["components"] if component not in secured]
    accepted = review["decision"] == "sesuai"
    if failed:
        sentence = f"Gagal untuk {', '.join(failed)}; lihat formulir {review['form_number']}."
    elif not accepted:
        sentence = f"Formulir {review['form_number']} dinyatakan tidak sesuai oleh Kabid: {review['note']}"
    else:
        sentence = (
            f"{len(secured)} komponen dicadangkan, diverifikasi, dan diamankan. Formulir {review['form_number']}."
        )
    approval = recorded_approval(procedure)
    if not approval.approved:
        sentence += f" {approval.words}."
    good = accepted and not failed
    return close(installation, procedure_id, "berhasil" if good else "gagal", Conclusion(good, sentence))


def conclude_schedule(installation: Installation, procedure_id: str) -> Conclusion:
    """Close a decided approval of a schedule. It ended well when the document is approved."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        form = forms.latest(connection, KIND, procedure_id)
    decision = decision_recorded(installation, procedure_id, SCHEDULE_APPROVAL)
    if procedure.outcome == SUPERSEDED:
        return Conclusion(False, "Keputusan ini tidak dipakai: pengesahan jadwal ini sudah dimulai lagi sesudahnya.")
    if form is None or decision is None:
        raise ProcedureError(
            f"the schedule of {procedure_id} is not decided", state="it stays open", hint="answer the suspended run"
        )
    good = decision.decision == APPROVED
    words = "disahkan." if good else f"ditolak: {decision.note}"
    sentence = f"Jadwal Back Up {form.number} versi {form.version} {words}"
    return close(installation, procedure_id, decision.decision, Conclusion(good, sentence))


def conclude_restore(installation: Installation, procedure_id: str) -> Conclusion:
    """Close an acknowledged restore. It ended well when the new data is live and its requester finds it in order."""
    with installation.catalog.read() as connection:
        started = steps.evidence_of(connection, procedure_id, "restore.6") or {}
        receipt = steps.evidence_of(connection, procedure_id, "restore.8") or {}
    if started["status"] != SUCCEEDED:
        _discard_copies(installation, procedure_id)
        sentence = f"Tidak berhasil ({printed_status(started)}): data lama tetap dipakai, layanan berjalan."
        return close(installation, procedure_id, started["status"], Conclusion(False, sentence))
    downtime = format_duration(started["downtime_milliseconds"] / 1000)
    sentence = f"Data dipulihkan, lama henti {downtime}; pemohon menyatakan {receipt['decision']}"
    if receipt["decision"] != "sesuai":
        sentence += f": {receipt['note']}"
        return close(installation, procedure_id, receipt["decision"], Conclusion(False, sentence))
    return close(installation, procedure_id, SUCCEEDED, Conclusion(True, f"{sentence}."))


def conclude_returned(installation: Installation, procedure_id: str) -> Conclusion:
    """Close a request that the Kadis returned, and tell the requester why."""
    return _refused(installation, procedure_id, "restore.2", "dikembalikan", "Permintaan dikembalikan")


def conclude_rejected(installation: Installation, procedure_id: str) -> Conclusion:
    """Close a request that the Kabid rejected, and tell the requester why."""
    return _refused(installation, procedure_id, "restore.3", "ditolak", "Permintaan ditolak")


def conclude_cancelled(installation: Installation, procedure_id: str) -> Conclusion:
    """Close a restore that the executor called off before the service was stopped, and tell the requester why."""
    _discard_copies(installation, procedure_id)
    return _refused(installation, procedure_id, "restore.start", "dibatalkan", "Restore dibatalkan")


def conclude_given_up(installation: Installation, procedure_id: str, reason: str) -> Conclusion:
    """Close an open restore or backup that will not go on, with an administrator's reason; tell a restore's requester.

    A restore before step 4, also when that failed before it stopped anything, or after step 7 when its receipt does not
    come: without it the next request would be refused for ever. In between services may be stopped, and the guard
    brings them back; once it has settled what died, such a restore is closed, too, and a backup after a day. A call
    that died before the requester was told is made again. A restore whose requester has answered is brought to the
    end that his answer gives it. Raises NotFoundError, ConfigurationError when no reason is given, and ProcedureError
    for any other procedure.
    """
    if not reason.strip():
        raise ConfigurationError(
            "a procedure is given up with a reason, and none was given",
            state="nothing was changed",
            hint="write --reason: it is recorded, and the requester reads it",
        )
    with installation.catalog.read() as connection:
        answered = approvals.decision_of(connection, procedure_id, "restore.8") is not None
        unfinished = procedures.get(connection, procedure_id).state == "open"
    if answered and unfinished:
        return _finish_answered(installation, procedure_id, reason)
    with installation.catalog.begin() as connection:
        procedure = procedures.get(connection, procedure_id)
        subject = f"Permintaan ditutup: restore {procedure.application}"
        told = any(notice.subject == subject for notice in notices.list_notices(connection, procedure_id))
        outcome = outcome_of_giving_up(connection, procedure)
        if procedure.state == "open":
            # In the transaction that looked: step 4, which begins in one of its own, or the receipt comes before or
            # never.
            procedures.record_giving_up(connection, procedure_id, outcome, reason)
        elif told or procedure.outcome != outcome:
            raise not_to_be_given_up(procedure)
        informed = steps.evidence_of(connection, procedure_id, "restore.7") or {}
        secured = [each for each in backups.list_of_procedure(connection, procedure_id) if each.state == "secured"]
        data = data_in_words(connection, procedure_id)
    if procedure.kind == "backup":
        of = len(procedure.parameters["components"])
        kept = f"{len(secured)} dari {of} komponen sudah diamankan dan tetap tercatat."
        sentence = f"Back up terputus dan ditutup. Alasan: {reason}\n{kept}"
        return close(installation, procedure_id, outcome, Conclusion(True, sentence))
    if outcome == GIVEN_UP:
        words, fact = "Permintaan ditutup", "Tidak ada data atau layanan yang diubah."
    elif outcome == INTERRUPTED:
        words, fact = "Restore terputus, permintaan ditutup", f"{data} Ajukan permintaan baru bila masih diperlukan."
    else:
        words, fact = "Permintaan ditutup tanpa tanda terima", f"Hasilnya tetap: formulir {informed['form_number']}."
    sentence = f"{words}. Alasan: {reason}"
    inform_requester(installation, procedure, "", subject=subject, body=f"{sentence}\n{fact}")
    sentence += unless_told(installation, procedure, subject)
    # After him: on a host that cannot be reached the guard removes them later.
    left = _discard_copies(installation, procedure_id)
    if left:
        sentence += (
            f"\n{', '.join(left)} tidak lagi dalam inventaris: salinan gladi yang mungkin ada di samping datanya tidak "
            "dihapus. Penjaga menghapusnya bila entri itu dikembalikan."
        )
    return close(installation, procedure_id, outcome, Conclusion(True, sentence))


def _finish_answered(installation: Installation, procedure_id: str, reason: str) -> Conclusion:
    """Do what a run that vanished after the requester's answer would have done; a run that is alive does the same."""
    with installation.catalog.begin() as connection:
        ledger.append(connection, "procedure.finished_without_run", {"reason": reason}, procedure_id=procedure_id)
    steps.perform(installation.catalog, "restore.8", procedure_id, lambda: acknowledge(installation, procedure_id))
    return conclude_restore(installation, procedure_id)


def _refused(installation: Installation, procedure_id: str, step_id: str, outcome: str, words: str) -> Conclusion:
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        decision = approvals.decision_of(connection, procedure_id, step_id)
    reason = decision.note if decision else ""
    sentence = f"{words}. Alasan: {reason}"
    subject = f"{words}: restore {procedure.application}"
    if procedure.state == "open":
        inform_requester(
            installation,
            procedure,
            step_id,
            subject=subject,
            body=f"{sentence}\nTidak ada data atau layanan yang diubah.",
        )
    sentence += unless_told(installation, procedure, subject)
    return close(installation, procedure_id, outcome, Conclusion(True, sentence))


def _discard_copies(installation: Installation, procedure_id: str) -> tuple[str, ...]:
    """Remove the copies that this procedure loaded beside live data and did not make live; return what left the
    inventory since, beside whose data such copies may lie."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        missing = missing_of_restore(connection, installation, procedure)
        rehearsed = steps.find(connection, procedure_id, "restore.3") is not None
    if procedure.application in installation.applications:
        for component in installation.application(procedure.application).components:
            discard_rehearsed(installation, procedure_id, f"{procedure.application}/{component.name}")
    return missing if rehearsed else ()


def close(installation: Installation, procedure_id: str, outcome: str, conclusion: Conclusion) -> Conclusion:
    """End a procedure that has come to a conclusion: remove what it left, close its record, and anchor the ledger."""
    installation.sweep(procedure_id)
    reached("conclusion: staging and scratch removed")
    procedures.close_procedure(installation.catalog, procedure_id, outcome)
    # After closing, so that the head that lies in the stores covers the whole procedure.
    try:
        _anchor(installation, procedure_id)
    except PulihError:
        back_up_records(installation, procedure_id)
        raise
    reached("conclusion: head in the stores")
    # With them, a key and the escrow sheet everything can be rebuilt as it stands now.
    back_up_records(installation, procedure_id)
    return conclusion


def _anchor(installation: Installation, procedure_id: str) -> None:
    """Sign the ledger's head into every store. Where somebody took its place, that store lacks it and the ledger says
    so: a retry would not help."""
    refused: dict[str, str] = {}

    def put(store: Store) -> None:
        try:
            ledger_heads.anchor(installation.catalog, store, installation.signer)
        except ObjectExistsError as error:
            refused[store.name] = error.message

    put_into_every_store(installation, put)
    if refused:
        with installation.catalog.begin() as connection:
            ledger.append(connection, ledger.HEAD_REFUSED, {"stores": refused}, procedure_id=procedure_id)
