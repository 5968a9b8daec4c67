"""A component that fails: the other goes on, the form names both, and the rerun takes only what failed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recovery.calendar import format_date, to_wib
from tests.flows.waiting import wait_until

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow


def start_next_of_schedule(office: "WorkingOffice") -> str:
    """Have the worker start now what the schedule itself wants next, and return it."""
    from tests.flows.working_office import BACKUP

    deployment = office.get("GET", f"/deployments/name/{BACKUP}")["id"]
    wanted = {"state": {"type": {"any_": ["SCHEDULED"]}}, "deployment_id": {"any_": [deployment]}}
    body = {"flow_runs": wanted, "sort": "EXPECTED_START_TIME_ASC"}

    def planned() -> list[Any]:
        return [run for run in office.get("POST", "/flow_runs/filter", body) if run["auto_scheduled"]]

    run = str(wait_until(planned, "the server plans what the schedule wants")[0]["id"])
    details = {"scheduled_time": datetime.now(UTC).isoformat()}
    state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": details}
    assert "ACCEPT" == office.get("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})["status"]
    return run


def name_and_time(office: "WorkingOffice", run: str) -> tuple[str, str]:
    """How a run is called, and when it was wanted as its name has it."""
    shown = office.get("GET", f"/flow_runs/{run}")
    wanted_at = datetime.fromisoformat(shown["expected_start_time"])
    return shown["name"], f"{format_date(wanted_at)} {to_wib(wanted_at):%H.%M}"


def test_a_failing_component_is_on_the_form_and_a_rerun_takes_it_alone(office: "WorkingOffice") -> None:
    """Begun by the schedule, as the name says, which also says of the other what it repeats."""
    away = office.small.uploads.with_name("unggahan-hilang")
    office.small.uploads.rename(away)
    try:
        run = start_next_of_schedule(office)
        text = office.wait_for_question(run, "backup.6")
    finally:
        away.rename(office.small.uploads)
    steps = office.steps(run)
    form = steps["backup.5", ""].evidence["form_number"]
    assert "done" == steps["backup.4", "simpel/data"].state
    assert "failed" == steps["backup.1", "simpel/berkas"].state
    assert "simpel/data" in text and "Berhasil" in text
    assert "simpel/berkas" in text and "GAGAL" in text
    state = office.review(run)
    assert ("FAILED", "Gagal") == (state["type"], state["name"])
    # What follows is how its schedule stood.
    assert state["message"].startswith(f"Gagal untuk simpel/berkas; lihat formulir {form}.")
    name, wanted_at = name_and_time(office, run)
    assert f"Back up bulanan · {wanted_at}" == name

    again = office.back_up(reason="", mengulang=form)
    office.wait_for_question(again, "backup.6")
    steps = office.steps(again)
    assert {"simpel/berkas", ""} == {component for _step_id, component in steps}
    name, wanted_at = name_and_time(office, again)
    assert f"Back up bulanan · mengulang {form} · {wanted_at}" == name
    assert "done" == steps["backup.4", "simpel/berkas"].state
    state = office.review(again)
    assert "COMPLETED" == state["type"]
    assert state["message"].startswith("1 komponen dicadangkan, diverifikasi, dan diamankan.")


def test_a_rerun_of_an_unknown_form_is_refused_with_a_sentence(office: "WorkingOffice") -> None:
    run = office.back_up(reason="", mengulang="999/BU/KOMINFO/I/2020")
    state = office.wait_for_end(run)
    assert "FAILED" == state["type"]
    assert "no backup form has the number '999/BU/KOMINFO/I/2020'" in state["message"]
