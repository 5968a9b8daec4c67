"""An office whose restore died at a chosen place, and the rounds that a guard makes there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update

from recovery.guard import make_round
from recovery.guard.report import Report
from recovery.installation import Installation
from recovery.procedures.restore.plan import approved_plan
from recovery.procedures.restore.quiet import make_quiet
from recovery.procedures.working import work_on
from recovery.records import forms, journal, leases, ledger, schema, steps
from tests.testbed.kept_office import keep, put_back
from tests.testbed.small_office import SmallOffice, open_office

LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
COMPONENTS = ("simpel/data", "simpel/berkas")


@dataclass
class Scene:
    """An office with a backup and damaged data, and a restore of it that its executor has started."""

    office: SmallOffice
    procedure_id: str
    old: tuple[Any, Any]
    new: tuple[Any, Any]
    held: list[leases.Lease] = field(default_factory=list)

    @property
    def installation(self) -> Installation:
        return self.office.installation

    def content(self) -> tuple[Any, Any]:
        """What is live in both components."""
        return self.office.rows(), self.office.files()

    def copies(self) -> list[str]:
        return [copy for component in COMPONENTS for copy in self.installation.source(component).copies()]

    def states(self) -> list[str]:
        with self.installation.catalog.read() as connection:
            return [entry.state for entry in journal.entries(connection, self.procedure_id)]

    def kinds(self, prefix: str = "guard.") -> list[str]:
        """The kinds of this restore's ledger entries that begin so."""
        with self.installation.catalog.read() as connection:
            entries = ledger.entries(connection, procedure_id=self.procedure_id, last=1000)
        return [entry.kind for entry in entries if entry.kind.startswith(prefix)]

    def evidence(self, step_id: str) -> dict[str, Any] | None:
        with self.installation.catalog.read() as connection:
            return steps.evidence_of(connection, self.procedure_id, step_id)

    def form(self) -> str:
        """The restore's newest form, as what it was printed from."""
        with self.installation.catalog.read() as connection:
            latest = forms.latest(connection, "restore", self.procedure_id)
        assert latest is not None
        return json.dumps(latest.facts, ensure_ascii=False)

    def ledger_is_intact(self) -> bool:
        with self.installation.catalog.read() as connection:
            return not ledger.verify(connection)

    # --- dying -------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Step 4, with its evidence; its leases stay, as they do when the process dies after it."""
        self.office.step("restore.4", self.procedure_id)

    def prepare(self) -> None:
        """What step 5 does before anything moves."""
        verified = self.evidence("restore.3") or {}
        plan = approved_plan(self.installation, self.procedure_id)
        with work_on(self.installation, plan.components, self.procedure_id, "restore", release=False) as self.held:
            make_quiet(self.installation, plan.application, plan.components, self.held)
        receipts = {
            component: self.installation.source(component).prepare_swap(verified["rehearsal"][component]["copy"])
            for component in plan.components
        }
        with self.installation.catalog.begin() as connection:
            for position, (component, receipt) in enumerate(receipts.items()):
                journal.prepare(connection, self.procedure_id, position, component, receipt)

    def mark(self, component: str, *states: str) -> None:
        for state in states:
            with self.installation.catalog.begin() as connection:
                journal.mark(connection, self.procedure_id, component, state)

    def receipt(self, component: str) -> dict[str, Any]:
        with self.installation.catalog.read() as connection:
            entries = journal.entries(connection, self.procedure_id)
        return next(entry.receipt for entry in entries if entry.component == component)

    def swap(self, component: str) -> None:
        """One whole swap, as step 5 makes it."""
        self.mark(component, "swapping")
        self.installation.source(component).swap(self.receipt(component))
        self.mark(component, "swapped")

    def forget_leases(self) -> None:
        """Let two minutes pass: nobody renews the leases of a dead process."""
        with self.installation.catalog.begin() as connection:
            connection.execute(
                update(schema.leases).where(schema.leases.c.resource != "guard").values(expires_at=LONG_AGO)
            )

    def set_step(self, step_id: str, **values: Any) -> None:
        """Write into a step's row what only a crash at the right instant leaves there."""
        table = schema.steps
        this = (table.c.procedure_id == self.procedure_id) & (table.c.step_id == step_id)
        with self.installation.catalog.begin() as connection:
            connection.execute(update(table).where(this).values(**values))

    # --- the guard ---------------------------------------------------------------------------------------------

    def guard(self, now: datetime | None = None) -> Report:
        return make_round(self.installation, now=now)


BEGUN, STOPPED = "begun", "stopped"


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The one office of this folder's tests, with a restore whose executor has said "mulai": making it takes long."""
    office = open_office(tmp_path_factory.mktemp("guarded") / "office")
    office.approve_schedule()
    office.back_up()
    new = (office.rows(), office.files())
    office.damage()
    procedure_id = office.request()
    office.approve(procedure_id)
    scene = Scene(office, procedure_id, (office.rows(), office.files()), new)
    keep(office, BEGUN)
    scene.stop()
    keep(office, STOPPED)
    yield scene
    office.stop_service_for_good()


@pytest.fixture
def scene(begun: Scene) -> Iterator[Scene]:
    """The restore that is about to die. Everything was put back, whatever the test before did to it."""
    office = put_back(begun.office.root, BEGUN)
    yield replace(begun, office=office, held=[])
    office.installation.catalog.dispose()


@pytest.fixture
def stopped(begun: Scene) -> Iterator[Scene]:
    """The scene after step 4, whose service is down: the same, without the seconds that stopping takes."""
    office = put_back(begun.office.root, STOPPED, running=False)
    yield replace(begun, office=office, held=[])
    office.installation.catalog.dispose()


@pytest.fixture
def office(scene: Scene) -> SmallOffice:
    """The office of the scene."""
    return scene.office
