"""pulih close: end a restore or backup that will not go on, so that the next request is taken."""

import click

from cli.completing import procedure_ids
from cli.output import Output


@click.command("close")
@click.argument("procedure", shell_complete=procedure_ids)
@click.option("--reason", required=True, help="Why, for the records and the requester.")
@click.pass_obj
def command(output: Output, procedure: str, reason: str) -> None:
    """Close the open restore PROCEDURE (its flow run's id) and tell the requester, or the open backup.

    Before its service was stopped: for a failed rehearsal, or a run that was cancelled. Or when all is done and the
    requester does not acknowledge it: it ends "tanpa tanda terima"; when he has and the run is gone, as he answered.
    What lies in between is the guard's; once it has settled what died, a restore that nobody can retry ends "terputus".
    So does a backup that was begun a day ago.
    """
    # Here, because help must not cost the import of everything.
    from recovery.procedures.conclude import conclude_given_up
    from recovery.records import procedures

    conclusion = conclude_given_up(output.installation, procedure, reason)
    with output.installation.catalog.read() as connection:
        outcome = procedures.get(connection, procedure).outcome
    output.show({"procedure": procedure, "outcome": outcome}, [conclusion.sentence])
