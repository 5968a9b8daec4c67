"""A working process dies, or a call fails, at every place of a procedure; the procedure goes on and ends well.

`make test` plays a sample of the cases, `make test-sweep` all of them, and writes docs/reliability.md.
"""

import inspect
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recovery import points
from recovery.errors import ProcedureError, RecordsError
from recovery.procedures.backup.begin import begin_backup
from recovery.records import forms, steps
from recovery.records.catalog import Catalog
from recovery.records.schema import timestamp
from recovery.sop import STEPS
from tests.recovery.procedures.faults import DECLARED, INTERFACES, LET_BE, PLACES, Watch, watched
from tests.recovery.procedures.playing import ACTIONS, KINDS
from tests.recovery.procedures.reliability_page import TITLES
from tests.recovery.procedures.sweep import cases_of, sample
from tests.recovery.procedures.sweeper import Sweeper, told
from tests.recovery.swept_points import unreached
from tests.testbed.service_patience import patience
from tests.testbed.small_office import SmallOffice, attach

KILL = ("kill",)
PAGE = Path(__file__).parents[3] / "docs" / "reliability.md"
ERRORS = ("system", "own", "once", "for good")
SAMPLED = {KILL: {"backup": 5, "restore": 4}, ERRORS: {"backup": 3, "restore": 3}}


class DiedError(BaseException):
    """Stands for the death of a process: no step records it as its failure."""


@pytest.fixture(scope="module")
def sweepers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sweeper]]:
    """One office for each kind, in which each of its procedures was played once, undisturbed."""
    started = {kind: Sweeper(kind, tmp_path_factory.mktemp(kind)) for kind in ("backup", "restore")}
    yield started
    for sweeper in started.values():
        sweeper.close()


def sweep_both(sweepers: dict[str, Sweeper], request: pytest.FixtureRequest, hows: tuple[str, ...]) -> list[str]:
    """Play a sample of both kinds at once, each in its own office; return what went wrong, in words."""
    seed = int(request.config.getoption("--sweep-seed", default="1"))

    def one(sweeper: Sweeper) -> list[str]:
        seen = sweeper.seen()
        cases = [case for case in cases_of(seen) if case.how in hows]
        chosen = sample(cases, SAMPLED[hows][sweeper.kind], seed)
        print(f"{sweeper.kind}: {len(chosen)} of {len(cases)} cases of {', '.join(hows)}")
        return [told(case, seen, finding) for case, found in sweeper.run(chosen) for finding in found]

    with ThreadPoolExecutor(len(sweepers)) as threads:
        return [finding for found in threads.map(one, sweepers.values()) for finding in found]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_process_may_die_at_any_point(sweepers: dict[str, Sweeper], request: pytest.FixtureRequest) -> None:
    """SIGKILL; then the step is done again, by another process, and the procedure comes to its end."""
    assert [] == sweep_both(sweepers, request, KILL)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_any_call_may_fail_once_or_for_good(sweepers: dict[str, Sweeper], request: pytest.FixtureRequest) -> None:
    """An error of the system or of an adapter; then the step is done again, or the flow goes on without it."""
    assert [] == sweep_both(sweepers, request, ERRORS)


@pytest.mark.slow
def test_every_step_is_swept_and_has_points(sweepers: dict[str, Sweeper]) -> None:
    """A new step that nobody sweeps, or one that changes something without saying so, is found here."""
    acted = {action.split()[0] for actions in ACTIONS.values() for action in actions} - {"begin", "decide", "conclude"}
    assert {entry.id for entry in STEPS} == acted
    seen = {name: actions for sweeper in sweepers.values() for name, actions in sweeper.seen().items()}
    assert set(KINDS) == set(seen)
    # Opening and closing a step are two transactions with two points each; whoever does more must say so.
    assert all(len(reached["point"]) >= 2 for actions in seen.values() for reached in actions.values())
    called = {name for actions in seen.values() for reached in actions.values() for name in INTERFACES if reached[name]}
    assert set(INTERFACES) == called
    for kind in sweepers:
        names = [name for reached in seen[kind].values() for name in reached["point"]]
        assert [] == unreached(kind, names)


@pytest.mark.slow
def test_the_committed_page_is_of_the_points_that_are_there_now(sweepers: dict[str, Sweeper]) -> None:
    """Written before a point was declared, it would promise more than was tried."""
    lines = PAGE.read_text().splitlines()
    for sweeper in sweepers.values():
        for procedure, actions in sweeper.seen().items():
            reached = sum(len(each["point"]) for each in actions.values())
            row = f"| {TITLES[procedure]} | {len(actions)} | {reached} | {reached} |"
            assert any(line.startswith(row) for line in lines), f"not in docs/reliability.md: {row}"


def test_a_call_fails_at_its_turn_and_the_interface_is_mended_afterwards(office: SmallOffice) -> None:
    """What the sweep relies on: once means once, for good means until the block ends."""
    catalog = office.installation.catalog
    whole = {name: getattr(place, name) for place, names in PLACES["catalog"] for name in names}

    def read() -> bool:
        try:
            with catalog.read():
                return True
        except RecordsError:
            return False

    with watched(Watch("catalog", 1)) as (once,):
        assert [True, False, True, True] == [read() for _ in range(4)]
    assert (["read"] * 4, 1) == (once.calls, once.failed)
    with watched(Watch("catalog", 1, for_good=True)) as (for_good,):
        assert [True, False, False, False] == [read() for _ in range(4)]
    assert 3 == for_good.failed
    assert read()
    assert whole == {name: getattr(Catalog, name) for name in whole}


