"""The facts of Formulir Permintaan Restore Data, from the records."""

from recovery.forms import restore_request
from recovery.forms.model import Document, FormFacts, mask_nik
from recovery.forms.restore_request import DataVerification, Disposition, RestoreRequestForm
from recovery.installation import Installation
from recovery.procedures.people import approval_of, signer
from recovery.procedures.restore.inventoried import application_title
from recovery.records import procedures

RESPONSIBILITY = "Pemohon menyatakan bertanggung jawab atas kebenaran permintaan ini."


def restore_request_facts(installation: Installation, procedure_id: str, document: Document) -> FormFacts:
    """Given a restore procedure, return the facts of the request's form with what was decided on it so far."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        request = procedure.parameters["request"]
        requester = signer(connection, request["nip_pemohon"])
        disposer, disposed, disposition = approval_of(connection, procedure_id, "restore.2")
        verifier, verified, verification = approval_of(connection, procedure_id, "restore.3")
    settings = installation.applications.get(procedure.application)
    disposition_answers = disposition.get("answers", {})
    verification_answers = verification.get("answers", {})
    return restore_request.build(
        document,
        RestoreRequestForm(
            letter_number=request["nomor_surat"],
            letter_date=request["tanggal_surat"],
            unit=procedure.parameters["requester_unit"],
            requester=requester,
            contact=request["kontak_dinas"],
            signing_official=request["penandatangan"],
            application=application_title(installation, procedure.application),
            # Of one that left the inventory before it was decided on, the version before says them.
            components=tuple(component.printed_name for component in settings.components) if settings else (),
            damage=mask_nik(request["uraian_kerusakan"]),
            occurred_at=request["waktu_kejadian"],
            recovery_point=request["titik_pulih"],
            recovery_point_reason=mask_nik(request["alasan_titik_pulih"]),
            data_kind=request["jenis_data"],
            personal_data=request["data_pribadi"],
            authority=request["dasar_kewenangan"],
            accepts_loss=True,
            urgency=request["urgensi"],
            downtime_allowed=request["waktu_henti"],
            attachments=(request["lampiran"],) if request["lampiran"] else (),
            responsibility=RESPONSIBILITY,
            disposition=Disposition(
                agenda_number=disposition_answers.get("nomor_agenda", ""),
                received_on=procedure.opened_at if disposition else "",
                nature=disposition_answers.get("sifat", ""),
                forwarded_to="Kabid Aptika" if disposition.get("decision") == "diteruskan" else "",
                instruction=mask_nik(
                    disposition_answers.get("instruksi", "")
                    if disposition.get("decision") == "diteruskan"
                    else disposition.get("note", "")
                ),
                disposed_on=disposition.get("submitted_at", ""),
                approval=disposed,
            ),
            verification=DataVerification(
                data_kind_matches=_yes(verification_answers.get("jenis_data_sesuai")),
                requester_authorised=_yes(verification_answers.get("pemohon_berwenang")),
                backup_available=_yes(verification_answers.get("cadangan_utuh")),
                other_units=mask_nik(verification_answers.get("dampak_unit_lain", "")),
                personal_data_handling=mask_nik(verification_answers.get("penanganan_data_pribadi", "")),
                decision=verification.get("decision", ""),
                reason=mask_nik(verification.get("note", "")),
                decided_on=verification.get("submitted_at", ""),
                approval=verified,
            ),
            disposer=disposer,
            verifier=verifier,
        ),
    )


def _yes(answer: str | None) -> bool | None:
    return None if answer is None else answer == "ya"
