"""Destroying sets as the UI drives it: a run in a work pool of its own, a wrong answer, the Kabid's, and the end."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from deployments.server import RETENTION_POOL, start_worker
from recovery.settings import RetentionSettings
from tests.testbed.old_backups import old_backup, set_directory
from tests.testbed.small_office import KABID, KADIS

if TYPE_CHECKING:
    from tests.flows.working_office import WorkingOffice

pytestmark = pytest.mark.slow

RETENTION = "Pemusnahan Cadangan/pemusnahan"


def test_sets_are_destroyed_when_the_kabid_agrees_and_by_a_worker_of_their_own_pool(office: "WorkingOffice") -> None:
    """Of an application that the inventory names no more; the next run finds nothing to do, and asks nobody."""
    promise = RetentionSettings(verified=2, daily=0, weekly=0, monthly=0, yearly=0)
    schedule = office.installation.schedules["bulanan"].model_copy(
        update={"name": "mingguan", "retention_days": 10, "retention": promise}
    )
    now = datetime.now(UTC)
    made = [
        old_backup(office.small, now - timedelta(weeks=4 - number), application="arsip", schedule=schedule)
        for number in range(5)
    ]
    start_worker(office.server, name="pemusnah", pool=RETENTION_POOL, query_seconds=1)

    run = office.browser.start(RETENTION, {})
    text = office.wait_for_question(run, "retention.approve")
    assert "Berita Acara Pemusnahan Cadangan" in text
    assert "tidak dapat dikembalikan" in text
    office.decide(run, "retention.approve", KADIS, "disetujui")
    text = office.wait_for_question(run, "retention.approve", attempt=2)
    assert "hanya dapat diputuskan oleh Kabid Aptika" in text
    assert all(set_directory(office.small, each).exists() for each in made)
    office.decide(run, "retention.approve", KABID, "disetujui", attempt=2)
    state = office.wait_for_end(run)
    assert "COMPLETED" == state["type"]
    assert state["message"].startswith("3 cadangan dimusnahkan, 0 dilewati, 0 belum selesai. Berita acara ")
    assert [False, False, False, True, True] == [set_directory(office.small, each).exists() for each in made]
    flow_run = office.get("GET", f"/flow_runs/{run}")
    assert RETENTION_POOL == flow_run["work_pool_name"]
    assert flow_run["name"].startswith("Pemusnahan cadangan · ")
    assert 2 == len(office.ledger(run, "form.stored"))
    assert 3 == len(office.ledger(run, "backup.destroyed"))
    assert [] == office.ledger_findings()

    again = office.browser.start(RETENTION, {})
    state = office.wait_for_end(again)
    assert ("COMPLETED", "Tidak ada") == (state["type"], state["name"])
    assert "Tidak ada cadangan yang perlu dimusnahkan." == state["message"]
    assert [] == office.ledger(again)
