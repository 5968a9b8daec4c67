"""A step is done once: its evidence decides, and evidence, changes and ledger entry are one transaction."""

import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from recovery.errors import CommandError, NotFoundError, ProcedureError, RecordsError
from recovery.records import ledger, schema, steps
from recovery.records.catalog import Catalog, open_catalog
from recovery.records.journal import prepare
from recovery.records.procedures import close_procedure, open_procedure
from recovery.records.steps import StepResult, perform
from tests.recovery.records.workers import PROCESSES, die_in_a_step

STAGED = {
    "backup_id": "b1",
    "parts": {},
    "snapshot": {"position": 1},
    "totals": {},
    "warnings": ["one"],
}
FORM = StepResult({"form_number": "001/FPB/KOMINFO/XI/2026", "form_sha256": "ab"})


@pytest.fixture
def run(catalog: Catalog) -> str:
    """The id of an open backup procedure."""
    return open_procedure(catalog, "run-1", "backup", parameters={}, release="0.1.0").id


def _evidence() -> dict[str, Any]:
    from recovery import sop

    return {name: STAGED.get(name, name) for name in sop.step("backup.1").evidence}


def _body(calls: list[str], result: StepResult | Exception | None = None) -> Callable[[], StepResult]:
    def body() -> StepResult:
        calls.append("body")
        if isinstance(result, Exception):
            raise result
        return result or StepResult(_evidence())

    return body


def _kinds(catalog: Catalog) -> list[str]:
    with catalog.read() as connection:
        assert ledger.verify(connection) == []
        return list(connection.execute(select(schema.ledger.c.kind).order_by(schema.ledger.c.sequence)).scalars())


def _step(catalog: Catalog, run: str, step_id: str = "backup.1", component: str = "app/db") -> steps.StepRow:
    with catalog.read() as connection:
        found = steps.find(connection, run, step_id, component)
    assert found is not None
    return found


def test_a_done_step_returns_its_evidence_and_its_body_is_not_run(catalog: Catalog, run: str) -> None:
    """Flows are entered again from their first line after every approval."""
    calls: list[str] = []
    evidence = {**_evidence(), "kinds": ("a", "b")}
    first = perform(catalog, "backup.1", run, _body(calls, StepResult(evidence)), component="app/db")
    again = perform(catalog, "backup.1", run, _body(calls), component="app/db")
    assert first == again == {**evidence, "kinds": ["a", "b"]}
    assert calls == ["body"]
    assert _kinds(catalog) == ["procedure.opened", "step.opened", "step.done"]
    with catalog.read() as connection:
        facts = connection.execute(
            select(schema.ledger.c.facts).where(schema.ledger.c.kind == "step.done")
        ).scalar_one()
        assert json.loads(facts) == {"evidence": first, "tries": 1}
        assert steps.evidence_of(connection, run, "backup.1", "app/db") == first
        assert steps.evidence_of(connection, run, "backup.1", "app/other") is None


def test_evidence_changes_and_entry_are_one_transaction(catalog: Catalog, run: str) -> None:
    """A change that fails takes evidence and entry with it; the step is failed and can be tried again."""

    def broken(connection: Connection) -> None:
        raise ProcedureError("the second change failed")

    def kept(connection: Connection) -> None:
        prepare(connection, run, 1, "app/db", {})

    with pytest.raises(ProcedureError, match="the second change failed"):
        perform(catalog, "backup.1", run, lambda: StepResult(_evidence(), [kept, broken]), component="app/db")
    with catalog.read() as connection:
        assert connection.execute(select(schema.swaps)).all() == []
    assert _step(catalog, run).state == "failed"
    assert _step(catalog, run).evidence is None
    perform(catalog, "backup.1", run, lambda: StepResult(_evidence(), [kept]), component="app/db")
    with catalog.read() as connection:
        assert len(connection.execute(select(schema.swaps)).all()) == 1
    assert _kinds(catalog) == ["procedure.opened", "step.opened", "step.failed", "swap.prepared", "step.done"]


def test_the_body_runs_outside_any_transaction(catalog: Catalog, run: str) -> None:
    """A dump takes hours; others write meanwhile."""

    def body() -> StepResult:
        with catalog.begin() as connection:
            ledger.append(connection, "other", {})
        return StepResult(_evidence())

    perform(catalog, "backup.1", run, body, component="app/db")
    assert _kinds(catalog) == ["procedure.opened", "step.opened", "other", "step.done"]


