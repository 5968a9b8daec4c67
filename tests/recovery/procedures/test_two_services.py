"""An application of two services behind pages: people get in when it is final which data stays, and not before."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery import points
from recovery.errors import LeaseLostError, ServiceError
from recovery.guard import make_round
from recovery.guard.report import Report
from recovery.records import forms, journal, ledger, procedures, schema
from tests.testbed.kept_office import keep, put_back
from tests.testbed.two_services import NAMES, TwoServices, run_two_services

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LONG_AGO = "2020-01-01T00:00:00.000000+00:00"
STAGE = "approved"
CLOSED, OPEN = (503, 503), (200, 200)


class DiedError(BaseException):
    """Stands for the death of a process."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoServices]:
    """The office with one backup, in whose live database is another table since then, and an approved restore of it."""
    with run_two_services(tmp_path_factory.mktemp("kantor") / "office") as built:
        built.office.back_up()
        with sqlite3.connect(built.office.database) as connection:
            connection.execute("CREATE TABLE lain (id INTEGER)")
        connection.close()
        built.office.approve(built.office.request())
        keep(built.office, STAGE)
        yield built


@pytest.fixture
def two(built: TwoServices) -> Iterator[TwoServices]:
    """That office, as this test's own."""
    built.office = put_back(built.office.root, STAGE)
    yield built
    built.office.installation.catalog.dispose()


def swapped(two: TwoServices) -> str:
    """Bring the restore to where its new data is live and its services are stopped; return its id."""
    with two.office.installation.catalog.read() as connection:
        (procedure_id,) = [each.id for each in procedures.list_open(connection)]
    two.office.step("restore.4", procedure_id)
    two.office.step("restore.5", procedure_id)
    assert CLOSED == two.all_seen()
    return procedure_id


def is_new(two: TwoServices) -> bool:
    with sqlite3.connect(two.office.database) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()
    return "lain" not in tables


def states(two: TwoServices, procedure_id: str) -> set[str]:
    with two.office.installation.catalog.read() as connection:
        return {entry.state for entry in journal.entries(connection, procedure_id)}


def guard(two: TwoServices) -> Report:
    """Let two minutes pass, and the guard come by."""
    with two.office.installation.catalog.begin() as connection:
        connection.execute(update(schema.leases).where(schema.leases.c.resource != "guard").values(expires_at=LONG_AGO))
    return make_round(two.office.installation)


def patience(two: TwoServices, seconds: float) -> None:
    """For how long the service that is started last is waited for, from the next look at the settings on."""
    two.office.installation.applications["simpel"].services[0].start_timeout = seconds


@contextmanager
def watching(two: TwoServices, procedure_id: str) -> Iterator[dict[str, tuple[int, ...]]]:
    """What people see, by each point of the services; nobody gets in while the old data could come back."""
    seen: dict[str, tuple[int, ...]] = {}

    def observer(name: str) -> None:
        if name.startswith("service"):
            seen[name] = two.all_seen()
            if name == "service: before stopping depan":
                patience(two, 60)
            assert CLOSED == seen[name] or not states(two, procedure_id) & {"swapped", "undoing"}

    with points.observe(observer):
        yield seen


# Flags of their own are in the other tests, too.
@pytest.mark.parametrize("shared", [pytest.param(False, marks=pytest.mark.endurance), True])
def test_a_second_service_that_is_not_well_sends_nobody_to_work_that_goes_back(two: TwoServices, shared: bool) -> None:
    """The first is well on the new data, and stays closed: the second is not, and both get the old data."""
    two.share_flag(shared)
    procedure_id = swapped(two)
    # On the new data alone: the old has one more table, and the service is told to be unwell without it.
    unwell = Path(two.office.root / "service-depan" / "unhealthy-without-lain")
    unwell.touch()
    patience(two, 2)
    with watching(two, procedure_id) as seen:
        evidence = two.office.step("restore.6", procedure_id)
    assert "dikembalikan" == evidence["status"]
    assert "the service depan is not healthy" in evidence["trouble"]
    assert ["200 without its flag"] * 2 == [entry["page"] for entry in evidence["health"]]
    assert {"undone"} == states(two, procedure_id)
    assert CLOSED == seen["service: after starting belakang"], "on the new data, and on the old"
    assert CLOSED == seen["services: all started"]
    # Who shares a page is let in together; all are well by then.
    assert (OPEN if shared else (503, 200)) == seen["service: after opening belakang"]
    assert OPEN == seen["service: after opening depan"]
    assert not is_new(two)


