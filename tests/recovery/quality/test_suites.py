"""Owners' suites: nothing that was written is lost in silence."""

from pathlib import Path

import pytest

from recovery.errors import ConfigurationError
from recovery.quality.suites import check_suite, load_suite

GOOD = """\
name: penduduk
meta: {asset: penduduk, owner: dukcapil}
expectations:
  - type: expect_column_values_to_match_regex
    kwargs: {column: nik, regex: "^[0-9]{16}$"}
    severity: critical
    notes: NIK wajib 16 digit angka
  - type: expect_column_values_to_be_between
    kwargs: {column: lahir, max_value: {$PARAMETER: hari_ini}}
    severity: warning
---
name: kecamatan
meta: {asset: kecamatan}
expectations:
  - type: unexpected_rows_expectation
    kwargs: {unexpected_rows_query: "SELECT 1 AS x FROM {batch} WHERE nama = ''"}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "aturan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        check_suite(written(tmp_path, text))
    assert "nothing was judged" == caught.value.state
    return caught.value.message


def one(expectation: str) -> str:
    return f"name: s\nmeta: {{asset: t}}\nexpectations:\n{expectation}"


def test_a_file_holds_several_suites(tmp_path):
    suites = load_suite(written(tmp_path, GOOD))
    assert {"penduduk": 2, "kecamatan": 1} == {name: len(suite["expectations"]) for name, suite in suites.items()}
    assert "kecamatan" == suites["kecamatan"]["asset"]


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (
            "  - type: expect_colum_values_to_be_unique\n    kwargs: {column: a}\n",
            "aturan.yaml:4: expectations[0].type: there is no expectation 'expect_colum_values_to_be_unique'",
        ),
        (
            "  - type: expect_pulih_row_count_to_equal\n    kwargs: {table: a, value: 1}\n",
            "aturan.yaml:4: expectations[0].type: there is no expectation 'expect_pulih_row_count_to_equal'",
        ),
        (
            "  - type: expect_column_values_to_be_unique\n    kwargs: {column: a}\n"
            "  - type: expect_column_values_to_be_unique\n    kwargs:\n      column: a\n      colum: b\n",
            "aturan.yaml:9: expectations[1].kwargs.colum: extra fields not permitted",
        ),
        (
            "  - type: expect_column_values_to_be_unique\n    kwargs: {}\n",
            "aturan.yaml:5: expectations[0].kwargs.column: field required",
        ),
        (
            "  - type: expect_column_values_to_be_unique\n    kwargs: {column: a}\n    severty: info\n",
            "aturan.yaml:6: expectations[0].severty: is not a field here; there are"
            " description, id, kwargs, meta, notes, severity, type",
        ),
        (
            "  - type: expect_column_values_to_be_unique\n    kwargs: {column: a}\n    severity: parah\n",
            "aturan.yaml:6: expectations[0].severity: is one of critical, warning, info",
        ),
        (
            "  - type: expect_column_values_to_be_between\n    kwargs: {column: a, max_value: {$PARAMETER: kemarin}}\n",
            "aturan.yaml:5: expectations[0].kwargs.max_value.$PARAMETER:"
            " there is no parameter 'kemarin'; there is hari_ini",
        ),
        (
            '  - type: unexpected_rows_expectation\n    kwargs: {unexpected_rows_query: "DROP TABLE t -- {batch}"}\n',
            "aturan.yaml:5: expectations[0].kwargs.unexpected_rows_query: only SELECT or WITH may be run",
        ),
        (
            '  - type: unexpected_rows_expectation\n    kwargs: {unexpected_rows_query: "SELECT 1 FROM t"}\n',
            "aturan.yaml:5: expectations[0].kwargs.unexpected_rows_query:"
            " must read from {batch}, the table of meta.asset",
        ),
        ("  - expect_column_values_to_be_unique\n", "aturan.yaml:4: expectations[0]: an expectation is a mapping"),
        ("  - kwargs: {column: a}\n", "aturan.yaml:4: expectations[0].type: names the expectation"),
        (
            "  - type: expect_column_values_to_be_unique\n    kwargs: [a]\n",
            "aturan.yaml:5: expectations[0].kwargs: is a mapping",
        ),
        ("  []\n", "aturan.yaml:3: expectations: a suite without expectations would judge nothing"),
    ],
)
def test_a_wrong_expectation_is_named_by_file_line_and_field(tmp_path, expectation, message):
    assert message in refusal(tmp_path, one(expectation))


def test_mostly_out_of_range_is_refused(tmp_path):
    text = one("  - type: expect_column_values_to_be_unique\n    kwargs: {column: a, mostly: 7}\n")
    assert "aturan.yaml:5: expectations[0].kwargs.mostly: ensure this value is less than" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "aturan.yaml:1: the file holds no suite"),
        ("- a\n", "aturan.yaml:1: a suite is a mapping with name, meta and expectations"),
        ("name: [\n", "aturan.yaml:2: "),
        (GOOD.replace("asset: kecamatan", "aset: kecamatan"), "aturan.yaml:13: meta.asset: names the table"),
        (GOOD.replace("name: kecamatan", "nama: kecamatan"), "aturan.yaml:12: nama: is not a field here"),
        (GOOD.replace("name: kecamatan", "name: penduduk"), "aturan.yaml:12: name: a suite named 'penduduk' stands"),
        (
            GOOD.replace("    severity: critical\n", "    severity: critical\n    severity: info\n"),
            "aturan.yaml:6: expectations[0].severity: is written twice, in line 6 and 7",
        ),
        (GOOD + "---\n", "a suite is a mapping"),
    ],
)
def test_a_file_that_is_no_list_of_suites_is_refused(tmp_path, text, message):
    assert message in refusal(tmp_path, text)


def test_every_mistake_is_named_at_once(tmp_path):
    text = GOOD.replace("to_match_regex", "to_match_regexp").replace("nama = ''", "{").replace("SELECT", "DELETE")
    assert 3 <= len(refusal(tmp_path, text).splitlines())


def test_a_missing_file_and_text_that_is_no_utf8_are_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"the suite .*tidak-ada.yaml cannot be read \(No such file"):
        check_suite(tmp_path / "tidak-ada.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"name: a\nmeta: \xe9\n")
    with pytest.raises(ConfigurationError, match=r"^latin.yaml:2: this is not UTF-8 text"):
        check_suite(path)
