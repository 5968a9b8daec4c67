"""The three states of a verdict, and what is written down of it."""

import json

import pytest

from recovery.errors import SetError
from recovery.quality.verdict import Verdict
from tests.recovery.quality.copies import check

JUDGED_AT = "2026-11-20T15:00:03.000000+00:00"


def verdict_of(*checks):
    return Verdict.of(checks, {"Great Expectations": "1.24.1"}, JUDGED_AT)


@pytest.mark.parametrize(
    ("checks", "state"),
    [
        ([check("pass")], "pass"),
        ([check("pass"), check("fail")], "fail"),
        ([check("pass"), check("error")], "error"),
        ([check("error"), check("fail")], "fail"),
        ([check("pass"), check("fail", "warning")], "pass"),
        ([check("fail", "info")], "pass"),
        ([check("error", "warning")], "error"),
        ([check("fail", "warning"), check("error")], "error"),
        ([], "error"),
    ],
)
def test_fail_comes_before_error_and_error_before_pass(checks, state):
    assert state == verdict_of(*checks).state


def test_the_worst_checks_stand_first():
    verdict = verdict_of(check("pass"), check("fail", "warning"), check("error"), check("fail"))
    assert ["fail", "error", "warning", "pass"] == [each.counts_as for each in verdict.checks]


def test_counts_keep_warnings_apart_from_failures():
    verdict = verdict_of(check("pass"), check("fail", "warning", object="lain"), check("error"), check("fail"))
    expected = {"objects": 2, "checks": 4, "pass": 1, "fail": 1, "error": 1, "warning": 1}
    assert expected == verdict.counts


def test_a_verdict_survives_being_written_and_read():
    verdict = verdict_of(check("pass"), check("fail", "warning"))
    assert verdict == Verdict.from_json(json.loads(json.dumps(verdict.to_json())))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"state": "fail"},
        {"checks": []},
        {"checks": [{"name": "x"}]},
        {"checks": None},
        {"counts": {}},
        {"engines": 5},
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused(change):
    data = verdict_of(check("pass")).to_json() | change
    with pytest.raises(SetError, match=r"^the verdict is not one that this release wrote; nothing was judged anew"):
        Verdict.from_json(data)


def test_a_verdict_without_a_field_is_refused():
    data = verdict_of(check("pass")).to_json()
    for field in data:
        with pytest.raises(SetError):
            Verdict.from_json({key: value for key, value in data.items() if key != field})