def test_a_service_that_does_not_open_takes_no_data_back_and_is_told(two: TwoServices) -> None:
    """It is final before anybody gets in: then only the page is mended; error, ledger, guard and form say so."""
    procedure_id = swapped(two)
    broken = two.break_page("depan")

    def observer(name: str) -> None:
        if name == "services: all started":
            patience(two, 2)

    with points.observe(observer), pytest.raises(ServiceError) as caught:
        two.office.step("restore.6", procedure_id)
    patience(two, 60)
    reason = "the service depan is not open to people after 2 s (manager: running, port: open, health: 200, "
    assert f"the service runs well on the new data, but people do not get in ({reason}" in caught.value.message
    assert "the whole new data is live and stays" == caught.value.state
    assert "it opens what is closed and exchanges no data any more" in caught.value.hint
    assert {"kept"} == states(two, procedure_id)
    assert is_new(two)
    assert (500, 200) == two.all_seen(), "the other one is open"
    # Healthy, and with no flag: the guard has nothing to begin with, and tells people.
    report = guard(two)
    assert ["simpel/depan"] == [alarm.subject for alarm in report.alarms if alarm.kind == "service"]
    assert {"kept"} == states(two, procedure_id)
    broken.unlink()
    assert "berhasil" == two.office.step("restore.6", procedure_id)["status"]
    assert OPEN == two.all_seen()
    two.office.finish(procedure_id)
    with two.office.installation.catalog.read() as connection:
        (entry,) = ledger.entries(connection, procedure_id=procedure_id, kind="service.not_opened")
        form = forms.latest(connection, "restore", procedure_id)
    assert form is not None
    assert reason in entry.facts["reason"]
    unopened = r"layanan sehat, tetapi belum terbuka bagi pengguna pada [^(]+\(pesan sistem: .*"
    assert [True] == [reason in told for told in re.findall(unopened, str(form.facts))]


def test_an_old_holder_neither_opens_nor_decides(two: TwoServices) -> None:
    """It slept after it had judged the services: the guard has ended the restore, and somebody keeps people out."""
    procedure_id = swapped(two)

    slept: list[str] = []

    def observer(name: str) -> None:
        if name == "service: before opening depan" and not slept:
            slept.append(name)  # the guard comes to the same point
            guard(two)
            two.flag("depan").touch()

    with points.observe(observer), pytest.raises(LeaseLostError, match="was lost by"):
        two.office.step("restore.6", procedure_id)
    assert two.flag("depan").exists()
    two.flag("depan").unlink()
    assert "berhasil" == two.office.step("restore.6", procedure_id)["status"]


@pytest.mark.parametrize(
    ("point", "before"),
    [
        pytest.param("services: all started", CLOSED, marks=pytest.mark.endurance),
        ("service: before opening depan", (503, 200)),
    ],
)
def test_a_restore_that_dies_before_it_has_opened_all_is_opened_by_the_guard(
    two: TwoServices, point: str, before: tuple[int, ...]
) -> None:
    """On the new data, on which all were found well; the retried run says so."""
    procedure_id = swapped(two)

    def observer(name: str) -> None:
        if name == point:
            raise DiedError

    with points.observe(observer), pytest.raises(DiedError):
        two.office.step("restore.6", procedure_id)
    assert before == two.all_seen()
    guard(two)
    assert OPEN == two.all_seen()
    assert not any(two.flag(name).exists() for name in NAMES)
    assert is_new(two)
    assert {"kept"} == states(two, procedure_id)
    assert "berhasil" == two.office.step("restore.6", procedure_id)["status"]
