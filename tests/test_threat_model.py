"""The threat model names tests that exist, and leaves none of the admitted weaknesses out."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCUMENT = (TESTS.parent / "docs" / "threat-model.md").read_text(encoding="utf-8")
NOT_DEFENDED = "recovery/sabotage/test_what_is_not_defended.py"
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", DOCUMENT)))


def names_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_that_the_threat_model_names_exists(file: str, test: str) -> None:
    assert test in names_in(file)


def test_every_weakness_that_a_test_shows_stands_in_the_threat_model() -> None:
    assert names_in(NOT_DEFENDED) == {test for file, test in NAMED if file == NOT_DEFENDED}


def test_every_row_of_an_attack_names_its_test() -> None:
    attacks = DOCUMENT.split("## Attack by attack")[1].split("## The network")[0]
    rows = [
        line for line in attacks.splitlines() if line.startswith("| ") and not line.startswith(("| attack", "| where"))
    ]
    assert [row for row in rows if not re.search(r"`[\w/]+\.py::test_\w+` \|$", row)] == []
    assert len(rows) > 40


def test_what_is_not_defended_is_said_to_be_so() -> None:
    rows = [line for line in DOCUMENT.splitlines() if f"`{NOT_DEFENDED}::" in line]
    assert [row for row in rows if "**not**" not in row] == []
