"""What README and docs promise is true: the SOP's tables are the register, commands exist, named files are there."""

import re
import subprocess
from pathlib import Path

import pytest

from cli.main import VERBS
from recovery import sop

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("procedure", ["backup", "restore"])
def test_the_sop_tables_equal_the_register(procedure: str) -> None:
    """A step that changes in the register must change here."""
    section = README.split(f"### {sop.PROCEDURE_TITLES[procedure]}\n", 1)[1]
    rows = re.findall(r"^\| (\d) \| “(.+?)” \| (.+?) \| `(.+?)` \|$", section.split("###")[0], re.MULTILINE)
    expected = [
        (entry.number, entry.wording, sop.ROLE_TITLES[entry.role], _task_file(procedure, place))
        for place, entry in enumerate(sop.steps_of(procedure), start=1)
    ]
    assert expected == rows


def _task_file(procedure: str, place: int) -> str:
    (path,) = (ROOT / "tasks" / procedure).glob(f"{procedure[0]}{place}_*.py")
    return str(path.relative_to(ROOT))


def test_every_make_target_in_the_readme_exists() -> None:
    """A newcomer types what he reads."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", README))
    assert {"demo", "test", "up", "down"} <= named <= targets


def test_every_verb_is_in_the_readme_and_every_verb_in_the_readme_exists() -> None:
    """`pulih` says no less and no more than the README."""
    assert set(VERBS) == set(re.findall(r"^\| `pulih ([a-z][a-z-]*)", README, re.MULTILINE))


def test_the_apt_line_is_the_one_that_make_prints() -> None:
    """Two lines that differ would send a newcomer in circles."""
    line = re.search(r"^APT_LINE := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    assert f"\n{line.group(1)}\n" in README


def test_the_apt_line_names_what_the_tests_look_for_and_nothing_else() -> None:
    """`make test` and tests/testbed/install.sh ask one list; a package that is in that alone could not be found out."""
    line = re.search(
        r"^APT_LINE := sudo apt install (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    # On a machine with nothing but the shell's own words, everything is missing.
    bare = {"PATH": "/nowhere"}
    script = "command() { return 1; }; . tests/testbed/missing.sh"
    done = subprocess.run(["/bin/sh", "-c", script], cwd=ROOT, env=bare, capture_output=True, text=True, check=True)
    assert line is not None
    assert sorted(line.group(1).split()) == sorted(done.stdout.split())


def pages() -> list[Path]:
    return [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        ROOT / "bench" / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_links_to_or_names_exists(page: Path) -> None:
    """A dead link is a promise broken, and a module that moved sends a reader astray."""
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(((?!http)[^)#]+)", text):
        assert (page.parent / target).exists(), target
    folders = "bench|blocks|cli|demo|deployments|docs|flows|recovery|tasks|tests"
    named = re.findall(rf"`((?:{folders})/[\w./-]*)`", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert [] == missing


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_verb_that_a_page_names_exists(page: Path) -> None:
    """A hint to a verb that is not there is worse than none."""
    named = re.findall(r"`(?:\.venv/bin/)?pulih ([a-z][a-z-]*)", page.read_text(encoding="utf-8"))
    assert set(named) <= set(VERBS)


def test_every_verb_that_the_program_names_exists() -> None:
    """Hints of errors are read when nothing else works."""
    named = {
        (verb, str(path.relative_to(ROOT)))
        for layer in ("blocks", "cli", "deployments", "flows", "recovery", "tasks")
        for path in (ROOT / layer).rglob("*.py")
        for verb in re.findall(r"`pulih ([a-z][a-z-]*)", path.read_text(encoding="utf-8"))
    }
    assert [] == sorted((verb, path) for verb, path in named if verb not in VERBS)
