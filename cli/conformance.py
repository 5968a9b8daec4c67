"""pulih conformance: was this procedure done as the SOP says?"""

from typing import TYPE_CHECKING

import click

from cli.completing import procedure_ids
from cli.output import Output, table
from recovery.calendar import format_moment
from recovery.errors import VerificationFailedError

if TYPE_CHECKING:
    from recovery.conformance import Judgement


@click.command("conformance")
@click.argument("procedure", shell_complete=procedure_ids)
@click.pass_obj
def command(output: Output, procedure: str) -> None:
    """Judge the PROCEDURE (its flow run's id or form number) step by step. Ends with 16 when it is not conformant.

    Looked at: every step of the register, its evidence, its time standard, its entry in the ledger, the forms, the
    decisions, and whether the schedule was approved. Nothing is changed.
    """
    # Here, because help must not cost the import of everything.
    from recovery.conformance import judge_procedure

    judged = judge_procedure(output.installation, procedure)
    output.show(judged.to_json(), _lines(judged))
    if judged.reasons:
        count = "1 reason" if len(judged.reasons) == 1 else f"{len(judged.reasons)} reasons"
        raise VerificationFailedError(
            f"the procedure {judged.procedure} is {judged.verdict}, for {count}",
            state="nothing was changed",
            hint="a step that is open can still be done; what was done late or otherwise needs a note to the file",
        )


def _lines(judged: "Judgement") -> list[str]:
    rows = [
        [
            each.title + (f" [{each.component}]" if each.component else ""),
            each.state,
            f"{each.name} {each.by}".strip() or "–",
            format_moment(each.at),
            "–" if each.in_time is None else "in time" if each.in_time else "LATE",
            ", ".join(each.evidence) or "–",
        ]
        for each in judged.steps
    ]
    approval = judged.schedule
    named = f"{approval['number']} version {approval['version']}, " if approval and approval["number"] else ""
    return [
        f"{judged.kind} {judged.subject}  {judged.procedure}",
        *table(["STEP", "STATE", "BY", "AT", "TIME", "EVIDENCE"], rows),
        f"forms: {', '.join(judged.forms) or '–'}",
        *([f"schedule: {named}{approval['state']}"] if approval else []),
        *(
            f"drill: {each['component']} from {each['store']}, {format_moment(each['at'])}: {each['verdict']}"
            for each in judged.drills
        ),
        *(f"  reason: {reason}" for reason in judged.reasons),
        judged.verdict.upper(),
    ]
