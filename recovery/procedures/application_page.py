"""One page per application in Indonesian, for the artifact that officials read: its proven backups and last restore.

Made from the catalog alone, so that the newest page always tells all there is to tell, whatever became of older ones.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection

from recovery.calendar import format_bytes, format_moment
from recovery.forms.drill import VERDICTS
from recovery.installation import Installation
from recovery.newest import newest_by_order
from recovery.procedures.approval_text import plain
from recovery.procedures.restore_document import printed_status
from recovery.records import drills, forms, procedures, steps
from recovery.records.backups import Backup
from recovery.records.procedures import Procedure
from recovery.settings import ApplicationSettings, ComponentSettings
from recovery.sop import step

# Given a procedure's id, return the address of its run in the Prefect UI.
Link = Callable[[str], str]


def application_page(
    installation: Installation, application_name: str, link: Link, *, now: datetime | None = None
) -> str:
    """Given an application, return its page. Raises NotFoundError for an unknown one."""
    application = installation.application(application_name)
    with installation.catalog.read() as connection:
        sections = [
            line
            for component in application.components
            for line in _section(installation, connection, application, component, link, now or datetime.now(UTC))
        ]
        restore = _last_restore(connection, application_name, link)
    lines = [
        f"# Cadangan {plain(application.title)}",
        "",
        f"Pemilik data: {plain(application.owner_unit_title)}. Keadaan pada {format_moment(now or datetime.now(UTC))}.",
        "",
        *sections,
        "## Restore terakhir",
        "",
        restore,
    ]
    return "\n".join(lines) + "\n"


def applications_of(procedure: Procedure) -> list[str]:
    """Given a procedure, return the names of the applications that it is about."""
    components = procedure.parameters.get("components", [])
    names = [procedure.application] if procedure.application else [each.partition("/")[0] for each in components]
    return list(dict.fromkeys(names))


def _section(
    installation: Installation,
    connection: Connection,
    application: ApplicationSettings,
    component: ComponentSettings,
    link: Link,
    now: datetime,
) -> list[str]:
    """A list, not a row of a table: the Artifacts page cuts a table off at the right."""
    newest = newest_by_order(connection, application.name, component.name, now).backup
    lines = [("Cadangan terverifikasi terbaru", "**belum ada**")]
    if newest is not None:
        stores = ", ".join(_store_title(installation, store) for store in newest.stores)
        lines = [
            ("Cadangan terverifikasi terbaru", plain(newest.name or newest.id)),
            ("Titik pulih", format_moment(newest.moment)),
            ("Hasil uji", "✅ LULUS"),
            ("Ukuran", format_bytes(int(newest.facts["digests"]["cipher_size"]))),
            ("Disimpan di", plain(stores)),
            ("Disimpan sampai", format_moment(newest.retention_until)),
            ("Formulir", _form_link(connection, newest, link)),
        ]
    lines.append(("Gladi restore terakhir", _drill(installation, connection, application, component.name, link)))
    failure = _failure(connection, application, component.name, link)
    return [
        f"## {plain(component.printed_name)}",
        "",
        *(f"- **{label}:** {text}" for label, text in lines),
        *([f"- {failure}"] if failure else []),
        "",
    ]


def _drill(
    installation: Installation, connection: Connection, application: ApplicationSettings, name: str, link: Link
) -> str:
    newest = drills.newest(connection, f"{application.name}/{name}")
    if newest is None:
        return "belum pernah"
    mark = "✅" if newest.passed else "❌"
    when = _linked(format_moment(newest.ended_at), link(newest.procedure_id))
    store = f", salinan di {plain(_store_title(installation, newest.store))}" if newest.store else ""
    return f"{mark} {VERDICTS[newest.verdict]} ({when}{store})"


def _store_title(installation: Installation, name: str) -> str:
    settings = installation.stores.get(name)
    return (settings.title or name) if settings else name


def _form_link(connection: Connection, backup: Backup, link: Link) -> str:
    form = forms.latest(connection, "backup", backup.procedure_id)
    return _linked(form.number if form else "formulir belum terbit", link(backup.procedure_id))


def _failure(connection: Connection, application: ApplicationSettings, name: str, link: Link) -> str:
    """Whether the newest backup failed: what stands on the page is then older than it should be."""
    row = steps.newest_failure(connection, f"{application.name}/{name}")
    if row is None:
        return ""
    run = _linked(format_moment(row.ended_at or row.opened_at), link(row.procedure_id))
    return f"❌ **Back up terbaru GAGAL** ({run}), langkah {plain(step(row.step_id).title)}"


def _last_restore(connection: Connection, application: str, link: Link) -> str:
    found = [each for each in procedures.list_all(connection, "restore") if each.application == application]
    if not found:
        return "Belum pernah."
    last = found[-1]
    form = forms.latest(connection, "restore", last.id) or forms.latest(connection, "restore_request", last.id)
    number = _linked(form.number if form else "formulir belum terbit", link(last.id))
    if last.state == "closed":
        return f"{number}: **{plain(_result(connection, last))}**, selesai {format_moment(last.closed_at)}."
    return f"{number}: **sedang berjalan**, dimulai {format_moment(last.opened_at)}."


def _result(connection: Connection, restore: Procedure) -> str:
    started = steps.evidence_of(connection, restore.id, "restore.6")
    return printed_status(started) if started and started["status"] == restore.outcome else restore.outcome


def _linked(text: str, address: str) -> str:
    return f"[{plain(text)}]({address})" if address else plain(text)
