"""The approval of a schedule as the UI drives it: a run, the document, an answer that does not count, one that does."""

from typing import TYPE_CHECKING

import pytest

from recovery.procedures.schedule_approval import approval_of
from tests.testbed.small_office import KABID, KADIS

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

SCHEDULE = "Jadwal Back Up/pengesahan-jadwal"


def test_a_schedule_is_approved_by_the_official_whom_it_names(office: "WorkingOffice") -> None:
    """Another official's answer asks again; the next run finds nothing to approve, and asks nobody. A run that another
    one replaced is cancelled, and reminds nobody."""
    replaced = office.browser.start(SCHEDULE, {"jadwal": "bulanan"})
    office.wait_for_question(replaced, "schedule.approve")
    run = office.browser.start(SCHEDULE, {"jadwal": "bulanan"})
    text = office.wait_for_question(run, "schedule.approve")
    state = office.wait_for_end(replaced)
    assert ("CANCELLED", "Cancelled") == (state["type"], state["name"]), (
        "nobody is asked for an answer that is not used"
    )
    assert state["message"].startswith("Diganti: ")
    reminder = {"perihal": "lewat-waktu", "run": f"prefect.flow-run.{replaced}", "peristiwa": "uji"}
    office.set_state(replaced, "PAUSED", "Suspended")
    state = office.wait_for_end(office.browser.start("Pemberitahuan/pemberitahuan", reminder))
    assert ("Tidak perlu", "Prosedurnya sudah ditutup; tidak ada yang perlu dijawab.") == (
        state["name"],
        state["message"],
    )
    office.set_state(replaced, "CANCELLED", "Cancelled")
    assert "RANCANGAN – BELUM DISAHKAN" in text
    office.decide(run, "schedule.approve", KABID, "disahkan")
    text = office.wait_for_question(run, "schedule.approve", attempt=2)
    assert "hanya dapat diputuskan oleh pejabat yang ditetapkan untuknya" in text
    office.decide(run, "schedule.approve", KADIS, "disahkan", attempt=2)
    state = office.wait_for_end(run)
    approval = approval_of(office.installation, "bulanan")
    assert ("COMPLETED", "Disahkan") == (state["type"], state["name"])
    assert f"Jadwal Back Up {approval.cited} disahkan." == state["message"]
    assert ("approved", 3, KADIS) == (approval.state, approval.version, approval.official)
    assert "Pengesahan jadwal bulanan" == office.get("GET", f"/flow_runs/{run}")["name"]
    assert 2 == len(office.ledger(run, "form.stored"))
    assert [] == office.ledger_findings()

    again = office.browser.start(SCHEDULE, {"jadwal": "bulanan"})
    state = office.wait_for_end(again)
    assert ("COMPLETED", "Tetap berlaku") == (state["type"], state["name"])
    assert f"Jadwal Back Up {approval.cited} sudah disahkan, dan isinya tidak berubah." == state["message"]
    assert [] == office.ledger(again)
