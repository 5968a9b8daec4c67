"""The forms that officials fill in, and the questions by which their answers are judged."""

from typing import Any

import pytest

from recovery.procedures.backup_question import REVIEW_CHECKS, SCHEDULE_CHECK
from recovery.procedures.questions import VERIFICATION_CHECKS
from recovery.procedures.restore.request_form import RestoreRequest
from tasks.approval_forms import FORMS, YesNo


@pytest.mark.parametrize(
    ("step_id", "checks"),
    [("backup.6", {**SCHEDULE_CHECK, **REVIEW_CHECKS}), ("restore.3", VERIFICATION_CHECKS)],
)
def test_what_is_answered_with_yes_or_no_is_what_an_assent_is_held_against(
    step_id: str, checks: dict[str, str]
) -> None:
    """Under the same names, and in the words that the official read."""
    fields = FORMS[step_id].model_fields
    assert checks == {name: field.title for name, field in fields.items() if field.annotation == YesNo}


def test_no_other_form_asks_for_yes_or_no() -> None:
    """A check that no question knows of would be denied by nobody."""
    others = [form for step_id, form in FORMS.items() if step_id not in ("backup.6", "restore.3")]
    assert [] == [name for form in others for name, field in form.model_fields.items() if field.annotation == YesNo]


# What a requester may leave empty, and what that says.
MAY_BE_EMPTY = {
    "titik_pulih": "the newest verified backup, as the SOP says",
    "alasan_titik_pulih": "nothing to give a reason for: the newest backup; the form's own check asks for it else",
    "lampiran": "the letter has no attachment",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_nothing_on_an_officials_form_can_be_passed_over(form: Any) -> None:
    """A form without an answer in each field is refused before the run goes on; silence is never consent."""
    schema = form.model_json_schema()
    fields = schema["properties"]
    assert set(schema["required"]) == fields.keys()
    assert {} == {name: field for name, field in fields.items() if "default" in field}
    assert [] == [name for name, field in fields.items() if _takes_nothing(field)]
    assert [] == [name for name, field in fields.items() if not (field["title"] and field["description"])]
    assert len(fields["keputusan"]["enum"]) == 2
    assert not schema["additionalProperties"]


def test_a_requester_may_leave_out_only_what_says_something_when_it_is_empty() -> None:
    schema = RestoreRequest.model_json_schema()
    fields = schema["properties"]
    assert set(schema["required"]) == fields.keys() - MAY_BE_EMPTY.keys()
    assert {name: "" for name in MAY_BE_EMPTY} == {
        name: field["default"] for name, field in fields.items() if "default" in field
    }
    # The application is checked against the inventory, which offers its names.
    assert {*MAY_BE_EMPTY, "aplikasi"} == {name for name, field in fields.items() if _takes_nothing(field)}
    assert [] == [name for name, field in fields.items() if not (field["title"] and field["description"])]
    for pledge, words in (("setuju_kehilangan_data", "setuju"), ("tanggung_jawab", "bertanggung jawab")):
        assert [words] == fields[pledge]["enum"]


def _takes_nothing(field: dict[str, Any]) -> bool:
    """Whether an empty text is an answer, as the schema says: a choice, a format or a length refuses it."""
    return not (
        {"enum", "format"} & field.keys() or field.get("minLength") or field.get("pattern", "^(").find("^(") < 0
    )
