"""A working process dies, or meets one error, at every point where state changes; the procedure goes on and ends well.

`make test` plays a sample of the cases. All of them take the better part of an hour:
`python -m pytest tests/recovery/procedures/test_killed.py --sweep-all`.
"""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from recovery import points
from recovery.errors import ProcedureError
from recovery.procedures.backup.begin import begin_backup
from recovery.records import forms, steps
from recovery.records.schema import timestamp
from recovery.sop import STEPS
from tests.recovery.procedures.playing import ACTIONS
from tests.recovery.procedures.sweep import Case, Sweeper, cases_of, sample
from tests.testbed.small_office import SmallOffice, attach

PROCEDURES = ("backup", "restore")
SAMPLED = {"kill": {"backup": 9, "restore": 9}, "error": {"backup": 3, "restore": 4}}
KINDS = {"kill": ("kill",), "error": ("system", "own")}


class DiedError(BaseException):
    """Stands for the death of a process: no step records it as its failure."""


@pytest.fixture(scope="module")
def sweepers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sweeper]]:
    """One office for each procedure, each of which was played once, undisturbed."""
    started = {name: Sweeper(name, tmp_path_factory.mktemp(name)) for name in PROCEDURES}
    yield started
    for sweeper in started.values():
        sweeper.close()


def swept(sweeper: Sweeper, kinds: tuple[str, ...], count: int | None, seed: int) -> list[str]:
    """Play all cases, or some of them, and return what went wrong, in words."""
    recorded = sweeper.recorded()
    cases = cases_of(sweeper.procedure, recorded, kinds)
    if count is not None:
        cases = sample(cases, count, seed)
    print(f"{sweeper.procedure}: {sum(map(len, recorded.values()))} points, {len(cases)} cases of {', '.join(kinds)}")
    return [_told(case, recorded, finding) for case, found in sweeper.run(cases) for finding in found]


def _told(case: Case, recorded: dict[str, list[str]], finding: str) -> str:
    return f"{tuple(case)} at {recorded[case.action][case.point]!r}: {finding}"


def sweep_both(sweepers: dict[str, Sweeper], request: pytest.FixtureRequest, kind: str) -> list[str]:
    """Sweep both procedures at once, each in its own office."""
    everything = request.config.getoption("--sweep-all", default=False)
    seed = int(request.config.getoption("--sweep-seed", default=1))

    def one(name: str) -> list[str]:
        return swept(sweepers[name], KINDS[kind], None if everything else SAMPLED[kind][name], seed)

    with ThreadPoolExecutor(len(PROCEDURES)) as threads:
        return [finding for found in threads.map(one, PROCEDURES) for finding in found]


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_a_process_may_die_at_any_point(sweepers: dict[str, Sweeper], request: pytest.FixtureRequest) -> None:
    """SIGKILL; then the step is done again, by another process, and the procedure comes to its end."""
    assert [] == sweep_both(sweepers, request, "kill")


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_every_call_may_fail_once(sweepers: dict[str, Sweeper], request: pytest.FixtureRequest) -> None:
    """An error of the system or of an adapter; then the step is done again, or the flow goes on without it."""
    assert [] == sweep_both(sweepers, request, "error")


@pytest.mark.slow
def test_every_step_is_swept_and_has_points(sweepers: dict[str, Sweeper]) -> None:
    """A new step that nobody sweeps, or one that changes something without saying so, is found here."""
    acted = {action.split()[0] for name in PROCEDURES for action in ACTIONS[name]} - {"begin", "decide", "conclude"}
    assert {entry.id for entry in STEPS} == acted
    # Opening and closing a step are two transactions with two points each; whoever does more must say so.
    assert all(len(reached) >= 2 for sweeper in sweepers.values() for reached in sweeper.recorded().values())


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


def test_why_the_old_data_came_back_survives_the_process_that_knew(office: SmallOffice) -> None:
    """Step 6 died after it had put the old data back; the form still says that the service was unwell on the new."""
    office.back_up()
    with sqlite3.connect(office.database) as connection:
        connection.execute("DROP TABLE pegawai")
        connection.execute("CREATE TABLE lain (id INTEGER)")
    connection.close()
    (office.service_state / "unhealthy-with-pegawai").touch()
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
