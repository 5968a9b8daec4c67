"""Text that can be printed whatever it holds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recovery.forms.characters import _PRINTABLE, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Café – “ya” ✓", "Café – “ya” ✓"),
        ("Cafe\u0301", "Café"),
        ("a😀b", "a[U+1F600]b"),
        ("a\u202eb", "a[U+202E]b"),
        ("a\x00b", "a[U+0000]b"),
        ("a\r\nb\rc\td", "a\nb\nc    d"),
        ("a\n\n\n\n\nb\n", "a\n\nb"),
    ],
)
def test_what_cannot_be_printed_is_shown_as_its_code_point(text, expected):
    """Nothing is dropped, and nothing turns the direction of reading."""
    assert expected == printable(text)


@settings(max_examples=200)
@given(st.text())
def test_any_text_becomes_printable(text):
    """Only listed characters and line breaks remain, and doing it twice changes nothing."""
    shown = printable(text)
    assert all(
        character == "\n" or any(first <= ord(character) <= last for first, last in _PRINTABLE) for character in shown
    )
    assert shown == printable(shown)
