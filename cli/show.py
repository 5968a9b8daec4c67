"""pulih show: one backup by its name or id, or one procedure by its id or form number."""

from typing import Any

import click
from sqlalchemy import Connection

from cli.completing import backups_and_procedures
from cli.output import Output
from recovery.calendar import format_bytes, format_moment
from recovery.errors import NotFoundError
from recovery.records import approvals, backups, forms, notices, procedures, steps
from recovery.records.waiting import OpenRequest, open_requests
from recovery.sop import GATES, title_of

Shown = tuple[dict[str, Any], list[str]]


@click.command("show")
@click.argument("name", shell_complete=backups_and_procedures)
@click.pass_obj
def command(output: Output, name: str) -> None:
    """Show the backup with that NAME or id, or the procedure with that id or form number, step by step."""
    with output.installation.catalog.read() as connection:
        shown = _backup(connection, name) or _procedure(connection, name)
    if shown is None:
        raise NotFoundError(
            f"nothing is called {name!r}",
            state="nothing was read",
            hint="`pulih backups` lists names; procedures are named by flow run id or form number",
        )
    output.show(*shown)


def _backup(connection: Connection, name: str) -> Shown | None:
    backup = backups.by_name(connection, name)
    if backup is None:
        backup = next((found for found in backups.list_backups(connection) if found.id == name), None)
    if backup is None:
        return None
    totals, digests = backup.facts["fingerprint"]["totals"], backup.facts["digests"]
    lines = {
        "name": backup.name or "– (it gets one in step 3)",
        "id": backup.id,
        "component": backup.key,
        "moment": format_moment(backup.moment),
        "state": backup.state,
        "verdict": backup.verdict or "–",
        "content": f"{totals['objects']} objects, {totals['rows']} rows, {totals['bytes']} bytes",
        "size": format_bytes(digests["cipher_size"]),
        "sha256": digests["cipher_sha256"],
        "manifest": backup.manifest_sha256 or "–",
        "stores": ", ".join(backup.stores) or "–",
        "kept until": format_moment(backup.retention_until),
        "procedure": backup.procedure_id,
    }
    warnings = [f"{'warning':12} {warning}" for warning in backup.facts.get("warnings", [])]
    data = {"backup": {**vars(backup), "stores": list(backup.stores)}}
    return data, [*(f"{label:12} {value}" for label, value in lines.items()), *warnings]


def _procedure(connection: Connection, name: str) -> Shown | None:
    procedure = procedures.find(connection, name) or procedures.by_form(connection, name)
    if procedure is None:
        return None
    rows = steps.list_steps(connection, procedure.id)
    asked = sorted({row.step_id for row in rows} | GATES.keys())
    decisions = [found for found in (approvals.decision_of(connection, procedure.id, each) for each in asked) if found]
    waiting = [each for each in open_requests(connection) if each.request.procedure_id == procedure.id]
    papers = forms.list_forms(connection, procedure.id)
    told = notices.list_notices(connection, procedure.id)
    data = {
        "procedure": vars(procedure),
        "steps": [vars(row) for row in rows],
        "decisions": [decision.to_json() for decision in decisions],
        "waiting": [_waiting(each) for each in waiting],
        "forms": [
            {
                "number": form.number,
                "kind": form.kind,
                "version": form.version,
                "pdf_sha256": form.pdf_sha256,
                "path": form.path,
            }
            for form in papers
        ],
        "notices": [vars(notice) for notice in told],
    }
    return data, [
        *_head(procedure),
        *(_step_line(row) for row in rows),
        *(f"  waiting   {title_of(each.request.step_id)}: {_who(each)}" for each in waiting),
        *(
            f"  decision  {title_of(decision.step_id)}: {decision.decision} by {decision.nip}, "
            f"{format_moment(decision.recorded_at)}"
            for decision in decisions
        ),
        *(f"  form      {form.number} version {form.version}: {form.path}" for form in papers),
        *(
            f"  notice    {notice.subject}: "
            + ("delivered" if notice.delivered else f"NOT delivered ({notice.detail})")
            for notice in told
        ),
    ]


def _head(procedure: procedures.Procedure) -> list[str]:
    subject = f"{procedure.kind} {procedure.application or procedure.schedule}"
    ended = f", closed {format_moment(procedure.closed_at)}" if procedure.closed_at else ""
    return [
        f"{subject}  {procedure.state}  {procedure.outcome}".rstrip(),
        f"id {procedure.id}",
        f"opened {format_moment(procedure.opened_at)}{ended}",
    ]


def _step_line(row: steps.StepRow) -> str:
    subject = f" [{row.component}]" if row.component else ""
    return f"  {row.state:9} {title_of(row.step_id)}{subject}" + (f": {row.error}" if row.error else "")


def _who(waiting: OpenRequest) -> str:
    names = ", ".join(official.name for official in waiting.officials) or "NOBODY who may answer"
    return f"waits for {names}, until {format_moment(waiting.request.expires_at)}"


def _waiting(waiting: OpenRequest) -> dict[str, Any]:
    return {
        "step_id": waiting.request.step_id,
        "attempt": waiting.request.attempt,
        "code": waiting.request.code,
        "officials": [official.nip for official in waiting.officials],
        "expires_at": waiting.request.expires_at,
    }
