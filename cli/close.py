"""pulih close: give up a restore that will not go on, so that the next request is taken."""

import click

from cli.completing import procedure_ids
from cli.output import Output


@click.command("close")
@click.argument("procedure", shell_complete=procedure_ids)
@click.option("--reason", required=True, help="Why, for the requester and the ledger.")
@click.pass_obj
def command(output: Output, procedure: str, reason: str) -> None:
    """Close the open restore PROCEDURE (its flow run's id) before its service was stopped, and tell the requester.

    For a failed rehearsal, or a run that was cancelled. A restore that has begun to stop the service is the guard's.
    """
    # Here, because help must not cost the import of everything.
    from recovery.procedures.conclude import conclude_given_up

    conclusion = conclude_given_up(output.installation, procedure, reason)
    output.show({"procedure": procedure, "outcome": "ditutup"}, [conclusion.sentence])
