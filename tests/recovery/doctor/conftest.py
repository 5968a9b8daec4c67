"""An office in order, and copies of it to be broken."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery.doctor import Finding, examine
from recovery.installation import Installation
from recovery.records import schema
from recovery.settings import StoreSettings
from tests.testbed.small_office import SmallOffice, open_office


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallOffice]:
    """One small office for the folder, whose service runs. Tests break copies of it."""
    built = open_office(tmp_path_factory.mktemp("kantor") / "office")
    for key in (built.root / "keys").iterdir():
        key.chmod(0o600)
    yield built
    built.stop_service_for_good()
    built.installation.catalog.dispose()


@pytest.fixture
def installation(office: SmallOffice, tmp_path: Path) -> Installation:
    """The office's installation with places of its own: keys, state directory, catalog and store.

    Without applications, since looking at those starts programs.
    """
    for folder in ("keys", "state", "store"):
        shutil.copytree(office.root / folder, tmp_path / folder)
    keys = {
        name: value.replace(str(office.root), str(tmp_path))
        for name, value in office.installation.keys.model_dump().items()
    }
    return replace(
        office.installation,
        office=office.installation.office.model_copy(update={"state_directory": str(tmp_path / "state")}),
        keys=office.installation.keys.model_copy(update=keys),
        stores={"utama": StoreSettings(name="utama", path=str(tmp_path / "store"))},
        applications={},
    )


@pytest.fixture
def whole(office: SmallOffice, installation: Installation) -> Installation:
    """The same with the office's application, whose service runs."""
    return replace(installation, applications=office.installation.applications)


def only(installation: Installation, subject: str) -> Finding:
    """The one finding about a subject that is not ok; every other look still happened."""
    findings = examine(installation, None)
    subjects = {finding.subject for finding in findings}
    assert {"package prefect", "signing key", "store utama", "catalog", "holidays", "Prefect server"} <= subjects
    assert [] == [finding for finding in findings if finding.state != "ok" and not finding.mend], "each says what to do"
    (trouble,) = [finding for finding in findings if finding.subject == subject and finding.state != "ok"]
    return trouble


def open_ledger_at(installation: Installation, moment: datetime) -> None:
    """Let the installation have begun then, as its ledger tells."""
    with installation.catalog.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER ledger_no_update")
        first = schema.ledger.c.sequence == 1
        connection.execute(update(schema.ledger).where(first).values(at=schema.timestamp(moment)))
