"""Turns what Great Expectations answers into checks: pass, fail and error kept apart, and no value out of the data."""

import re
from typing import Any

from recovery.quality.verdict import Check, Severity, State

# Names of what concerns no single table or directory.
DATABASE = "(seluruh basis data)"
DIRECTORY = "(seluruh direktori)"

LONGEST_REASON = 200
# A database may quote in its message what it stumbled over: quoted text and long numbers are taken out.
_CREDENTIALS = re.compile(r"(://[^:/@\s]*:)[^@\s]+@")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|‘[^’]*’|“[^”]*”")
_LONG_NUMBER = re.compile(r"\d{5,}")


def blind(name: str, object: str, error: Exception, severity: Severity = "critical") -> Check:
    """Given the error that kept the judge from looking, return the check that says so."""
    # What SQLAlchemy or Great Expectations wrap around it says less than the cause does.
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return Check(name, object, "error", severity, "", f"tidak dapat diperiksa: {reason(str(cause))}")


def reason(text: str) -> str:
    """Given the text of an error, return its first line without anything that may come out of the data."""
    lines = text.strip().splitlines() or [""]
    line = _CREDENTIALS.sub(r"\1…@", lines[0])
    line = _LONG_NUMBER.sub("…", _QUOTED.sub("…", line))
    return line[:LONGEST_REASON].strip() or "tanpa keterangan"


def manifest_checks(expectations: list[Any], result: Any) -> list[Check]:
    """Given the judge's own expectations and their result, return one check for each; a lost one is an error."""
    answers = _by_number(result)
    checks = []
    for expectation in expectations:
        meta = expectation.meta
        answer = answers.get(meta["number"])
        state, fault = _state(answer)
        details = (answer.result or {}).get("details", {}) if answer is not None else {}
        observed = str((answer.result or {}).get("observed_value", "")) if state != "error" and answer else ""
        message = fault if state == "error" else str(details.get("message", ""))
        checks.append(Check(meta["name"], meta["object"], state, expectation.severity.value, observed, message))
    return checks


def suite_checks(suite: dict[str, Any], result: Any) -> list[Check]:
    """Given an owner's suite and its result, return one check for each; a lost one is an error."""
    answers = _by_number(result)
    checks = []
    for number, expectation in enumerate(suite["expectations"]):
        answer = answers.get(number)
        state, fault = _state(answer)
        observed = _counts(answer.result or {}) if answer is not None and state != "error" else ""
        message = ""
        if state == "error":
            message = fault
        elif state == "fail":
            said = " ".join((str(expectation.get("notes") or ""), f"({observed})" if observed else "")).strip()
            message = said or "aturan tidak terpenuhi"
        severity: Severity = expectation.get("severity", "critical")
        checks.append(Check(_title(expectation), suite["asset"], state, severity, observed, message))
    return checks


def _by_number(result: Any) -> dict[int, Any]:
    # Results come back in another order than the suite's.
    return {answer.expectation_config.meta["number"]: answer for answer in result.results}


def _state(answer: Any) -> tuple[State, str]:
    if answer is None:
        return "error", "tidak dapat diperiksa: Great Expectations tidak memberi jawaban"
    faults = _faults(answer.exception_info or {})
    if faults:
        return "error", f"tidak dapat diperiksa: {reason(faults[0])}"
    return ("pass", "") if answer.success else ("fail", "")


def _faults(information: dict[str, Any]) -> list[str]:
    """The messages of what was raised: one dictionary, or one for each metric."""
    entries = [information, *(value for value in information.values() if isinstance(value, dict))]
    return [str(entry.get("exception_message")) for entry in entries if entry.get("raised_exception")]


def _counts(result: dict[str, Any]) -> str:
    # Numbers of rows only: an observed value may be the highest NIK of a column, or every value that occurs.
    unexpected, total = result.get("unexpected_count"), result.get("element_count")
    if isinstance(unexpected, int | float) and isinstance(total, int | float):
        return f"{int(unexpected)} dari {int(total)} baris"
    return ""


def _title(expectation: dict[str, Any]) -> str:
    kwargs = expectation.get("kwargs", {})
    names = [kwargs.get(key) for key in ("column", "column_A", "column_B") if isinstance(kwargs.get(key), str)]
    listed = kwargs.get("column_list")
    if isinstance(listed, list):
        names += [str(name) for name in listed]
    return f"{expectation['type']} ({', '.join(map(str, names))})" if names else str(expectation["type"])
