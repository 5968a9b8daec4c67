"""pulih retention: what may be destroyed, without destroying anything."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cli.output import Output, table
from recovery.calendar import format_bytes, format_moment

if TYPE_CHECKING:
    from recovery.retention_plan import DrawnUpPlan


@click.group("retention")
def command() -> None:
    """See which sets stay and which may be destroyed."""


@command.command("plan")
@click.option("--all", "everything", is_flag=True, help="Also list every set that stays, with all its reasons.")
@click.pass_obj
def plan(output: Output, everything: bool) -> None:
    """Draw up the plan as the deployment `pemusnahan` does, and change nothing.

    It is the same function on the same records and stores: what stands here is what the Kabid would be asked now.
    """
    from recovery.retention import planned_json
    from recovery.retention_plan import draw_up

    drawn_up = draw_up(output.installation, datetime.now(UTC))
    kept = [planned_json(each) for each in drawn_up.plan.of("keep")]
    document = {**drawn_up.document, "sha256": drawn_up.sha256, "keep": kept}
    output.show(document, _lines(drawn_up, everything))


def _lines(drawn_up: "DrawnUpPlan", everything: bool) -> list[str]:
    from recovery.retention import words

    document = drawn_up.document
    if document["suspicion"]:
        return [f"NOTHING MAY BE DESTROYED, the clock is not believed: {document['suspicion']}"]
    shown = [each for each in drawn_up.plan.sets if everything or each.decision != "keep"]
    rows = [
        [
            each.decision,
            each.set.component,
            format_moment(each.set.moment),
            each.set.name,
            "; ".join(words(reason, each.set) for reason in each.reasons),
        ]
        for each in shown
    ]
    kept = len(drawn_up.plan.of("keep"))
    size = format_bytes(sum(each["bytes"] * len(each["stores"]) for each in document["destroy"]))
    return [
        *(table(["DECISION", "COMPONENT", "MOMENT", "NAME", "WHY"], rows) if rows else []),
        *(f"does not count as verified: {each['name']}: {each['fault']}" for each in document["faults"]),
        *(
            f"stays in {', '.join(each['left_in'])}, which the inventory names no more: {each['name']}"
            for each in document["destroy"]
            if each["left_in"]
        ),
        f"{len(document['destroy'])} may be destroyed ({size}), {len(document['wait'])} wait for a lock, {kept} stay; "
        "nothing was changed",
    ]
