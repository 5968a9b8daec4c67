"""The facts of the Berita Acara Pemusnahan, from the recorded plan, the decision and what became of each set."""

from typing import Any

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.errors import NotFoundError
from recovery.forms import destruction as form_of_destruction
from recovery.forms.destruction import ComponentCount, DestructionForm, ListedSet
from recovery.forms.model import Document, FormFacts, Official, mask_nik
from recovery.installation import Installation
from recovery.procedures.people import approval_of, signer
from recovery.records import destructions, procedures
from recovery.records.destructions import BEGUN, DESTROYED, SKIPPED, Destruction
from recovery.retention_own_records import KEY as OWN_RECORDS
from recovery.sop import RETENTION_APPROVAL

APPROVED, REJECTED = "disetujui", "ditolak"


def destruction_facts(installation: Installation, procedure_id: str, document: Document) -> FormFacts:
    """Given a retention procedure, return the facts of its record, with decision and results when there are any."""
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        became = destructions.of_procedure(connection, procedure_id)
        official, approval, decision = approval_of(connection, procedure_id, RETENTION_APPROVAL)
        executor = _executor(connection, installation, procedure.parameters["plan"])
    plan: dict[str, Any] = procedure.parameters["plan"]
    approved = decision.get("decision") == APPROVED
    return form_of_destruction.build(
        document,
        DestructionForm(
            status=_status(decision, plan, became),
            drawn_up_at=plan["drawn_up_at"],
            procedure_id=procedure_id,
            plan_sha256=procedure.parameters["plan_sha256"],
            components=tuple(_count(installation, each) for each in plan["components"]),
            sets=tuple(
                _listed(installation, each, expired_words(each), _result(became.get(each["backup_id"]), approved))
                for each in plan["destroy"]
            ),
            waiting=tuple(_listed(installation, each, f"Menunggu: {each['locked']}", "") for each in plan["wait"]),
            executor=executor,
            official=official,
            note=mask_nik(decision.get("note", "")),
            approval=approval,
        ),
    )


def expired_words(item: dict[str, Any]) -> str:
    """Given a set of the plan, return in Indonesian why it goes."""
    words = (
        f"Melewati masa simpan {item['retention_days']} hari, sudah digantikan cadangan terverifikasi yang lebih baru"
    )
    if item.get("fault"):
        words += f"; rusak: {item['fault']}"
    if item.get("left_in"):  # what earlier releases recorded has none
        words += f"; TIDAK dihapus dari {', '.join(item['left_in'])}, yang tidak lagi dalam inventaris"
    return words


def titled(installation: Installation, component: str) -> str:
    """Given "application/component", return it as officials know it; one that is no more keeps its key."""
    if component == OWN_RECORDS:
        return f"Rekaman Pulih sendiri ({component})"
    try:
        application, settings = installation.component(component)
    except NotFoundError:
        return f"{component} (tidak lagi dalam inventaris)"
    return f"{application.title} – {settings.printed_name} ({component})"


def _executor(connection: Connection, installation: Installation, plan: dict[str, Any]) -> Official:
    """The executor of the schedules, when they have but one: whose backups they are."""
    named = {
        installation.schedules[each["schedule"]].executor
        for each in plan["destroy"]
        if each["schedule"] in installation.schedules
    }
    return signer(connection, named.pop()) if len(named) == 1 else Official()


def _status(decision: dict[str, Any], plan: dict[str, Any], became: dict[str, Destruction]) -> str:
    if not decision:
        return form_of_destruction.PROPOSED
    if decision["decision"] == REJECTED:
        return form_of_destruction.REJECTED
    destroyed = sum(each.state == DESTROYED for each in became.values())
    return form_of_destruction.DONE if destroyed == len(plan["destroy"]) else form_of_destruction.PARTLY


def _count(installation: Installation, counted: dict[str, Any]) -> ComponentCount:
    return ComponentCount(
        name=titled(installation, counted["component"]),
        verified=counted["verified"],
        verified_after=counted["verified_after"],
        promised=counted["promised"],
        destroyed=counted["destroyed"],
    )


def _listed(installation: Installation, item: dict[str, Any], reason: str, result: str) -> ListedSet:
    stores = [
        installation.stores[name].title or name if name in installation.stores else name for name in item["stores"]
    ]
    return ListedSet(
        name=item["name"],
        component=titled(installation, item["component"]),
        schedule=item["schedule"],
        moment=item["moment"],
        size=item["bytes"],
        stores=tuple(stores),
        manifest_sha256=item["manifest_sha256"],
        reason=reason,
        result=result,
    )


def _result(became: Destruction | None, approved: bool) -> str:
    if became is None:
        return "Tidak dimusnahkan" if approved else ""
    return {
        DESTROYED: f"DIMUSNAHKAN {format_moment(became.ended_at)}",
        SKIPPED: f"TIDAK DIMUSNAHKAN – {became.detail}",
        BEGUN: f"BELUM SELESAI, dilanjutkan pada pelaksanaan berikutnya – {became.detail}",
    }[became.state]
