"""pulih status: what is open, who must act until when, and the newest proof of every component."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cli.output import Output, table
from recovery.calendar import format_moment

if TYPE_CHECKING:
    from recovery.standing import Overview, Standing


@click.command("status")
@click.pass_obj
def command(output: Output) -> None:
    """Say which procedures are open, at which step, who must act, since when and until when; and the last proofs."""
    # Here, because help must not cost the import of everything.
    from recovery.standing import overview

    found = overview(output.installation, datetime.now(UTC))
    output.show(found.to_json(), _lines(found))


def _lines(found: "Overview") -> list[str]:
    lines = []
    for procedure in found.procedures:
        lines.append(
            f"{procedure.kind} {procedure.subject}  {procedure.id}  since {format_moment(procedure.opened_at)}"
        )
        lines += [f"  {_line(each)}" for each in procedure.waits_for]
        if procedure.missing:
            missing = ", ".join(procedure.missing)
            lines.append(f"  NOT in the inventory any more: {missing}; `pulih guard` says what to do")
    rows = [
        [
            each.component,
            format_moment(each.moment),
            format_moment(each.drilled_at),
            each.name or "–",
            ", ".join(each.alarms).upper(),
        ]
        for each in found.components
    ]
    head = ["COMPONENT", "LAST VERIFIED", "LAST DRILLED", "NAME", ""]
    return [*(lines or ["no procedure is open"]), "", *table(head, rows)]


def _line(waits: "Standing") -> str:
    subject = f" [{waits.component}]" if waits.component else ""
    names = ", ".join(official["name"] for official in waits.officials)
    match waits.state:
        case "waiting":
            names = names or "NOBODY who may answer"
            who = f"waits for {waits.role} ({names})" if waits.role else f"waits for {names}"
        case "failed":
            who = f"FAILED, retry its run: {waits.error}"
        case "open":
            who = f"is being done for {waits.role}"
        case _:
            who = f"comes next, for {waits.role}"
    until = f", until {format_moment(waits.deadline)}" if waits.deadline else ""
    late = " LATE" if waits.late else ""
    return f"{waits.title}{subject}: {who}, since {format_moment(waits.since)}{until}{late}"
