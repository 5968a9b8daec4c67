"""A drill that follows a backup by the schedule's policy: a run of its own, which waits for nobody."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from recovery.procedures.drill_conclude import SUCCEEDED
from recovery.procedures.drill_unstarted import NOT_STARTED, SUBJECT
from recovery.records import drills, forms, ledger, notices, procedures
from recovery.settings import DrillSettings
from tests.flows.waiting import wait_until

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

FLOW = {"flows": {"name": {"any_": ["Gladi Restore"]}}}


@pytest.fixture
def drilling(office: "WorkingOffice") -> "Iterator[WorkingOffice]":
    """The office while its schedule wants a drill after each backup."""
    from deployments.apply import apply
    from tests.flows.working_office import inventory_of

    schedules = office.installation.schedules
    before = schedules["bulanan"]
    schedules["bulanan"] = before.model_copy(update={"drill": DrillSettings(cron="0 9 15 * *", after_backup=True)})
    apply(inventory_of(office.small))
    yield office
    schedules["bulanan"] = before
    apply(inventory_of(office.small), prune=True)


def test_a_drill_follows_a_backup_and_proves_its_copies_from_the_store(drilling: "WorkingOffice") -> None:
    """It begins while the backup still waits for its review; its page, name, tags and form are there."""
    from flows.opening import drill_by_policy

    office = drilling
    backup = office.back_up()
    office.wait_for_question(backup, "backup.6")

    def begun() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = office.get("POST", "/flow_runs/filter", FLOW)
        return [run for run in found if run["state_type"] != "SCHEDULED" or not run["auto_scheduled"]]

    (run,) = wait_until(begun, "a drill has been started") or []
    state = office.wait_for_end(run["id"])
    assert ("COMPLETED", "Lulus") == (state["type"], state["name"]), state
    assert state["message"].startswith("2 komponen lulus gladi restore. Berita acara 001/BAG/KOMINFO/")
    with office.installation.catalog.read() as connection:
        judged = drills.of_procedure(connection, run["id"])
        assert SUCCEEDED == procedures.get(connection, run["id"]).outcome
        assert 1 == len(forms.list_forms(connection, run["id"]))
    assert {"simpel/data": "pass", "simpel/berkas": "pass"} == {key: each.verdict for key, each in judged.items()}
    found = office.get("GET", f"/flow_runs/{run['id']}")
    assert found["name"].startswith("Gladi restore bulanan · ")
    assert {"pulih", "sop", "gladi", "aplikasi:simpel"} <= set(found["tags"])
    keys = {each["key"] for each in office.get("POST", "/artifacts/latest/filter", {})}
    assert {"hasil-gladi-simpel-data", "hasil-gladi-simpel-berkas", "cadangan-simpel"} <= keys
    deployments = {each["name"]: each for each in office.get("POST", "/deployments/filter", {})}
    (schedule,) = deployments["gladi-bulanan"]["schedules"]
    assert "0 9 15 * *" == schedule["schedule"]["cron"]
    office.review(backup)
    # The backup's process began anew after the answer, and started no second drill.
    assert 1 == len(begun())
    # Without its deployment none can be started: no backup ends of that, and the office knows at once.
    office.get("DELETE", f"/deployments/{deployments['gladi-restore']['id']}")
    drill_by_policy(backup)
    with office.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, procedure_id=backup, kind=NOT_STARTED)
        assert (SUBJECT, True) in [(each.subject, each.delivered) for each in notices.list_notices(connection, backup)]
    assert entry.facts["why"].startswith("ObjectNotFound: ")
    assert [] == office.ledger_findings()
