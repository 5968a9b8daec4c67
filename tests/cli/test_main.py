"""The command line as a whole: every ending is a sentence and a documented code, never a traceback."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

import cli.backups
from cli.main import VERBS
from recovery.installation import RELEASE
from tests.cli.conftest import Office, Pulih

ROOT = Path(__file__).parents[2]


def process(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell does."""
    command = [sys.executable, "-m", "cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=_environment(environment), check=False)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "PULIH"))}
    return {**kept, **more}


def test_the_command_runs_as_a_process(office: Office) -> None:
    """The inventory comes from the environment when no option names it."""
    ended = process("backups", PULIH_INVENTORY=str(office.inventory))
    assert (0, "") == (ended.returncode, ended.stderr)
    assert office.name in ended.stdout


def test_the_version_is_that_of_the_release(pulih: Pulih) -> None:
    """It is what a report of a defect begins with."""
    assert (0, f"pulih {RELEASE}\n") == ((ended := pulih("--version")).code, ended.out)
    assert {"version": RELEASE} == pulih("--json", "--version").document


def test_help_names_every_verb(pulih: Pulih) -> None:
    """Each verb has help of its own that explains it."""
    ended = pulih("--help")
    assert 0 == ended.code
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", ended.out, re.MULTILINE)
        verb_help = pulih(verb, "--help")
        assert 0 == verb_help.code
        assert "Usage: pulih " in verb_help.out


def test_help_and_wrong_usage_import_nothing_heavy() -> None:
    """Help at a busy server must not take a second."""
    program = (
        "import sys; from cli.main import run; run(['--help']); run(['nope']); "
        "print([name for name in ('sqlalchemy', 'pydantic', 'prefect') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "[]" == ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments", [[], ["nope"], ["backups", "--nope"], ["show"], ["ledger", "show", "--last", "0"]]
)
def test_wrong_usage_ends_with_2(pulih: Pulih, arguments: list[str]) -> None:
    """Click's own sentence, on standard error."""
    ended = pulih(*arguments)
    assert (2, "") == (ended.code, ended.out)
    assert "Usage: pulih" in ended.err


def test_wrong_usage_is_an_object_for_programs(pulih: Pulih) -> None:
    """Also when the line cannot be parsed at all."""
    ended = pulih("backups", "--nope", "--json")
    assert 2 == ended.code
    assert {
        "error": "No such option '--nope'.",
        "state": "nothing was done",
        "hint": "add --help to see what the verb takes",
        "exit_code": 2,
    } == ended.error


def test_a_missing_inventory_is_said(pulih: Pulih, tmp_path: Path) -> None:
    """The commonest first mistake."""
    ended = pulih("--inventory", tmp_path / "inventory.yaml", "backups")
    assert 2 == ended.code
    assert (
        f"ERROR: {tmp_path}/inventory.yaml cannot be read (No such file or directory); nothing was changed\n"
        "HINT: name a readable YAML file\n" == ended.err
    )


@pytest.mark.parametrize("verb", [["backups"], ["doctor"], ["apply", "--dry-run"], ["official", "list"]])
def test_a_wrong_inventory_prints_every_line_that_is_wrong(pulih: Pulih, broken: Office, verb: list[str]) -> None:
    """One round of corrections, not one per error; and before Prefect is imported."""

    def spoil(data: dict) -> None:  # type: ignore[type-arg]
        data["applications"][0]["host"] = "nowhere"
        data["schedules"][0]["cron"] = "never"
        data["officials"][0]["nip"] = "12"

    broken.change_inventory(spoil)
    ended = pulih("--inventory", broken.inventory, *verb)
    assert (2, "") == (ended.code, ended.out)
    for field in ("applications[0].host", "schedules[0].cron", "officials[0].nip"):
        assert re.search(rf"^(ERROR: )?inventory\.yaml:\d+: {re.escape(field)}: ", ended.err, re.MULTILINE), field
    assert re.search(r"\d errors in ", ended.err)


def test_an_error_is_one_object_for_programs(pulih: Pulih, office: Office) -> None:
    """Standard output stays empty, so that nothing half is parsed."""
    ended = pulih("--inventory", office.inventory, "--json", "show", "nothing")
    assert (3, "") == (ended.code, ended.out)
    assert {
        "error": "nothing is called 'nothing'",
        "state": "nothing was read",
        "hint": "`pulih backups` lists names; procedures are named by flow run id or form number",
        "exit_code": 3,
    } == ended.error


def test_a_catalog_that_is_not_there_ends_with_18(pulih: Pulih, broken: Office) -> None:
    """A mistyped path must not become an empty catalog."""
    for file in (broken.root / "state").glob("catalog.sqlite*"):
        file.unlink()
    ended = pulih("--inventory", broken.inventory, "backups")
    assert 18 == ended.code
    assert "create a new one with `pulih apply`" in ended.err
    assert not list((broken.root / "state").glob("catalog.sqlite*"))


def explode(*arguments: object) -> None:
    """A defect: no error of ours, and its text holds data."""
    raise ZeroDivisionError("Siti Contoh, 3.500.000")


def test_a_defect_is_a_sentence_and_a_log(pulih: Pulih, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data that the exception quotes goes into a file that only its owner reads, and not onto the screen."""
    monkeypatch.setattr(cli.backups.backups, "list_backups", explode)
    ended = pulih("--inventory", office.inventory, "backups")
    assert (1, "") == (ended.code, ended.out)
    assert "Traceback" not in ended.err and "Siti" not in ended.err
    found = re.fullmatch(
        r"ERROR: this should not have happened \(ZeroDivisionError\); what was done before stays done\n"
        r"HINT: report it with (\S+\.log), which tells everything\n",
        ended.err,
    )
    assert found is not None
    log = Path(found.group(1))
    assert office.root / "state" / "log" == log.parent
    assert 0o600 == log.stat().st_mode & 0o777
    assert "in explode" in log.read_text()
    log.unlink()


def test_a_defect_shows_its_traceback_when_asked(pulih: Pulih, broken: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """--verbose is for whoever mends it."""
    monkeypatch.setattr(cli.backups.backups, "list_backups", explode)
    ended = pulih("--inventory", broken.inventory, "backups", "--verbose")
    assert 1 == ended.code
    assert "Traceback" in ended.err and "in explode" in ended.err


def test_a_defect_before_the_inventory_is_read_has_its_log_elsewhere(
    pulih: Pulih, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody knows the state directory yet."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("cli.output.Output.inventory", property(explode))
    ended = pulih("--json", "backups")
    assert (1, 1) == (ended.code, ended.error["exit_code"])
    (log,) = tmp_path.glob("pulih-*.log")
    assert str(log) in ended.error["hint"]


def test_an_expected_error_has_no_traceback_even_when_verbose(pulih: Pulih, office: Office) -> None:
    """The sentence says all that there is to say."""
    ended = pulih("--verbose", "--inventory", office.inventory, "show", "nothing")
    assert 3 == ended.code
    assert "Traceback" not in ended.err


def test_a_reader_that_goes_away_is_no_error(office: Office) -> None:
    """`pulih … | head -1` ends quietly; 141 is what any program ends with there."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "--inventory", str(office.inventory), "ledger", "show"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        check=False,
    )
    os.close(writer)
    assert (141, "") == (ended.returncode, ended.stderr)


def test_a_broken_pipe_of_anybody_else_is_a_defect(
    pulih: Pulih, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is only for a reader of ours that went away."""

    def break_pipe(*arguments: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(cli.backups.backups, "list_backups", break_pipe)
    monkeypatch.setattr("cli.main.discard_output", lambda: None)
    ended = pulih("--inventory", office.inventory, "backups")
    assert 1 == ended.code
    assert "BrokenPipeError" in ended.err


def test_a_full_disk_under_the_output_is_not_success(office: Office) -> None:
    """Half a document must not look like a whole one."""
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "cli.main", "--inventory", str(office.inventory), "backups"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            check=False,
        )
    assert 1 == ended.returncode
    assert "OSError" in ended.stderr and "Traceback" not in ended.stderr
    Path(ended.stderr.split("report it with ")[1].split(",")[0]).unlink()


def test_being_interrupted_is_said(pulih: Pulih, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """130 is what a shell expects after Ctrl-C."""

    def interrupt(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(cli.backups.backups, "list_backups", interrupt)
    # Where several processes run the tests, theirs ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = pulih("--inventory", office.inventory, "backups")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (130, "ERROR: interrupted; what was done before stays done\n") == (ended.code, ended.err)


def test_what_the_terminal_cannot_show_is_escaped(office: Office) -> None:
    """A locale without a character must not end a disaster's only tool."""
    ended = process("official", "enrol", "x", PULIH_INVENTORY=str(office.inventory), PYTHONIOENCODING="ascii")
    assert 3 == ended.returncode
    shown = process("ledger", "show", "--json", PULIH_INVENTORY=str(office.inventory), PYTHONIOENCODING="ascii")
    assert 0 == shown.returncode
    assert json.loads(shown.stdout)


def test_an_argument_that_is_no_text_is_wrong_usage() -> None:
    """It comes from a terminal in another encoding, and no name of ours could hold it."""
    ended = process("show", "nama-\udcff")
    assert 2 == ended.returncode
    assert "'nama-\\udcff' is not UTF-8 text" in ended.stderr


def test_the_common_options_may_stand_before_and_behind_every_verb(pulih: Pulih) -> None:
    """People add them to a line from the history."""
    from cli.main import pulih as group

    def leaves(command: click.Command, path: list[str]) -> list[list[str]]:
        if isinstance(command, click.Group):
            names = command.list_commands(click.Context(command))
            found = [(name, command.get_command(click.Context(command), name)) for name in names]
            return [leaf for name, each in found if each for leaf in leaves(each, [*path, name])]
        return [path]

    verbs = leaves(group, [])
    assert len(verbs) > len(VERBS)
    for verb in verbs:
        shown = pulih(*verb, "--help").out
        for option in ("--inventory", "--json", "--verbose"):
            assert option in shown, verb
