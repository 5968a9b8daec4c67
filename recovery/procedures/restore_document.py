"""The facts of Formulir Pelaksanaan Restore Data, from the records: the true status, whatever was hoped for."""

from typing import Any

from recovery.calendar import format_duration, format_moment
from recovery.forms import restore as form_of_restore
from recovery.forms.model import Document, FormFacts, mask_nik
from recovery.forms.restore import FAILED, SUCCEEDED, Notification, RestoredComponent, RestoreForm, SafetyCopy
from recovery.installation import Installation
from recovery.procedures.informing import Telling, tellings
from recovery.procedures.people import approval_of, signer
from recovery.procedures.restore.interventions import Intervention, Unopened, interventions, unopened
from recovery.procedures.restore.inventoried import component_title, missing_of
from recovery.procedures.restore.r6_start_service import SUCCEEDED as NEW_DATA_LIVE
from recovery.records import forms, journal, procedures, steps
from recovery.sop import EXECUTOR_START, step


def restore_facts(installation: Installation, procedure_id: str, document: Document) -> FormFacts:
    """Given a restore whose service runs again, return the facts of its form."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        rows = {row.step_id: row for row in steps.list_steps(connection, procedure_id)}
        request_form = forms.latest(connection, "restore_request", procedure_id)
        entries = {entry.component: entry for entry in journal.entries(connection, procedure_id)}
        sent = [told for told in tellings(connection, procedure) if told.step_id == "restore.7"]
        executor, started_approval, _start = approval_of(connection, procedure_id, EXECUTOR_START)
        verifier, _verified, _verification = approval_of(connection, procedure_id, "restore.3")
        requester = signer(connection, procedure.parameters["request"]["nip_pemohon"])
        _by, received_approval, receipt = approval_of(connection, procedure_id, "restore.8")
        helped = interventions(connection, procedure_id)
        closed = unopened(connection, procedure_id)
    evidence: dict[str, dict[str, Any]] = {step_id: row.evidence or {} for step_id, row in rows.items()}
    stopped, swapped, started = (evidence.get(f"restore.{number}", {}) for number in (4, 5, 6))
    verified = evidence["restore.3"]
    good = started["status"] == NEW_DATA_LIVE
    status = printed_status(started)
    titles = {component: component_title(installation, component) for component in verified["plan"]}
    return form_of_restore.build(
        document,
        RestoreForm(
            request_number=request_form.number if request_form else "",
            execution_id=procedure_id,
            executor=executor,
            stopped_at=stopped.get("stopped_at", ""),
            quiet=quiet_in_words(stopped),
            safety_copies=tuple(
                SafetyCopy(component=titles[component], name=entry.receipt.get("copy", ""))
                for component, entry in entries.items()
                if entry.state == "kept"
            ),
            components=tuple(
                RestoredComponent(
                    component=titles[component],
                    backup_name=chosen["name"],
                    sha256=verified["rehearsal"][component]["data_sha256"],
                    matched=True,
                    recovery_point=chosen["moment"],
                    target=_target(installation, component),
                    started_at=swapped.get("begun_at", ""),
                    ended_at=swapped.get("ended_at", ""),
                    verification=f"gladi LULUS ({verified['rehearsal'][component]['checks']['checks']} pemeriksaan)"
                    + ("; data baru aktif" if good else "; data lama tetap aktif"),
                )
                for component, chosen in verified["plan"].items()
            ),
            started_at=started["started_at"],
            service_test=_health(started),
            downtime=_seconds(started["downtime_milliseconds"]),
            unrecovered=_unrecovered(good, verified["plan"]),
            status=status,
            problems=_problems(rows, started, helped, closed),
            notification=Notification(
                recipient=requester.line(),
                sent_at=sent[0].first_at if sent else "",
                channel=_channel(sent),
                received_at=receipt.get("submitted_at", ""),
                received=receipt.get("decision", ""),
                note=mask_nik(receipt.get("note", "")),
                approval=received_approval,
            ),
            approver=verifier,
            requester=requester,
            executor_approval=started_approval,
        ),
    )


def printed_status(started: dict[str, Any]) -> str:
    """Given the evidence of step 6, return the status in the words of the form.

    Wherever people read it: "dikembalikan" alone is the SOP's word for a request that the Kadis sent back.
    """
    return SUCCEEDED if started["status"] == NEW_DATA_LIVE else FAILED


def _target(installation: Installation, key: str) -> str:
    if missing_of(installation, key.partition("/")[0], [key]):
        return f"{key} (tidak lagi dalam inventaris)"
    application, component = installation.component(key)
    return f"{installation.host_of(application).title()}: {component.location}"


def quiet_in_words(stopped: dict[str, Any]) -> str:
    """Given the evidence of step 4, or none, return what is proven of "tidak ada transaksi", as forms say it."""
    if not stopped:
        return "TIDAK TERBUKTI: layanan tidak berhenti, data tidak disentuh"
    services = ", ".join(_down(down) for down in stopped["quiet"]["down"])
    sources = stopped["quiet"]["sources"].values()
    nobody = []
    if any("sessions" in source for source in sources):
        nobody.append("tidak ada koneksi ke basis data")
    if any("holders" in source for source in sources):
        # Processes that the worker's account may not look into are said to be so, not counted as quiet.
        seen = all(source.get("proven", True) for source in sources)
        nobody.append("tidak ada proses yang membuka data" + ("" if seen else " (sebagian proses tidak dapat dilihat)"))
    return ", ".join([f"layanan {services} mati", "alamat uji tidak menjawab", *nobody])


def _down(down: dict[str, Any]) -> str:
    """What of a service was seen to be down; records of earlier releases name it alone."""
    watched = down.get("watched", {})
    parts = [f"unit {unit}" for unit in down.get("units", {})]
    parts += [f"port {watched['port']}"] if "port" in watched else []
    parts += [watched["health_url"]] if "health_url" in watched else []
    if "page_url" in watched:
        shown = "tampil" if down["page"] == "shown" else "tidak menjawab"
        parts.append(f"halaman pemeliharaan {watched['page_url']} {shown}")
    return f"{down['service']} ({', '.join(parts)})" if parts else str(down["service"])


def _health(started: dict[str, Any]) -> str:
    # "sehat" is said only because step 6 raises, and leaves no evidence, when it is not true.
    return "; ".join(
        f"{entry['service']}: sehat setelah {format_duration(entry['seconds'])}" for entry in started["health"]
    )


def _unrecovered(good: bool, plan: dict[str, Any]) -> str:
    if not good:
        return "tidak ada yang dipulihkan; data sebelum restore tetap dipakai"
    return "data yang masuk sesudah titik pulih (tersimpan dalam salinan pengaman)"


def _problems(rows: dict[str, Any], started: dict[str, Any], helped: list[Intervention], closed: list[Unopened]) -> str:
    failed = [
        f"langkah {step(step_id).title} gagal (pesan sistem: {row.error})"
        for step_id, row in rows.items()
        if step_id in ("restore.4", "restore.5") and row.state == "failed"
    ]
    failed += [
        f"proses restore terhenti; penjaga menjalankan layanan dengan data {'baru' if done.new_data else 'lama'} "
        f"pada {format_moment(done.at)}"
        for done in helped
    ]
    failed += [
        f"layanan sehat, tetapi belum terbuka bagi pengguna pada {format_moment(each.at)} (pesan sistem: {each.reason})"
        for each in closed
    ]
    if started.get("trouble"):
        failed.append(f"layanan tidak sehat dengan data baru (pesan sistem: {started['trouble']})")
    return mask_nik("\n".join(failed))


def _channel(sent: list[Telling]) -> str:
    if not sent:
        return ""
    delivered = any(told.delivered for told in sent)
    return "pemberitahuan elektronik" if delivered else "pemberitahuan elektronik GAGAL dikirim"


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
