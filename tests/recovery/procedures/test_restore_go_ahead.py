"""Approvals are asked for again at steps 4 and 5: one that does not hold for exactly what is there stops nothing, and
exchanges nothing."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from recovery.canonical import canonical_json, digest
from recovery.errors import ApprovalError
from recovery.procedures.restore.interventions import STOPPING
from recovery.records import decisions, journal, ledger, schema
from recovery.sop import EXECUTOR_START
from tests.testbed.kept_office import keep, put_back
from tests.testbed.small_office import SmallOffice, open_office

APPROVED, STOPPED = "approved", "stopped"
COMPONENT = "simpel/data"
ANOTHER = r"the approval of restore\.3 does not hold: the decision is about another request, backup or target"


@dataclass(frozen=True)
class Restore:
    """An office with an open restore that was approved, and its damaged data, which is live."""

    office: SmallOffice
    procedure_id: str
    damaged: tuple[Any, Any]

    def content(self) -> tuple[Any, Any]:
        """What is live in both components."""
        return self.office.rows(), self.office.files()

    def refused(self, step_id: str, reason: str) -> None:
        """Try a step; it must be refused for this reason, before anything was begun for it, and that be on record."""
        with pytest.raises(ApprovalError, match=reason) as caught:
            self.office.step(step_id, self.procedure_id)
        with self.office.installation.catalog.read() as connection:
            failed = ledger.entries(connection, procedure_id=self.procedure_id, kind="step.failed")
            stopping = ledger.entries(connection, procedure_id=self.procedure_id, kind=STOPPING)
            swaps = journal.entries(connection, self.procedure_id)
        error = str(caught.value).splitlines()[0]
        assert [(step_id, error)] == [(each.step_id, each.facts["error"]) for each in failed]
        assert (0 if step_id == "restore.4" else 1, []) == (len(stopping), swaps)
        assert self.damaged == self.content()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restore]:
    """The restore, kept before and after its step 4."""
    office = open_office(tmp_path_factory.mktemp("go-ahead") / "office", running=False)
    office.back_up()
    office.damage()
    procedure_id = office.request()
    office.approve(procedure_id)
    keep(office, APPROVED)
    office.step("restore.4", procedure_id)
    keep(office, STOPPED)
    yield Restore(office, procedure_id, (office.rows(), office.files()))
    office.stop_service_for_good()


@pytest.fixture
def approved(built: Restore) -> Iterator[Restore]:
    """The restore before step 4, with its service running."""
    office = put_back(built.office.root, APPROVED)
    yield replace(built, office=office)
    office.installation.catalog.dispose()


@pytest.fixture
def stopped(built: Restore) -> Iterator[Restore]:
    """The restore after step 4."""
    office = put_back(built.office.root, STOPPED, running=False)
    yield replace(built, office=office)
    office.installation.catalog.dispose()


def rewrite(restore: Restore, step_id: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the evidence of a step, as whoever can write into the catalog does."""
    row = (schema.steps.c.procedure_id == restore.procedure_id) & (schema.steps.c.step_id == step_id)
    with restore.office.installation.catalog.begin() as connection:
        evidence = json.loads(connection.execute(select(schema.steps.c.evidence).where(row)).scalar_one())
        change(evidence)
        connection.execute(update(schema.steps).where(row).values(evidence=canonical_json(evidence).decode()))


def another_set(restore: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(restore, "restore.3", lambda found: found["plan"][COMPONENT].update(manifest_sha256="ff" * 32))


def another_target(restore: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(restore, "restore.3", lambda found: found["plan"][COMPONENT].update(target=digest({"path": "/lain.db"})))


def another_request(restore: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite(restore, "restore.1", lambda found: found.update(request_hash="ff" * 32))


def time_goes_by(restore: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    class FifteenDaysLater(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(days=15)

    monkeypatch.setattr(decisions, "datetime", FifteenDaysLater)


def no_go_ahead(restore: Restore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone from the catalog, as by somebody who owns the database and so is not held by its triggers."""
    with restore.office.installation.catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER decisions_no_delete")
        connection.execute(delete(schema.decisions).where(schema.decisions.c.step_id == EXECUTOR_START))


Attack = Callable[[Restore, pytest.MonkeyPatch], None]
ATTACKS = pytest.mark.parametrize(
    ("attack", "reason"),
    [
        pytest.param(another_set, ANOTHER, id="set"),
        pytest.param(another_target, ANOTHER, id="target"),
        pytest.param(another_request, ANOTHER, id="request"),
        pytest.param(time_goes_by, r"the approval of restore\.3 does not hold: it was valid until ", id="time"),
        pytest.param(no_go_ahead, r"of restore\.start does not hold: nobody has decided", id="go-ahead"),
    ],
)


@ATTACKS
def test_no_service_is_stopped_on_an_approval_that_does_not_hold(
    approved: Restore, monkeypatch: pytest.MonkeyPatch, attack: Attack, reason: str
) -> None:
    attack(approved, monkeypatch)
    approved.refused("restore.4", reason)
    assert approved.office.service_running()


@ATTACKS
def test_no_data_is_exchanged_on_an_approval_that_does_not_hold(
    stopped: Restore, monkeypatch: pytest.MonkeyPatch, attack: Attack, reason: str
) -> None:
    """The service is down already, and what is live is the old data."""
    attack(stopped, monkeypatch)
    stopped.refused("restore.5", reason)


def test_a_target_that_changed_since_it_was_approved_costs_no_downtime(approved: Restore) -> None:
    """Step 4 looks before it stops anything. Nothing was begun, so the run goes on when that is mended."""
    office, procedure_id = approved.office, approved.procedure_id
    elsewhere = office.root / "app" / "lain.db"
    shutil.copy(office.database, elsewhere)
    components = office.installation.applications["simpel"].components
    true, components[0] = components[0], components[0].model_copy(update={"path": str(elsewhere)})
    approved.refused("restore.4", f"{COMPONENT} is not the target that was approved; nothing was touched")
    assert office.service_running()
    components[0] = true
    for number in (4, 5):
        office.step(f"restore.{number}", procedure_id)
    assert approved.damaged != approved.content()
