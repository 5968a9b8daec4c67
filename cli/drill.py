"""pulih drill: take backups out of the stores and prove them again, without Prefect."""

import uuid
from dataclasses import asdict

import click

from cli.completing import component_names, store_names
from cli.output import Output
from recovery.errors import VerificationError, VerificationFailedError

MARKS = {"pass": "PASS ", "fail": "FAIL ", "error": "ERROR"}


@click.command("drill")
@click.argument("component", required=False, default="", shell_complete=component_names)
@click.option("--store", default="", shell_complete=store_names, help="Whose copies; else the stores take turns.")
@click.option("--longest-unproven", is_flag=True, help="Take the backup that was proven longest ago, not the newest.")
@click.pass_obj
def command(output: Output, component: str, store: str, longest_unproven: bool) -> None:
    """Prove the newest backup of the COMPONENT (APPLICATION/COMPONENT, or an APPLICATION), or of every component.

    Its copy is fetched from a store, checked, decrypted with the operations identity, loaded in scratch and judged. The
    live data and its services are not touched. Verdicts go into the ledger and onto a Berita Acara Gladi Restore. Ends
    with 16 when a copy is bad, with 17 when one could not be looked at.
    """
    # Here, because help must not cost the import of everything.
    from recovery.procedures import drill
    from recovery.procedures.drill_conclude import conclude_drill, report

    installation = output.installation
    opened = drill.begin_drill(
        installation,
        str(uuid.uuid4()),
        component=component,
        store_name=store,
        choice=drill.LONGEST_UNPROVEN if longest_unproven else drill.NEWEST,
    )
    found = []
    for key in opened["components"]:
        drilled = drill.prove(installation, opened["id"], key)
        found.append(drilled)
        words = f"{drilled.name or 'no backup'} from {drilled.store or 'no store'}"
        output.say([f"{MARKS[drilled.verdict]} {key}: {words}{f': {drilled.error}' if drilled.error else ''}"])
    form = report(installation, opened["id"])
    conclude_drill(installation, opened["id"])
    verdicts = {each.verdict for each in found}
    verdict = next(word for word in ("fail", "error", "pass") if word in verdicts)
    components = [{name: value for name, value in asdict(each).items() if name != "procedure_id"} for each in found]
    data = {"procedure": opened["id"], "form": form.number, "verdict": verdict, "components": components}
    output.show(data, [f"form {form.number}: {form.path}"])
    if verdict != "pass":
        _raise(verdict, [each.component for each in found if each.verdict == verdict])


def _raise(verdict: str, components: list[str]) -> None:
    named, untouched = ", ".join(components), "the live data and its services were not touched"
    if verdict == "fail":
        raise VerificationFailedError(
            f"the drill found a bad copy of {named}",
            state=untouched,
            hint="`pulih verify` says which copy is good; take a new backup, then drill it",
        )
    raise VerificationError(
        f"the drill could not look at a copy of {named}",
        state=untouched,
        hint="mend what kept it from looking, and drill again; --store takes the copy in another store",
    )
