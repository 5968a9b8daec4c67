"""How a verb that fails ends: a sentence, the state and a hint on standard error, and the documented exit code."""

import json
import os
import select
import sys
import tempfile
import traceback
from pathlib import Path

import click

from cli.output import Output
from recovery.errors import PulihError

DEFECT = 1
USAGE = 2
INTERRUPTED = 130
READER_GONE = 141


def failed(output: Output, error: PulihError) -> int:
    """Given an error that was raised on purpose, print it and return its exit code. Never a traceback."""
    _print(output, str(error), error.message, error.state, error.hint, error.exit_code)
    return error.exit_code


def misused(output: Output, error: click.ClickException) -> int:
    """Given wrong usage, print what is wrong with it and return the exit code."""
    if output.as_json:
        hint = "add --help to see what the verb takes"
        _print(output, "", error.format_message(), "nothing was done", hint, USAGE)
    else:
        error.show()
    return USAGE


def interrupted(output: Output) -> int:
    """Say that somebody stopped the verb, and return the exit code."""
    state = "what was done before stays done"
    _print(output, f"interrupted; {state}", "interrupted", state, "run the command again", INTERRUPTED)
    return INTERRUPTED


def unexpected(output: Output, error: BaseException) -> int:
    """Given an error that nobody foresaw, say so in one sentence, write everything into a log, return the exit code."""
    text = "".join(traceback.format_exception(error))
    log = _write_log(output.log_directory(), text)
    message = f"this should not have happened ({type(error).__name__})"
    state = "what was done before stays done"
    hint = f"report it with {log}, which tells everything" if log else "report it with the output of --verbose"
    if output.verbose:
        click.echo(text, err=True, nl=False)
    _print(output, f"{message}; {state}\nHINT: {hint}", message, state, hint, DEFECT)
    return DEFECT


def reader_is_gone() -> bool:
    """Whether whoever read our standard output has closed it, as `head` does."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), select.POLLOUT)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):
        return False


def discard_output() -> None:
    """Send whatever is still in standard output's buffer nowhere, so that the interpreter's end is quiet."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        return


def _print(output: Output, text: str, message: str, state: str, hint: str, exit_code: int) -> None:
    if output.as_json:
        found = {"error": message, "state": state, "hint": hint, "exit_code": exit_code}
        text = json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True)
    else:
        text = f"ERROR: {text}"
    click.echo(text, err=True)


def _write_log(directory: Path | None, text: str) -> str:
    # mkstemp: a name of its own and mode 0600, since a traceback may quote data.
    for place in (directory, None):
        try:
            if place is not None:
                place.mkdir(mode=0o700, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix="pulih-", suffix=".log", dir=place)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            continue
        return name
    return ""