@pytest.mark.parametrize("where", ["body", "transaction"])
def test_a_step_whose_process_died_runs_again(catalog: Catalog, catalog_url: str, run: str, where: str) -> None:
    """Killed in its body, or while it was recording: nothing was recorded, and the body runs again."""
    process = PROCESSES.Process(target=die_in_a_step, args=(catalog_url, run, _evidence(), where))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    died = _step(catalog, run)
    assert (died.state, died.tries, died.evidence) == ("open", 1, None)
    calls: list[str] = []
    perform(catalog, "backup.1", run, _body(calls), component="app/db")
    done = _step(catalog, run)
    assert calls == ["body"]
    assert (done.state, done.tries, done.opened_at) == ("done", 2, died.opened_at)
    assert _kinds(catalog) == ["procedure.opened", "step.opened", "step.done"]
    with catalog.read() as connection:
        assert connection.execute(select(schema.swaps)).all() == []


def test_a_failed_step_is_recorded_and_tried_again(catalog: Catalog, run: str) -> None:
    """The ledger keeps the failure; the step's row tells how it is now."""
    calls: list[str] = []
    failure = CommandError("the dump ended with status 1", state="nothing was stored", hint="look at the disk")
    with pytest.raises(CommandError) as caught:
        perform(catalog, "backup.1", run, _body(calls, failure), component="app/db")
    assert caught.value is failure
    failed = _step(catalog, run)
    assert (failed.state, failed.error) == ("failed", "the dump ended with status 1; nothing was stored")
    assert failed.ended_at is not None
    perform(catalog, "backup.1", run, _body(calls), component="app/db")
    done = _step(catalog, run)
    assert (done.state, done.error, done.tries) == ("done", "", 2)
    assert calls == ["body", "body"]
    assert _kinds(catalog) == ["procedure.opened", "step.opened", "step.failed", "step.done"]


@pytest.mark.parametrize("ran", [True, False])
def test_a_failure_is_final_once_the_form_tells_of_it(catalog: Catalog, run: str, ran: bool) -> None:
    """Trying again after step 5 would make the form untrue; the recorded reason is raised instead."""
    calls: list[str] = []
    if ran:
        with pytest.raises(OSError, match="no space"):
            perform(catalog, "backup.1", run, _body([], OSError("no space\nsecond line")), component="app/db")
    perform(catalog, "backup.5", run, lambda: FORM)
    with pytest.raises(ProcedureError) as caught:
        perform(catalog, "backup.1", run, _body(calls), component="app/db")
    what = "'1. Melakukan back up sesuai dengan jadwal yang telah ditetapkan (app/db)'"
    reason = "OSError: no space" if ran else f"the step {what} was not done"
    assert str(caught.value) == (
        f"{reason}; this is final, because '5. Mengisi formulir pelaksanaan back up' is done\n"
        "HINT: start a new run that cites this one"
    )
    assert calls == []


def test_a_failure_before_the_form_is_not_final_although_step_5_failed(catalog: Catalog, run: str) -> None:
    """Only the closing of the later step makes it final."""
    with pytest.raises(OSError, match="no space"):
        perform(catalog, "backup.1", run, _body([], OSError("no space")), component="app/db")
    with pytest.raises(OSError, match="no printer"):
        perform(catalog, "backup.5", run, _body([], OSError("no printer")))
    perform(catalog, "backup.1", run, _body([]), component="app/db")


@pytest.mark.parametrize("value", ["left out", None])
def test_evidence_that_lacks_what_the_register_requires_is_refused(
    catalog: Catalog, run: str, value: str | None
) -> None:
    """A step without its evidence is not done."""
    evidence = _evidence()
    del evidence["backup_id"]
    if value is None:
        evidence["backup_id"] = None
    with pytest.raises(ProcedureError) as caught:
        perform(catalog, "backup.1", run, lambda: StepResult(evidence), component="app/db")
    assert str(caught.value) == (
        "the evidence of '1. Melakukan back up sesuai dengan jadwal yang telah ditetapkan' lacks backup_id; "
        "the step is not done\nHINT: this is a defect of the step; report it"
    )
    assert _step(catalog, run).state == "failed"


def test_evidence_that_is_no_plain_data_is_refused(catalog: Catalog, run: str) -> None:
    """What cannot be hashed in one way cannot be evidence."""
    with pytest.raises(TypeError, match="canonical JSON does not hold"):
        perform(catalog, "backup.1", run, lambda: StepResult({**_evidence(), "at": datetime.now(UTC)}), component="a/b")
    assert _step(catalog, run, component="a/b").state == "failed"


def test_control_flow_leaves_the_step_open(catalog: Catalog, run: str) -> None:
    """A signal, and how Prefect suspends a run, are no failure of the step."""

    def interrupted() -> StepResult:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(catalog, "backup.1", run, interrupted, component="app/db")
    assert _step(catalog, run).state == "open"


