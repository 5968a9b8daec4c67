"""The text above an approval's form."""

from dataclasses import replace
from datetime import timedelta

from recovery.procedures.approval_text import approval_markdown
from recovery.procedures.questions import question_of
from recovery.procedures.schedule_begin import begin_schedule, draw_up
from recovery.records.approvals import ApprovalRequest, ask
from tests.testbed.small_office import SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True


def test_a_complaint_is_shown_when_there_is_one(office: SmallOffice) -> None:
    """The first attempt has none; the code to copy stands below the document in either case."""
    begin_schedule(office.installation, "run", "bulanan")
    draw_up(office.installation, "run")
    question = question_of(office.installation, "run", "schedule.approve")
    asked = ask(office.installation.catalog, question, lifetime=timedelta(days=14))
    assert isinstance(asked, ApprovalRequest)
    first = approval_markdown(asked)
    second = approval_markdown(replace(asked, complaint="Kode tidak cocok."))
    assert "### Perhatian" not in first
    assert second == first.replace("\n### ", "\n### Perhatian\n\n**Kode tidak cocok.**\n\n### ", 1)
    assert f"### Kode dokumen: `{asked.code}`" in first
