"""YAML with lines: what is read, and what a person is told when it cannot be."""

from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.marked_yaml import Complaint, field_name, read_marked


def _document(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "berkas.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_only_numbers_true_false_and_null_are_not_text(tmp_path: Path) -> None:
    text = "a: no\nb: 2026-01-01\nc: 12\nd: true\ne: 1.5\nf:\ng: 0o17\nh: 007\ni: '12'\nj: off\nk: 22:00\n"
    expected = {
        "a": "no",
        "b": "2026-01-01",
        "c": 12,
        "d": True,
        "e": 1.5,
        "f": None,
        "g": "0o17",
        "h": "007",
        "i": "12",
        "j": "off",
        "k": "22:00",
    }
    assert expected == read_marked(_document(tmp_path, text)).value


def test_a_missing_value_stands_where_its_parent_stands(tmp_path: Path) -> None:
    document = read_marked(_document(tmp_path, "a:\n  - b: 1\n  - b: 2\n    c: 3\n"))
    assert (
        document.line(("a", 0, "b")),
        document.line(("a", 1, "b")),
        document.line(("a", 1, "c")),
        document.line(("a", 1, "missing", "deeper")),
    ) == (2, 3, 4, 3)


def test_a_location_is_written_as_people_write_it() -> None:
    assert field_name(("applications", 0, "components", 1, "path")) == "applications[0].components[1].path"


def test_duplicate_keys_are_named_with_both_lines(tmp_path: Path) -> None:
    document = read_marked(_document(tmp_path, "a: 1\nb:\n  c: 1\n  c: 2\na: 3\n"))
    assert [document.sentence(complaint) for complaint in document.complaints] == [
        "berkas.yaml:3: b.c: is written twice, in line 3 and 4",
        "berkas.yaml:1: a: is written twice, in line 1 and 5",
    ]


def test_aliases_tags_and_keys_that_are_not_text_are_refused(tmp_path: Path) -> None:
    document = read_marked(_document(tmp_path, "a: &x [1]\nb: *x\nc: !!python/name:os.system x\n? [1]\n: 2\n"))
    assert [
        Complaint(("b",), "aliases are not allowed here; write the value out"),
        Complaint(("c",), "the tag tag:yaml.org,2002:python/name:os.system is not allowed here"),
        Complaint((), "a key must be text"),
    ] == list(document.complaints)


def test_an_alias_that_contains_itself_does_not_run_in_a_circle(tmp_path: Path) -> None:
    document = read_marked(_document(tmp_path, "a: &x [*x]\n"))
    assert [document.sentence(complaint) for complaint in document.complaints] == [
        "berkas.yaml:1: a[0]: aliases are not allowed here; write the value out"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [1\n", "berkas.yaml:3: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\n\tb: 2\n", "berkas.yaml:2: found character '\\t' that cannot start any token"),
        (b"a: 1\nb: \xff\n", "berkas.yaml:2: this is not UTF-8 text"),
        ("a: 1\n---\nb: 2\n", "berkas.yaml:2: but found another document"),
        (
            "a: \x07\n",
            "berkas.yaml: unacceptable character #x0007: special characters are not allowed "
            'in "<unicode string>", position 3',
        ),
    ],
)
def test_what_is_no_yaml_is_reported_with_its_line(tmp_path: Path, text: str | bytes, expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_marked(_document(tmp_path, text))
    assert expected == caught.value.message


def test_a_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read \\(No such file or directory\\); nothing was changed"):
        read_marked(tmp_path / "hilang.yaml")