def test_the_first_of_two_processes_that_do_a_step_at_once_counts(catalog: Catalog, run: str) -> None:
    """The slower one gets the recorded evidence, and none of its changes is made."""
    both_begun = threading.Barrier(2)
    first_done = threading.Event()
    returned: dict[str, Any] = {}

    def do(name: str) -> None:
        def body() -> StepResult:
            both_begun.wait(30)
            if name == "slow":
                first_done.wait(30)
            change = lambda connection: prepare(connection, run, 1, name, {})  # noqa: E731
            return StepResult({**_evidence(), "by": name}, [change])

        returned[name] = perform(catalog, "backup.1", run, body, component="app/db")["by"]
        first_done.set()

    threads = [threading.Thread(target=do, args=(name,)) for name in ("fast", "slow")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert returned == {"fast": "fast", "slow": "fast"}
    with catalog.read() as connection:
        assert [row.component for row in connection.execute(select(schema.swaps))] == ["fast"]
    assert _kinds(catalog).count("step.done") == 1


def test_a_late_failure_does_not_undo_what_another_process_did(catalog: Catalog, run: str) -> None:
    """The evidence stands."""

    def overtaken() -> StepResult:
        perform(catalog, "backup.1", run, lambda: StepResult(_evidence()), component="app/db")
        raise OSError("late")

    with pytest.raises(OSError, match="late"):
        perform(catalog, "backup.1", run, overtaken, component="app/db")
    assert _step(catalog, run).state == "done"


def test_a_failure_that_cannot_be_recorded_is_told_with_the_failure(sqlite_url: str) -> None:
    """Neither of the two errors hides the other."""
    catalog = open_catalog(sqlite_url)
    open_procedure(catalog, "run-1", "backup", parameters={}, release="0.1.0")

    def body() -> StepResult:
        os.rename(sqlite_url.removeprefix("sqlite:///"), sqlite_url.removeprefix("sqlite:///") + ".away")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space") as caught:
        perform(catalog, "backup.1", "run-1", body, component="app/db")
    assert "this failure could not be recorded: there is no catalog at" in caught.value.__notes__[0]
    catalog.dispose()


def test_a_step_that_waits_is_opened_once_with_its_deadline(catalog: Catalog, run: str) -> None:
    """Deadlines count from the first opening."""
    moment = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    opened = steps.open_step(
        catalog, "backup.6", run, deadline=lambda opened_at: opened_at + timedelta(days=1), now=lambda: moment
    )
    again = steps.open_step(catalog, "backup.6", run, deadline=lambda opened_at: opened_at + timedelta(days=9))
    assert opened == again
    assert (opened.state, opened.tries) == ("open", 0)
    assert opened.opened_at == "2026-11-20T15:00:00.000000+00:00"
    assert opened.deadline == "2026-11-21T15:00:00.000000+00:00"
    assert _kinds(catalog) == ["procedure.opened", "step.opened"]
    with catalog.read() as connection:
        assert steps.list_steps(connection, run) == [opened]


def test_a_step_of_an_unknown_procedure_is_refused(catalog: Catalog) -> None:
    """Before its body runs."""
    calls: list[str] = []
    with pytest.raises(NotFoundError, match="no procedure has the id 'nobody'"):
        perform(catalog, "backup.1", "nobody", _body(calls))
    assert calls == []


def test_a_closed_procedure_does_no_more_steps_but_still_tells_its_evidence(catalog: Catalog, run: str) -> None:
    """Whatever comes after the end belongs to a new run."""
    perform(catalog, "backup.1", run, _body([]), component="app/db")
    close_procedure(catalog, run, "lengkap")
    assert perform(catalog, "backup.1", run, _body([]), component="app/db") == _evidence()
    with pytest.raises(ProcedureError, match=r"\(app/other\)' cannot be done: procedure run-1 is closed"):
        perform(catalog, "backup.1", run, _body([]), component="app/other")


@pytest.mark.parametrize(
    ("error", "recorded"),
    [
        (RecordsError("one", state="two", hint="three"), "one; two"),
        (ValueError("at postgresql://pulih:pass-word@host/db\nrow"), "ValueError: at postgresql://…@host/db"),
        (ValueError("AGE-SECRET-KEY-1QQQ9 is bad"), "ValueError: AGE-SECRET-KEY-… is bad"),
        (ValueError(), "ValueError"),
        (ValueError("a\x00b \udcff"), "ValueError: ab \\udcff"),
        (ValueError("x" * 600), "ValueError: " + "x" * 487 + "…"),
    ],
)
def test_a_recorded_error_is_one_line_without_credentials(error: Exception, recorded: str) -> None:
    """Records are read by people who must not see them."""
    assert steps.describe(error) == recorded
