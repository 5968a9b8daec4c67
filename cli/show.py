"""pulih show: one backup by its name, or one procedure by its id or form number."""

from typing import Any

import click

from cli.output import Output
from recovery.calendar import format_moment
from recovery.errors import NotFoundError
from recovery.records import backups, forms, procedures, steps
from recovery.records.catalog import Catalog
from recovery.sop import step


@click.command("show")
@click.argument("name")
@click.pass_obj
def command(output: Output, name: str) -> None:
    """Show the backup NAME, or the procedure with that id or form number, step by step."""
    catalog = output.installation.catalog
    shown = _backup(catalog, name) or _procedure(catalog, name)
    if shown is None:
        raise NotFoundError(
            f"nothing is called {name!r}",
            hint="`pulih backups` lists names; procedures are named by flow run id or form number",
        )
    output.show(shown[0], shown[1])


def _backup(catalog: Catalog, name: str) -> tuple[Any, list[str]] | None:
    with catalog.read() as connection:
        backup = backups.by_name(connection, name)
    if backup is None:
        return None
    totals = backup.facts["fingerprint"]["totals"]
    data = {**vars(backup), "stores": list(backup.stores)}
    return data, [
        f"name           {backup.name}",
        f"component      {backup.key}",
        f"moment         {format_moment(backup.moment)}",
        f"state          {backup.state}, verdict {backup.verdict}",
        f"content        {totals['objects']} objects, {totals['rows']} rows, {totals['bytes']} bytes",
        f"sha256         {backup.facts['digests']['cipher_sha256']}",
        f"manifest       {backup.manifest_sha256}",
        f"stores         {', '.join(backup.stores)}",
        f"kept until     {format_moment(backup.retention_until)}",
        *[f"warning        {warning}" for warning in backup.facts.get("warnings", [])],
    ]


def _procedure(catalog: Catalog, name: str) -> tuple[Any, list[str]] | None:
    with catalog.read() as connection:
        procedure = procedures.find(connection, name) or procedures.by_form(connection, name)
        if procedure is None:
            return None
        rows = steps.list_steps(connection, procedure.id)
        papers = forms.list_forms(connection, procedure.id)
    data = {
        "procedure": vars(procedure),
        "steps": [vars(row) for row in rows],
        "forms": [{"number": form.number, "version": form.version, "path": form.path} for form in papers],
    }
    lines = [
        f"{procedure.kind} {procedure.application or procedure.schedule}  {procedure.state}  {procedure.outcome}".rstrip(),
        f"opened {format_moment(procedure.opened_at)}",
    ]
    for row in rows:
        subject = f" [{row.component}]" if row.component else ""
        lines.append(f"  {row.state:6} {step(row.step_id).title}{subject}" + (f": {row.error}" if row.error else ""))
    lines += [f"  form   {form.number} version {form.version}: {form.path}" for form in papers]
    return data, lines
