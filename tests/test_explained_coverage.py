"""What no test takes is found by file and line, unless its reason is written."""

import json
from pathlib import Path

import pytest

from tests.explained_coverage import BY_CHANCE, REASONS, ROOT, main, unexplained

SOURCE = """\
def judge(found):
    if found:
        raise ValueError  # pragma: no cover - a disk that breaks between two calls
    for each in ():
        print(each)
    return None
"""


NAMED = "recovery/points.py:1: no test"


def findings(tmp_path: Path, lines: list[int], branches: list[list[int]], **reasons: str) -> list[str]:
    (tmp_path / "recovery").mkdir()
    (tmp_path / "recovery" / "one.py").write_text(SOURCE)
    missing = {"missing_lines": lines, "missing_branches": branches}
    elsewhere = {"missing_lines": [1], "missing_branches": []}
    measured = {"files": {"recovery/one.py": missing, "tests/other.py": elsewhere}}
    known = {"recovery/one.py": {text.replace("_", " "): why for text, why in reasons.items()}} if reasons else {}
    return list(unexplained(measured, tmp_path, known))


def test_a_line_and_a_branch_without_a_reason_are_named(tmp_path: Path) -> None:
    """As an editor opens them."""
    assert findings(tmp_path, [5], [[4, 5], [4, 0]]) == [
        "recovery/one.py:5: no test comes to this line: print(each)",
        "recovery/one.py:4: no test goes from here to line 5: for each in ():",
        "recovery/one.py:4: no test goes from here to the end of the function: for each in ():",
    ]


def test_a_branch_to_a_line_that_carries_its_reason_is_explained(tmp_path: Path) -> None:
    """Slipcover leaves the line out and names the way to it all the same."""
    assert findings(tmp_path, [], [[2, 3]]) == []


def test_a_listed_line_is_explained_by_its_text(tmp_path: Path) -> None:
    """At either end of a branch."""
    assert findings(tmp_path, [6], [[4, 6], [4, 5]], return_None="only a forked process comes here") == [
        "recovery/one.py:4: no test goes from here to line 5: for each in ():"
    ]


def test_a_reason_for_a_line_that_is_gone_is_found(tmp_path: Path) -> None:
    """It would hide the next one that reads so."""
    (only,) = findings(tmp_path, [], [], return_True="only a forked process comes here")
    assert only == "recovery/one.py: a reason is given for a line that it does not have: return True"


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [([], 0, "0 lines"), ([1] * BY_CHANCE, 0, NAMED), ([1] * (BY_CHANCE + 1), 1, NAMED)],
)
def test_the_program_fails_by_what_it_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[int], status: int, said: str
) -> None:
    """Of the sources that lie here."""
    path = tmp_path / "coverage.json"
    path.write_text(
        json.dumps({"files": {"recovery/points.py": {"missing_lines": lines, "missing_branches": []}}}),
        encoding="utf-8",
    )
    assert main(str(path)) == status
    assert capsys.readouterr().out.startswith(said)
    path.write_text('{"files": {}}', encoding="utf-8")
    assert main(str(path)) == 2, "nothing was measured"


def test_every_listed_reason_is_one_and_of_a_line_that_is_there() -> None:
    """In words, as behind a pragma."""
    assert list(unexplained({"files": {}}, ROOT, REASONS)) == []
    assert all(len(why) >= 15 for known in REASONS.values() for why in known.values())
