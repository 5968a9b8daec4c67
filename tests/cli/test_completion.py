"""The shell completes verbs, options and names, and is quiet when anything is wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import VERBS
from cli.main import complete as answer
from tests.cli.conftest import Office, Pulih
from tests.testbed.small_office import KABID

ROOT = Path(__file__).parents[2]


Complete = Callable[..., list[str]]


@pytest.fixture
def complete(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Complete:
    """A function that asks as bash does what may stand at the end of a line; nothing else may be printed."""

    def ask(line: str, inventory: str | Path) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        monkeypatch.setenv("PULIH_INVENTORY", str(inventory))
        capsys.readouterr()
        assert 0 == answer("bash_complete")
        printed = capsys.readouterr()
        assert "" == printed.err
        return [line.partition(",")[2] for line in printed.out.split()]

    return ask


@pytest.mark.parametrize(("shell", "sign"), [("bash", "complete -o"), ("zsh", "#compdef"), ("fish", "complete --no")])
def test_a_script_for_each_shell_is_printed(pulih: Pulih, shell: str, sign: str) -> None:
    """No inventory is needed for it."""
    ended = pulih("completion", shell)
    assert 0 == ended.code
    assert sign in ended.out and "_PULIH_COMPLETE" in ended.out and " pulih" in ended.out
    assert {"shell": shell, "script": ended.out.rstrip("\n")} == {
        key: value.rstrip("\n") for key, value in pulih("--json", "completion", shell).document.items()
    }


def test_bash_takes_the_script(pulih: Pulih, office: Office, tmp_path: Path) -> None:
    """The whole way: the script, the shell's own function, and the program, which says nothing else."""
    program = tmp_path / "pulih"
    program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m cli.main "$@"\n')
    program.chmod(0o755)
    question = 'COMP_WORDS=(pulih restore-plan si); COMP_CWORD=2; _pulih_completion pulih; echo "${COMPREPLY[@]}"'
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PULIH_INVENTORY": str(office.inventory)}
    ended = subprocess.run(
        ["bash", "--norc", "-c", f"{pulih('completion', 'bash').out}\n{question}"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ("simpel\n", "") == (ended.stdout, ended.stderr)


def test_verbs_and_options_complete_without_an_installation(complete: Complete) -> None:
    """From the verbs' own table."""
    assert sorted(VERBS) == complete("pulih ", "/nowhere")
    assert ["restore-plan"] == complete("pulih rest", "/nowhere")
    assert ["--encrypted"] == complete("pulih fetch --enc", "/nowhere")
    assert ["list"] == complete("pulih official l", "/nowhere")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pulih backups ", ["simpel"]),
        ("pulih restore-plan si", ["simpel"]),
        ("pulih restore-plan x", []),
        ("pulih schedule ", ["bulanan"]),
        ("pulih verify ", ["{backups}"]),
        ("pulih fetch simpel_data", ["{name}"]),
        ("pulih fetch {name} --store ", ["utama"]),
        ("pulih conformance ", ["{procedures}"]),
        ("pulih show 1111", ["11111111-2222-3333-4444-555555555555"]),
        (f"pulih official enrol {KABID[:9]}", [KABID]),
    ],
)
def test_names_complete_from_inventory_and_catalog(
    pulih: Pulih, office: Office, complete: Complete, line: str, expected: list[str]
) -> None:
    """What exists here, and nothing else."""
    listed = pulih("--inventory", office.inventory, "--json", "backups").document
    names = sorted(backup["name"] for backup in listed)
    entries = pulih("--inventory", office.inventory, "--json", "ledger", "show", "--last", "1000").document
    runs = sorted({entry["procedure_id"] for entry in entries} - {""})
    known = {"{backups}": names, "{name}": [office.name], "{procedures}": runs}
    wanted = [name for each in expected for name in known.get(each, [each])]
    assert wanted == complete(line.replace("{name}", office.name), office.inventory)


def test_the_inventory_of_the_line_counts(office: Office, complete: Complete) -> None:
    """It may stand before the verb."""
    assert ["simpel"] == complete(f"pulih --inventory {office.inventory} backups ", "/nowhere")


@pytest.mark.parametrize("line", ["pulih backups ", "pulih verify ", "pulih schedule "])
def test_what_is_wrong_completes_to_nothing(line: str, tmp_path: Path, complete: Complete) -> None:
    """A prompt is no place for an error."""
    (tmp_path / "inventory.yaml").write_text("office: [")
    assert [] == complete(line, tmp_path / "inventory.yaml")
    assert [] == complete(line, tmp_path / "none.yaml")
