"""`pulih`: what administrators do at a terminal. Verbs are imported when they are called, so that most need no Prefect.

What verbs print and which exit codes they end with stands in docs/cli.md.
"""

import importlib
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, shell_complete

from cli.failure import READER_GONE, discard_output, failed, interrupted, misused, reader_is_gone, unexpected
from cli.output import Output
from recovery.errors import PulihError

VERBS = {
    "apply": "make server, catalog and stores into what the inventory says",
    "backups": "list backups",
    "close": "give up a restore that will not go on, so that the next request is taken",
    "completion": "print the script that lets bash, zsh or fish complete verbs and names",
    "conformance": "judge one procedure by the SOP, step by step: sesuai or tidak sesuai",
    "doctor": "find what an installation gets wrong, and how to mend it",
    "drill": "take backups out of the stores and prove them again",
    "fetch": "take a set out of a store, checked and decrypted, as files",
    "guard": "finish or undo what died, start its service, sweep, and raise alarms",
    "hold": "hold backups, so that no plan destroys them, end holds, and list them",
    "key": "make, change and check keys, and print the sheet for the safe",
    "ledger": "verify the ledger against itself and the stores, and read it",
    "official": "list officials, enrol and revoke their devices",
    "rebuild": "make an installation from a store, an identity and the escrow sheet",
    "request": "start a restore from a letter that came on paper",
    "restore-plan": "say what a restore would do, and change nothing",
    "retention": "say which sets stay and which may be destroyed, and change nothing",
    "schedule": "write a Jadwal Back Up as a PDF, to be approved",
    "show": "show one backup or procedure",
    "status": "say what is open, who must act until when, and the last proof of every component",
    "sudoers": "print the lines that let a host's account without root's rights stop and start services",
    "sync": "put into each store what it lacks of the other",
    "verify": "read a backup's set in its stores again and check every byte",
}


# By this the scripts of `pulih completion` ask.
COMPLETION_VARIABLE = "_PULIH_COMPLETE"


class LazyGroup(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"cli.{name.replace('-', '_')}").command
        _take_common_options(command)
        return command

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        # From the table too: click would import every verb for the first line of its help.
        verbs = [CompletionItem(name, help=text) for name, text in sorted(VERBS.items()) if name.startswith(incomplete)]
        return [*verbs, *click.Command.shell_complete(self, context, incomplete)]

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        # From the table, not from the modules: help must not cost an import of everything.
        with formatter.section("Verbs"):
            formatter.write_dl(sorted(VERBS.items()))


def _remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """Return a callback that keeps an option's value in the Output; one that was not given changes nothing."""

    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.obj, name, value)
        if value and name == "verbose":
            for package in ("cli", "deployments", "recovery"):
                logging.getLogger(package).setLevel(logging.INFO)

    return callback


def _common_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--inventory", "inventory_path"],
            type=click.Path(path_type=Path, dir_okay=False),
            expose_value=False,
            callback=_remember("inventory_path"),
            help="The installation's inventory.  [default: $PULIH_INVENTORY or /etc/pulih/inventory.yaml]",
        ),
        click.Option(
            ["--json", "as_json"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_remember("as_json"),
            help="Print one JSON document instead of text; errors too, on standard error.",
        ),
        click.Option(
            ["--verbose"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_remember("verbose"),
            help="Say what is being done, on standard error.",
        ),
    ]


def _take_common_options(command: click.Command) -> None:
    """Let the common options stand behind the verb too: that is where people add them to a line from the history."""
    if isinstance(command, click.Group):
        for name in command.commands:
            _take_common_options(command.commands[name])
    elif not any(parameter.name == "as_json" for parameter in command.params):
        command.params += _common_options()


def _show_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from recovery.installation import RELEASE

        context.obj.show({"version": RELEASE}, [f"pulih {RELEASE}"])
        context.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the release and end.",
)
def pulih() -> None:
    """Back up and restore by the SOP "Back Up/Restore Data", with evidence for every step."""


pulih.params[:0] = _common_options()


def _require_text(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            # No name of ours holds such bytes, and no database would take them.
            raise click.UsageError(f"{argument!a} is not UTF-8 text") from error


def run(arguments: Sequence[str]) -> int:
    """Given the arguments after `pulih`, do what they say and return the exit code. Raises nothing."""
    # Asked for by its text too, because a line that cannot be parsed sets no option.
    output = Output(as_json="--json" in arguments)
    try:
        _require_text(arguments)
        # Not click's main(): that ends with 1, without a word, when any pipe anywhere breaks.
        with pulih.make_context("pulih", list(arguments), obj=output) as context:
            pulih.invoke(context)
        sys.stdout.flush()
    except PulihError as error:
        return failed(output, error)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.ClickException as error:
        return misused(output, error)
    except (click.Abort, KeyboardInterrupt):
        return interrupted(output)
    except BrokenPipeError as error:
        gone = reader_is_gone()
        discard_output()
        return READER_GONE if gone else unexpected(output, error)
    except Exception as error:  # noqa: BLE001 — the last line: whatever it is, it ends in a sentence and a log
        return unexpected(output, error)
    return 0


def complete(asked: str) -> int:
    """Given what a shell asks (`bash_complete`), print what may stand at the end of its line; return the exit code."""
    return shell_complete(pulih, {"obj": Output()}, "pulih", COMPLETION_VARIABLE, asked)


def main() -> None:
    """Run the command line and exit with the documented code; for a shell that completes, answer it."""
    if asked := os.environ.get(COMPLETION_VARIABLE):
        # Nothing but the answer: a warning would stand in the middle of what the person is typing.
        logging.disable(logging.CRITICAL)
        sys.exit(complete(asked))
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # File names can be any bytes, and a terminal's locale any encoding: neither may end in an exception.
            stream.reconfigure(errors="backslashreplace")
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        discard_output()
    sys.exit(code)


if __name__ == "__main__":
    main()
