"""The backup procedure as the UI drives it: a run of the schedule's deployment, a form, an answer."""

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from recovery import sop
from recovery.calendar import format_date, to_wib

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

COMPONENTS = ("simpel/data", "simpel/berkas")


def test_a_reviewed_backup_is_completed_and_says_so(office: "WorkingOffice", reviewed_backup: str) -> None:
    """The dashboard shows one Indonesian sentence; the record says the same."""
    state = office.browser.state(reviewed_backup)
    form = office.steps(reviewed_backup)["backup.5", ""].evidence["form_number"]
    assert ("COMPLETED", "Completed") == (state["type"], state["name"])
    # What follows is how its schedule stood.
    assert state["message"].startswith(f"2 komponen dicadangkan, diverifikasi, dan diamankan. Formulir {form}.")
    assert ["simpel/berkas", "simpel/data"] == sorted(
        entry.component for entry in office.ledger(reviewed_backup, "step.done") if entry.step_id == "backup.4"
    )


def test_the_dashboard_shows_the_sops_steps_in_the_sops_words_and_order(
    office: "WorkingOffice", reviewed_backup: str
) -> None:
    names = office.task_names(reviewed_backup)
    for component in COMPONENTS:
        wanted = [f"{sop.step(f'backup.{number}').title} · {component}" for number in (1, 2, 3, 4)]
        assert wanted == [name for name in dict.fromkeys(names) if name.endswith(component)]
    assert [sop.step("backup.5").title, sop.step("backup.6").title] == list(dict.fromkeys(names))[-2:]
    run = office.get("GET", f"/flow_runs/{reviewed_backup}")
    # The same name after the review as before: by when it was wanted, not by when its process began.
    wanted_at = datetime.fromisoformat(run["expected_start_time"])
    moment = f"{format_date(wanted_at)} {to_wib(wanted_at):%H.%M}"
    assert f"Back up bulanan · di luar jadwal · {moment}" == run["name"]
    assert {"pulih", "sop", "backup", "aplikasi:simpel"} == set(run["tags"])


def test_going_on_after_the_review_repeats_nothing(office: "WorkingOffice", reviewed_backup: str) -> None:
    """The flow started again from its first line after the answer; every step was tried once and done once."""
    assert 1 == office.states(reviewed_backup).count("Suspended")
    recorded = office.steps(reviewed_backup)
    wanted = [(f"backup.{number}", component) for number in (1, 2, 3, 4) for component in COMPONENTS]
    wanted += [("backup.5", ""), ("backup.6", "")]
    assert sorted(wanted) == sorted(recorded)
    assert {("done", 1)} == {(row.state, row.tries) for row in recorded.values()}
    done = [(entry.step_id, entry.component) for entry in office.ledger(reviewed_backup, "step.done")]
    assert sorted(wanted) == sorted(done)
    assert [] == office.ledger_findings()


def test_the_verdicts_are_published_once_for_each_component(office: "WorkingOffice", reviewed_backup: str) -> None:
    """Verdicts are read on the Artifacts page; the record keeps its own copy. So is what the application has by now."""
    body = {"artifacts": {"flow_run_id": {"any_": [reviewed_backup]}}}
    found = {artifact["key"]: artifact["data"] for artifact in office.get("POST", "/artifacts/filter", body)}
    bars = {"kemajuan-uji-simpel-data", "kemajuan-uji-simpel-berkas"}
    assert {"hasil-uji-simpel-data", "hasil-uji-simpel-berkas", "cadangan-simpel", *bars} == set(found)
    assert {100.0} == {float(found[bar]) for bar in bars}
    form = office.steps(reviewed_backup)["backup.5", ""].evidence["form_number"]
    address = f"{office.server.url}/runs/flow-run/{reviewed_backup}"
    assert 2 == found["cadangan-simpel"].count(f"[{form}]({address})")
    assert all("| " in text for key, text in found.items() if key.startswith("hasil-uji-"))
