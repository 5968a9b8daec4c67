"""What a rebuild would miss is found while it can be mended."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from recovery.calendar import format_moment
from recovery.doctor.finding import Finding
from recovery.doctor.records import examine_records
from recovery.guard import make_round
from recovery.installation import Installation
from recovery.own_records import back_up_records
from recovery.records import leases, schema
from recovery.records.catalog import open_catalog
from tests.recovery.doctor.conftest import open_ledger_at
from tests.testbed.small_office import open_office


def test_prefects_database_that_nobody_backs_up_is_a_problem(installation: Installation, tmp_path: Path) -> None:
    found = _of_prefect(installation)
    assert ("problem", "is not backed up with the catalog") == (found.state, found.message)
    assert (
        "name the server's PREFECT_SERVER_DATABASE_CONNECTION_URL in the inventory: office.prefect_database, as "
        "credential:NAME, file:PATH or env:NAME"
    ) == found.mend
    (tmp_path / "url").write_text(f"sqlite+aiosqlite:///{tmp_path / 'prefect.db'}")
    installation.office = installation.office.model_copy(update={"prefect_database": f"file:{tmp_path / 'url'}"})
    found = _of_prefect(installation)
    told = f"there is no file {tmp_path / 'prefect.db'} that this account reads"
    assert ("problem", told) == (found.state, found.message)
    (tmp_path / "prefect.db").write_bytes(b"")
    assert "ok" == _of_prefect(installation).state


def _of_prefect(installation: Installation) -> Finding:
    (found,) = [each for each in examine_records(installation) if each.subject == "Prefect's database"]
    return found


def test_a_store_without_records_is_a_problem_once_a_procedure_has_ended(tmp_path: Path) -> None:
    office = open_office(tmp_path / "office", running=False)
    installation = office.installation
    assert [] == _of_stores(installation)
    office.approve_schedule()
    assert ["ok"] == [each.state for each in _of_stores(installation)]
    for path in sorted((office.root / "store" / "pulih").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (found,) = _of_stores(installation)
    told = "no set of the catalog, the ledger and the configuration lies there"
    assert ("problem", told) == (found.state, found.message)
    back_up_records(installation, "again")
    assert ["ok"] == [each.state for each in _of_stores(installation)]


def _of_stores(installation: Installation) -> list[Finding]:
    return [each for each in examine_records(installation) if each.subject.startswith("records in ")]


def test_records_of_a_time_still_to_come_are_a_problem(installation: Installation) -> None:
    """They were made while the clock ran ahead, and would pass for fresh until then."""
    assert [] == _of_clock(installation)
    ahead = datetime.now(UTC) + timedelta(days=30)
    open_ledger_at(installation, ahead)
    (found,) = _of_clock(installation)
    assert "problem" == found.state
    assert found.message.startswith(f"the ledger's first entry is of {format_moment(ahead)}, and by the clock it is ")


def _of_clock(installation: Installation) -> list[Finding]:
    return [each for each in examine_records(installation) if each.subject == "clock of the records"]


def test_a_guard_that_makes_no_rounds_is_a_problem(installation: Installation) -> None:
    """It was never enabled, it was stopped, its rounds die, or the last one ended while the clock ran ahead."""
    never = ("problem", "no round of it has ever come to its end in this catalog")
    assert never == _of_guard(installation)
    leases.release(installation.catalog, leases.acquire(installation.catalog, "guard", "guard-1", 120, "guard"))
    assert never == _of_guard(installation), "one that only begins is none"
    make_round(installation)
    assert ("ok", "makes its rounds to their end") == _of_guard(installation)
    for away in (timedelta(hours=-1), timedelta(days=365)):
        ended = datetime.now(UTC) + away
        with installation.catalog.begin() as connection:
            connection.execute(update(schema.leases).values(expires_at=schema.timestamp(ended)))
        told = f"its last whole round ended {format_moment(ended)}"
        assert ("problem", told) == _of_guard(installation)


def _of_guard(installation: Installation) -> tuple[str, str]:
    (found,) = [each for each in examine_records(installation) if each.subject == "guard"]
    return found.state, found.message


def test_a_catalog_that_is_gone_is_said_elsewhere(installation: Installation, tmp_path: Path) -> None:
    installation.catalog.dispose()
    installation.catalog = open_catalog(f"sqlite:///{tmp_path / 'none'}")
    assert [] == _of_stores(installation)
