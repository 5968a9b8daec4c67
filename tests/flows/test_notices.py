"""What happens to a run starts a notice, and the notice arrives: server, automations, worker and target are real."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from recovery.calendar import deadline
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.run_notices import TITLES
from recovery.records import notices
from recovery.records.approvals import Question, ask
from recovery.records.steps import open_step
from tests.flows.waiting import wait_until

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

# The shortest time that a trigger which waits for nothing to happen may have.
SHORTEST = 10.0
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture(scope="module")
def telling(office: "WorkingOffice") -> "Iterator[WorkingOffice]":
    """The office with its automations switched on, and impatient."""
    office.switch_automations(True, within=SHORTEST)
    wait_until_heard(office)
    yield office
    office.switch_automations(False)


def wait_until_heard(office: "WorkingOffice") -> None:
    """Wait until the server goes by what it was told of automations: it hears of them one after the other, and the
    last one reacts to an event of ours."""
    trigger = {"type": "event", "posture": "Reactive", "expect": ["uji.siap"], "within": 0}
    body = {"name": "uji", "trigger": trigger, "actions": [{"type": "do-nothing"}]}
    probe = office.get("POST", "/automations/", body)["id"]
    reacted = {"event": {"name": ["prefect.automation.triggered"]}, "resource": {"id": [f"prefect.automation.{probe}"]}}

    def heard() -> bool:
        event = {"id": str(uuid4()), "occurred": datetime.now(UTC).isoformat(), "event": "uji.siap"}
        office.get("POST", "/events", [{**event, "resource": {"prefect.resource.id": "uji"}}])
        return bool(office.get("POST", "/events/filter", {"filter": reacted})["events"])

    wait_until(heard, "the server goes by its automations", every=1)
    office.get("DELETE", f"/automations/{probe}")


def planned_run(office: "WorkingOffice") -> str:
    """A run of a backup that no worker takes up: it is planned for tomorrow."""
    deployment = office.get("GET", "/deployments/name/Back Up Data/bulanan")["id"]
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": TOMORROW}}
    return str(office.get("POST", f"/deployments/{deployment}/create_flow_run", {"state": state})["id"])


def set_planned(office: "WorkingOffice", run: str, name: str) -> None:
    """Set a run's state to one in which it is about to start, but not before tomorrow."""
    state = {"type": "SCHEDULED", "name": name, "state_details": {"scheduled_time": TOMORROW}}
    office.get("POST", f"/flow_runs/{run}/set_state", {"state": state, "force": True})


def notices_of(office: "WorkingOffice", run: str) -> list[dict[str, Any]]:
    """The runs of the notify flow that are about a run."""
    body = {"flows": {"name": {"any_": ["Pemberitahuan"]}}, "sort": "EXPECTED_START_TIME_ASC"}
    found = office.get("POST", "/flow_runs/filter", body)
    return [each for each in found if each["parameters"]["run"] == f"prefect.flow-run.{run}"]


def ended_notice(office: "WorkingOffice", run: str, occasion: str) -> dict[str, Any]:
    """Wait until a notice of this occasion has ended, and return its run."""

    def ended() -> dict[str, Any] | None:
        found = [each for each in notices_of(office, run) if each["parameters"]["perihal"] == occasion]
        over = [each for each in found if each["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED")]
        return over[0] if over else None

    found = wait_until(ended, f"a notice {occasion} of {run}; {office.server.home}/worker-{office.worker_name}.log")
    assert found is not None
    return found


def test_a_notice_that_cannot_be_delivered_ends_failed_and_starts_no_other(telling: "WorkingOffice") -> None:
    """Its failure is an event like any other; the event that comes after it is told of once."""
    office, target = telling, telling.small.root / "keys" / "notices"
    good = target.read_text()
    first, second = planned_run(office), planned_run(office)
    target.write_text("kata-sandi-rahasia")
    try:
        office.set_state(first, "FAILED", "Failed")
        undelivered = ended_notice(office, first, "gagal")
    finally:
        target.write_text(good)
    assert "FAILED" == undelivered["state"]["type"]
    assert "a notice was not delivered" in undelivered["state"]["message"]
    assert "kata-sandi" not in undelivered["state"]["message"]
    office.set_state(second, "FAILED", "Gagal")
    delivered = ended_notice(office, second, "gagal")
    assert ("Completed", "Terkirim ke 1 tujuan.") == (delivered["state"]["name"], delivered["state"]["message"])
    assert [1, 1, 0, 0] == [len(notices_of(office, run)) for run in (first, second, undelivered["id"], delivered["id"])]
    name = office.get("GET", f"/flow_runs/{second}")["name"]
    assert f"Pemberitahuan: Proses gagal · {name}" == delivered["name"]
    assert 1 == office.notices().count(f"Proses gagal: {name}\n")
    assert f"Tautan: {office.server.url}/runs/flow-run/{second}\n" in office.notices()

    again = office.browser.start("Pemberitahuan/pemberitahuan", delivered["parameters"])
    assert "Tidak perlu" == office.wait_for_end(again)["name"], "an event is told once"
    assert 1 == office.notices().count(f"Proses gagal: {name}\n")


