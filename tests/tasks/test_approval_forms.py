"""The forms that officials fill in, and the questions by which their answers are judged."""

import pytest

from recovery.procedures.backup_question import REVIEW_CHECKS, SCHEDULE_CHECK
from recovery.procedures.questions import VERIFICATION_CHECKS
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
