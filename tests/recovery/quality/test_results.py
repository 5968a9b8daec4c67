"""Messages of databases are stripped of what may come out of the data."""

import pytest

from recovery.quality.results import _state, blind, reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no such column: nama\n[SQL: SELECT '3503012345678901']", "no such column: nama"),
        ("invalid input syntax for integer: '3503012345678901'", "invalid input syntax for integer: …"),
        ('duplicate key value: Key (nik)=("3503012345678901")', "duplicate key value: Key (nik)=(…)"),
        ("value 3503012345678901 out of range", "value … out of range"),
        ("cannot connect to postgresql://pulih:rahasia@server/db", "cannot connect to postgresql://pulih:…@server/db"),
        ("", "tanpa keterangan"),
        ("x" * 500, "x" * 200),
    ],
)
def test_a_reason_has_no_values_no_passwords_and_one_line(text: str, expected: str):
    assert expected == reason(text)


def test_a_rule_without_an_answer_is_not_taken_for_kept():
    assert ("error", "tidak dapat diperiksa: Great Expectations tidak memberi jawaban") == _state(None)


def test_the_innermost_cause_is_told():
    try:
        try:
            raise OSError("disk I/O error")
        except OSError as error:
            raise RuntimeError("Unable to connect") from error
    except RuntimeError as error:
        check = blind("opening", "x", error)
    assert ("error", "tidak dapat diperiksa: disk I/O error") == (check.state, check.message)