def test_what_is_late_or_silent_or_waits_for_an_official_is_told_of_and_a_reminder_is_put_off(
    telling: "WorkingOffice",
) -> None:
    """Those that wait for nothing to happen are told after a time, here the shortest that Prefect knows."""
    office = telling
    late, silent, waiting = planned_run(office), planned_run(office), planned_run(office)
    due = ask_the_kabid(office, waiting)
    # A restore waits for several officials in a day: that the first has answered must not keep the second from being
    # reminded.
    office.set_state(waiting, "PAUSED", "Suspended")
    set_planned(office, waiting, "Resuming")
    office.set_state(waiting, "RUNNING", "Running")
    office.set_state(waiting, "PAUSED", "Suspended")
    set_planned(office, late, "Late")
    office.set_state(silent, "RUNNING", "Running")
    office.get("POST", "/events", [heartbeat(silent)])
    for run, occasion, words in (
        (waiting, "persetujuan", "Yang harus bertindak: Kabid Aptika (Siti Contoh)\n"),
        (late, "terlambat", "belum dimulai"),
        (silent, "tanpa-kabar", "tidak lagi memberi tanda hidup"),
    ):
        assert "COMPLETED" == ended_notice(office, run, occasion)["state"]["type"]
        name = office.get("GET", f"/flow_runs/{run}")["name"]
        notice = office.notices().split(f"{TITLES[occasion]}: {name}\n")[1].split("\n\n")[0]
        assert words in notice
        assert f"/runs/flow-run/{run}" in notice
    with office.installation.catalog.read() as connection:
        told = notices.list_notices(connection, waiting)
    assert {("kantor", True, "backup.6")} == {(each.recipient, each.delivered, each.step_id) for each in told}

    assert "Ditunda" == ended_notice(office, waiting, "lewat-waktu")["state"]["name"]
    (reminder,) = [each for each in notices_of(office, waiting) if each["state"]["type"] == "SCHEDULED"]
    assert due == datetime.fromisoformat(reminder["expected_start_time"])
    subject = {"perihal": "lewat-waktu", "run": f"prefect.flow-run.{waiting}"}
    assert {**subject, "peristiwa": f"tenggat {due.isoformat()}"} == reminder["parameters"]
    for run in (late, silent, waiting):
        office.set_state(run, "CANCELLED", "Cancelled")


def ask_the_kabid(office: "WorkingOffice", run: str) -> datetime:
    """Record what a run that waits for its review has recorded; return when the review is due."""
    there = office.installation
    begin_backup(there, run, schedule_name="bulanan", routine=True)
    opened = open_step(there.catalog, "backup.6", run, deadline=deadline)
    question = Question(run, "backup.6", roles=("kabid",), document={}, choices=("sesuai", "tidak sesuai"))
    ask(there.catalog, question, lifetime=timedelta(days=14))
    assert opened.deadline is not None
    return datetime.fromisoformat(opened.deadline)


def heartbeat(run: str) -> dict[str, Any]:
    """The sign of life of a run, as its process sends it; a test compares it with a real one."""
    return {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.name": "x"},
        "related": [{"prefect.resource.id": "prefect.tag.sop", "prefect.resource.role": "tag"}],
    }


def test_a_real_run_raises_the_events_that_automations_wait_for(office: "WorkingOffice", reviewed_backup: str) -> None:
    """The others play runs by their states alone; this one was done by a worker."""
    wanted = [f"prefect.flow-run.{name}" for name in ("heartbeat", "Suspended", "Resuming", "Running", "Completed")]
    body = {"filter": {"resource": {"id": [f"prefect.flow-run.{reviewed_backup}"]}}, "limit": 50}

    def found() -> dict[str, Any] | None:
        events = {event["event"]: event for event in office.get("POST", "/events/filter", body)["events"]}
        return events if set(wanted) <= set(events) else None

    # The server keeps them a moment after it has acted on them.
    events = wait_until(found, f"the events of {reviewed_backup}")
    assert events is not None
    for name in wanted:
        assert heartbeat("")["related"][0] in events[name]["related"]
