"""What docs/cli.md promises is what the commands do: verbs, options, documents, exit codes."""

import inspect
import re
from pathlib import Path

import click

from cli import failure
from cli.main import _common_options, pulih
from recovery import errors
from tests.cli.conftest import Office, Pulih
from tests.testbed.small_office import EXECUTOR, KABID

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
COMMON = {option for parameter in _common_options() for option in parameter.opts if option.startswith("--")}


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title: str) -> dict[str, list[str]]:
    """The rows of a section's table by their first cell, without the head."""
    cells = [row.split(" | ") for row in re.findall(r"^\| (.+) \|$", section(title), re.MULTILINE)]
    return {first.strip("`"): rest for first, *rest in cells[1:]}


def verbs() -> dict[str, click.Command]:
    """Every verb that can be called, by what is typed."""

    def walk(command: click.Command, typed: str) -> dict[str, click.Command]:
        if not isinstance(command, click.Group):
            return {typed: command}
        context = click.Context(command)
        found: dict[str, click.Command] = {}
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found |= walk(below, f"{typed} {name}")
        return found

    return walk(pulih, "pulih")


def test_every_verb_is_documented_with_its_arguments_and_options() -> None:
    """No more and no less."""
    documented = {verb: set(re.findall(r"`([^`]+)`", cells[0])) for verb, cells in rows("Verbs").items()}
    expected = {}
    for verb, command in verbs().items():
        wanted = set()
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                name = str(parameter.name).upper()
                wanted.add(name if parameter.required else f"[{name}]")
            else:
                wanted |= {option for option in parameter.opts if option.startswith("--")} - COMMON
        expected[verb] = wanted
    assert expected == documented


def test_the_common_options_are_documented() -> None:
    """They are named once, for every verb."""
    documented = set(re.findall(r"`(--[a-z]+)", section("Options of every verb").split("\n\n`pulih --version`")[0]))
    assert COMMON | {"--help"} == documented


def test_every_exit_code_is_documented_with_its_error() -> None:
    """A script that reads the table must never meet another code."""
    documented = {int(code): cells for code, cells in rows("Exit codes").items()}
    raised: dict[int, set[str]] = {}
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, errors.PulihError) and "exit_code" in vars(error):
            raised.setdefault(error.exit_code, set()).add(name)
    named = {code: set(re.findall(r"`([A-Za-z]+Error)`", cells[-1])) for code, cells in documented.items()}
    assert raised == {code: names for code, names in named.items() if names}
    ours = {0, failure.DEFECT, failure.USAGE, failure.INTERRUPTED, failure.READER_GONE, errors.ALARMS_EXIT_CODE}
    assert ours | raised.keys() == documented.keys()


def test_every_verb_has_its_document() -> None:
    """Programs read this table."""
    assert verbs().keys() == rows("JSON documents").keys()


def documented_keys(verb: str, part: str = "") -> set[str]:
    text = rows("JSON documents")[verb][0]
    if part:
        text = text.split(f"of a {part}, object:")[1].split(";")[0]
    # What stands in brackets explains a key.
    return set(re.findall(r"`([a-z_0-9]+)`", re.sub(r"\([^)]*\)", "", text)))


def test_the_documents_have_the_documented_keys(pulih: Pulih, broken: Office) -> None:
    """Each verb is really called."""
    calls = {
        "pulih backups": ("backups",),
        "pulih doctor": ("doctor",),
        "pulih guard": ("guard",),
        "pulih schedule": ("schedule", "bulanan", "--pdf", broken.root / "jadwal.pdf"),
        "pulih ledger show": ("ledger", "show"),
        "pulih ledger verify": ("ledger", "verify"),
        "pulih official list": ("official", "list"),
        "pulih official enrol": ("official", "enrol", KABID, "--renew"),
        "pulih official revoke": ("official", "revoke", EXECUTOR, "--reason", "x"),
        "pulih verify": ("verify", broken.name),
    }
    for verb, arguments in calls.items():
        document = pulih("--inventory", broken.inventory, "--json", *arguments).document
        found = document[0] if isinstance(document, list) else document
        assert documented_keys(verb) == found.keys(), verb
    for part, name in (("backup", broken.name), ("procedure", broken.procedure_id)):
        shown = pulih("--inventory", broken.inventory, "--json", "show", name).document
        assert documented_keys("pulih show", part) == shown.keys()
