"""What docs/cli.md promises is what the commands do: verbs, options, documents, exit codes."""

import inspect
import re
from pathlib import Path

import click
import pytest

from cli import failure
from cli.main import _common_options, pulih
from recovery import errors
from recovery.crypto import Signer
from recovery.inventory import load_inventory
from recovery.procedures.restore.begin import begin_restore
from tests.cli import documents
from tests.cli.conftest import Office, Pulih
from tests.cli.test_request import write_letter
from tests.testbed.small_office import EXECUTOR, KABID, restore_request

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


def test_the_documented_keys_are_those_of_the_schemas() -> None:
    """People read the table, and programs the schemas. What stands in brackets explains a key."""
    schemas = {path.stem for path in documents.SCHEMAS.glob("*.json")}
    assert {verb.removeprefix("pulih ").replace(" ", "-") for verb in verbs()} | {"error"} == schemas
    for verb, (text, *_rest) in rows("JSON documents").items():
        documented = set(re.findall(r"`([a-z_0-9]+)`", re.sub(r"\([^)]*\)", "", text)))
        assert documents.properties_of(verb.removeprefix("pulih ").replace(" ", "-")) == documented, verb


def test_every_verb_prints_the_document_of_its_schema(pulih: Pulih, broken: Office) -> None:
    """Each is really called, and held against its schema by the fixture: the last three in their own tests."""
    letter = write_letter(broken.root)
    calls: list[tuple[str | Path, ...]] = [
        ("backups",),
        ("completion", "zsh"),
        ("conformance", broken.procedure_id),
        ("doctor",),
        ("doctor", "--alarm"),
        ("fetch", broken.name, "--to", broken.root / "fetched"),
        ("guard",),
        ("hold", "add", "simpel", "--reason", "uji"),
        ("hold", "list"),
        ("key", "check"),
        ("key", "new", broken.root / "new-keys"),
        ("key", "rotate", "operations"),
        ("key", "sheet", "--pdf", broken.root / "sheet.pdf"),
        ("ledger", "show"),
        ("ledger", "verify"),
        ("official", "enrol", KABID, "--renew"),
        ("official", "list"),
        ("official", "revoke", EXECUTOR, "--reason", "x"),
        ("request", letter, "--dry-run"),
        ("restore-plan", "simpel"),
        ("retention", "plan"),
        ("schedule", "bulanan", "--pdf", broken.root / "jadwal.pdf"),
        ("show", broken.name),
        ("show", broken.procedure_id),
        ("drill", "simpel/berkas"),
        ("sync",),
        ("verify", broken.name),
    ]
    with_an_open_restore: list[tuple[str | Path, ...]] = [("status",), ("close", "given-up", "--reason", "uji")]
    for arguments in calls:
        assert pulih("--inventory", broken.inventory, "--json", *arguments).out, arguments
    begin_restore(load_inventory(broken.inventory).installation(), "given-up", restore_request())
    for arguments in with_an_open_restore:
        assert pulih("--inventory", broken.inventory, "--json", *arguments).out, arguments
    hold = pulih("--inventory", broken.inventory, "--json", "hold", "list").document[0]["id"]
    end: tuple[str | Path, ...] = ("hold", "remove", hold, "--reason", "selesai")
    assert pulih("--inventory", broken.inventory, "--json", *end).out
    calls.append(end)
    calls += with_an_open_restore
    sheet = Signer.from_pem((broken.root / "keys" / "signing").read_bytes(), "it").fingerprint
    last = ("rebuild", "--from", broken.store, "--identity", broken.root / "keys" / "escrow", "--fingerprint", sheet)
    assert pulih("--json", *last, "--to", broken.root / "rebuilt").out
    calls.append(last)
    called = {documents.schema_of([str(argument) for argument in arguments]) for arguments in calls}
    assert {verb.removeprefix("pulih ").replace(" ", "-") for verb in verbs()} - called == {
        "apply",
        "official-code",
        "sudoers",
    }


def test_a_key_that_no_schema_names_is_found() -> None:
    """Otherwise the schemas could fall behind without a word."""
    documents.check("close", {"outcome": "ditutup", "procedure": "x"})
    for document in ({"outcome": "ditutup", "procedure": "x", "more": 1}, {"outcome": 1, "procedure": "x"}, {}):
        with pytest.raises(AssertionError, match=r"docs/schemas/close\.json"):
            documents.check("close", document)
