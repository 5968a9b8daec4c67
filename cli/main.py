"""`pulih`: what administrators do at a terminal. Verbs are imported when they are called, so that most need no Prefect.

Exit codes: 0 done; 1 an error of Pulih itself; 2 wrong usage, configuration or inventory; 3 not found; 4 conflict or
in use; 10 source; 11 host; 12 service; 13 store; 14 set damaged; 15 key missing; 16 verdict fail; 17 verdict error;
18 records; 19 ledger broken; 20 approval; 21 procedure; 22 form; 23 notice.
"""

import importlib
import logging
import os
import sys
from pathlib import Path

import click

from cli.output import Output
from recovery.errors import PulihError

VERBS = {
    "apply": "make server, catalog and stores into what the inventory says",
    "backups": "list backups",
    "doctor": "find what an installation gets wrong, and how to mend it",
    "ledger": "verify the ledger against itself and the stores",
    "official": "enrol officials' devices",
    "show": "show one backup or procedure",
    "verify": "read a backup's set in its stores again and check every byte",
}


class LazyGroup(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"cli.{name}").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, not from the modules: help must not cost an import of everything.
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--inventory",
    type=click.Path(path_type=Path, dir_okay=False),
    default=lambda: Path(os.environ.get("PULIH_INVENTORY", "/etc/pulih/inventory.yaml")),
    show_default="$PULIH_INVENTORY or /etc/pulih/inventory.yaml",
    help="The installation's inventory.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
@click.option("--verbose", is_flag=True, help="Say what is being done, on standard error.")
@click.pass_context
def pulih(context: click.Context, inventory: Path, as_json: bool, verbose: bool) -> None:
    """Back up and restore by the SOP "Back Up/Restore Data", with evidence for every step."""
    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR, format="%(message)s", stream=sys.stderr)
    context.obj = Output(inventory, as_json)


def main() -> None:
    """Run the command line and exit with the documented code."""
    try:
        pulih(standalone_mode=False)
    except PulihError as error:
        click.echo(f"ERROR: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; what was done before stays done", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
