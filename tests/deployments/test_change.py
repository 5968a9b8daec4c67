"""How two states of a thing are compared, and how a change is shown."""

from typing import Any

import pytest

from deployments.change import Change, differences


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, ()),
        ({"cron": "0 1 * * *"}, {"cron": "0 2 * * *"}, ('cron: "0 1 * * *" → "0 2 * * *"',)),
        ({"a": {"b": None}}, {"a": {"b": True}}, ("a.b: null → true",)),
        ({"a": 1}, {}, ("a: 1 → null",)),
        ({"tags": ["a", "b"]}, {"tags": ["b", "c"]}, ('tags: + "c", - "a"',)),
        ({"steps": ["a", "b"]}, {"steps": ["b", "a"]}, ('steps[0]: "a" → "b"', 'steps[1]: "b" → "a"')),
        ({"tags": []}, {"tags": ["a"]}, ('tags: + "a"',)),
        ({"x": [{"name": "a", "p": 1}]}, {"x": [{"name": "a", "p": 2}]}, ("x.a.p: 1 → 2",)),
        ({"x": [{"name": "a"}, {"name": "b"}]}, {"x": [{"name": "b"}, {"name": "a"}]}, ("x: the order changed",)),
        ({"x": [{"name": "a"}]}, {"x": []}, ('x.a: {"name": "a"} → null',)),
        ({"x": [{"p": 1}]}, {"x": [{"p": 1}, {"p": 2}]}, ('x: [{"p": 1}] → [{"p": 1}, {"p": 2}]',)),
        ({"x": ["a"]}, {"x": ["a", "a"]}, ('x: ["a"] → ["a", "a"]',)),
    ],
)
def test_every_difference_is_one_line_that_says_where(old: Any, new: Any, expected: tuple[str, ...]) -> None:
    assert differences(old, new) == expected


def test_a_long_value_is_shortened() -> None:
    (line,) = differences({"a": "x" * 500}, {"a": "y"})
    assert len(line) < 200


def test_a_change_is_shown_with_its_sign_and_its_details() -> None:
    assert str(Change("deployment", "Back Up Data/harian", "change", ("cron: 1 → 2",))) == (
        "~ deployment Back Up Data/harian\n    cron: 1 → 2"
    )