@pytest.mark.parametrize("interface", INTERFACES)
def test_every_call_of_an_interface_is_watched_or_let_be_for_a_reason(interface: str) -> None:
    """A new method of a protocol is swept, or says why not."""
    home = inspect.getmodule(DECLARED[interface])
    declared = {
        name
        for name, value in vars(DECLARED[interface]).items()
        if not name.startswith("_")
        and (isinstance(value, property) or (inspect.isfunction(value) and inspect.getmodule(value) is home))
    }
    for _, names in PLACES[interface]:
        assert declared == {*names, *LET_BE[interface]}
        assert not {*names} & {*LET_BE[interface]}


def die_at(name: str, nth: int = 1) -> points.Observer:
    """An observer that ends the step at the n-th time that a point is reached."""
    seen = 0

    def observer(reached: str) -> None:
        nonlocal seen
        seen += reached == name
        if seen == nth:
            raise DiedError

    return observer


def test_what_failed_stays_failed_once_the_form_is_issued(office: SmallOffice) -> None:
    """Step 5 died after the form was issued: when the run comes again, the component must not become a success."""
    opened = begin_backup(office.installation, "one", schedule_name="bulanan", routine=True)
    database = office.database.read_bytes()
    office.database.write_bytes(b"this is no database")
    with pytest.raises(Exception, match=r"simpel\.db"):
        office.step("backup.1", opened["id"], "simpel/data")
    for number in (1, 2, 3, 4):
        office.step(f"backup.{number}", opened["id"], "simpel/berkas")
    with points.observe(die_at("backup.5: staging and scratch removed")), pytest.raises(DiedError):
        office.step("backup.5", opened["id"])
    office.database.write_bytes(database)
    with pytest.raises(ProcedureError, match="this is final, because the procedure's form is issued"):
        office.step("backup.1", opened["id"], "simpel/data")
    office.step("backup.5", opened["id"])
    with office.installation.catalog.read() as connection:
        assert 1 == len(forms.list_forms(connection, opened["id"]))
        failed = steps.find(connection, opened["id"], "backup.1", "simpel/data")
    assert failed is not None
    assert "failed" == failed.state


@pytest.mark.slow
def test_the_downtime_begins_with_the_first_stop(office: SmallOffice) -> None:
    """Step 4 died after it had stopped the service: what the form calls the downtime must not begin with the retry."""
    office.back_up()
    procedure_id = office.request()
    office.approve(procedure_id)
    with points.observe(die_at("service: after stopping web")), pytest.raises(DiedError):
        office.step("restore.4", procedure_id)
    with office.installation.catalog.read() as connection:
        first = steps.find(connection, procedure_id, "restore.4")
    assert first is not None
    died_at = timestamp()
    evidence = office.step("restore.4", procedure_id)
    assert first.opened_at < evidence["stopped_at"] < died_at


@pytest.mark.slow
def test_a_service_started_between_two_tries_was_no_downtime(office: SmallOffice) -> None:
    """The service ran again before the retry: the downtime begins with the retry."""
    office.back_up()
    procedure_id = office.request()
    office.approve(procedure_id)
    with points.observe(die_at("service: after stopping web")), pytest.raises(DiedError):
        office.step("restore.4", procedure_id)
    for service in office.installation.services("simpel"):
        service.start()
    started_at = timestamp()
    assert started_at < office.step("restore.4", procedure_id)["stopped_at"]


@pytest.mark.slow
def test_why_the_old_data_came_back_survives_the_process_that_knew(office: SmallOffice) -> None:
    """Step 6 died after it had put the old data back; the form still says that the service was unwell on the new."""
    office.back_up()
    with sqlite3.connect(office.database) as connection:
        connection.execute("DROP TABLE pegawai")
        connection.execute("CREATE TABLE lain (id INTEGER)")
    connection.close()
    (office.service_state / "unhealthy-with-pegawai").touch()
    patience(office, start=6)
    procedure_id = office.request()
    office.approve(procedure_id)
    for number in (4, 5):
        office.step(f"restore.{number}", procedure_id)
    with points.observe(die_at("service: after starting web")), pytest.raises(DiedError):
        office.step("restore.6", procedure_id)
    evidence = office.step("restore.6", procedure_id)
    assert "dikembalikan" == evidence["status"]
    assert "the service web is not healthy" in evidence["trouble"]


def test_observing_ends_with_the_block() -> None:
    """Outside of it a point does nothing, whatever the block raised."""
    seen: list[str] = []
    with pytest.raises(DiedError), points.observe(seen.append):
        points.reached("one")
        raise DiedError
    points.reached("two")
    assert ["one"] == seen


def test_an_office_is_the_same_when_another_process_opens_it(office: SmallOffice) -> None:
    """What the sweep relies on: same catalog, same keys, same phones."""
    other = attach(office.root)
    assert other.phones == office.phones
    assert other.installation.office == office.installation.office
    assert other.installation.applications == office.installation.applications
    assert other.installation.signer.fingerprint == office.installation.signer.fingerprint
