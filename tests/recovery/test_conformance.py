"""A procedure is judged "sesuai" only when each step, form, decision and ledger entry is as the SOP wants it."""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from recovery import sop
from recovery.conformance import CONFORMANT, NOT_CONFORMANT, Judgement, judge_procedure
from recovery.errors import KeyMissingError, NotFoundError, ProcedureError, StoreError
from recovery.procedures.conclude import conclude_given_up, conclude_returned
from recovery.records import ledger
from tests.testbed.small_office import DISPOSITION, EXECUTOR, KABID, KADIS, REQUESTER, SmallOffice, open_office

# A whole backup and a whole restore stand behind it.
pytestmark = pytest.mark.slow

PARTS = ("state", "store")
APPENDED_ONLY = ("ledger_no_update", "ledger_no_delete", "decisions_no_update", "decisions_no_delete")


@dataclass
class History:
    """An office with one procedure of each kind that is as it should be."""

    office: SmallOffice
    approval: str
    backup: str
    restore: str

    def judge(self, name: str) -> Judgement:
        return judge_procedure(self.office.installation, name)

    def tamper(self, statement: str) -> None:
        """Change the catalog as somebody does who owns the database."""
        with self.office.installation.catalog.begin() as connection:
            for trigger in APPENDED_ONLY:
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {trigger}")
            connection.exec_driver_sql(statement)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    """A schedule that was approved, a backup and a restore: seconds of work, so there is one."""
    office = open_office(tmp_path_factory.mktemp("sesuai") / "office")
    approval = office.approve_schedule()
    history = History(office, approval, office.back_up(), office.restore())
    for part in PARTS:
        shutil.copytree(office.root / part, office.root.parent / "saved" / part)
    yield history
    office.stop_service_for_good()
    office.installation.catalog.dispose()


@pytest.fixture
def history(lived: History) -> Iterator[History]:
    """What was lived; the records are put back after each test."""
    yield lived
    lived.office.installation.catalog.dispose()
    for part in PARTS:
        shutil.rmtree(lived.office.root / part)
        shutil.copytree(lived.office.root.parent / "saved" / part, lived.office.root / part)


def test_a_backup_as_the_sop_wants_it_is_conformant(history: History) -> None:
    """Each step for each component, by whom, in time, with its evidence; the schedule it was made under."""
    judged = history.judge(history.backup)
    assert (CONFORMANT, ()) == (judged.verdict, judged.reasons)
    assert {"done"} == {each.state for each in judged.steps}
    assert [2, 2, 2, 2, 1, 1] == [
        sum(each.step_id == step.id for each in judged.steps) for step in sop.steps_of("backup")
    ]
    assert {True} == {each.in_time for each in judged.steps}
    assert [EXECUTOR] * 9 + [KABID] == [each.by for each in judged.steps]
    assert {"decision", "official", "form_number"} <= set(judged.steps[-1].evidence)
    assert judged.schedule is not None
    assert "approved" == judged.schedule["state"]


def test_a_restore_as_the_sop_wants_it_is_conformant_by_its_form_too(history: History) -> None:
    """The number stands on the paper in the auditor's hand."""
    judged = history.judge(history.restore)
    assert (CONFORMANT, ()) == (judged.verdict, judged.reasons)
    assert [REQUESTER, KADIS, KABID, *[EXECUTOR] * 4, REQUESTER] == [each.by for each in judged.steps]
    assert 2 == len(judged.forms)
    assert [judged, judged] == [history.judge(number) for number in judged.forms]


def test_a_request_that_was_returned_needs_no_more_steps(history: History) -> None:
    """The SOP ends there."""
    procedure_id = history.office.request()
    history.office.decide("restore.2", procedure_id, KADIS, "dikembalikan", note="Surat kurang.", **DISPOSITION)
    history.office.step("restore.2", procedure_id)
    conclude_returned(history.office.installation, procedure_id)
    judged = history.judge(procedure_id)
    assert (CONFORMANT, ()) == (judged.verdict, judged.reasons)
    assert ["done", "done", *["not required"] * 6] == [each.state for each in judged.steps]


def test_an_unfinished_procedure_is_not_conformant_yet(history: History) -> None:
    """What is missing is named; what an administrator closed is, too."""
    procedure_id = history.office.request()
    judged = history.judge(procedure_id)
    assert NOT_CONFORMANT == judged.verdict
    assert "2. Mendisposisi permintaan restore data kepada Kabid Aptika: was not begun" in judged.reasons
    assert "Pelaksana memulai restore: nobody has decided" in judged.reasons
    assert "the procedure is not finished" in judged.reasons
    conclude_given_up(history.office.installation, procedure_id, "salah aplikasi")
    assert "an administrator closed the procedure before its end" in history.judge(procedure_id).reasons


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param(
            "UPDATE steps SET evidence = json_remove(evidence, '$.form_sha256') WHERE step_id = 'backup.5'",
            [
                "5. Mengisi formulir pelaksanaan back up: its evidence lacks form_sha256",
                "5. Mengisi formulir pelaksanaan back up: the ledger does not have this evidence",
            ],
            id="evidence that lacks a key of the register",
        ),
        pytest.param(
            "UPDATE steps SET ended_at = '2030-06-01T00:00:00.000000+00:00' WHERE step_id = 'backup.6'",
            [
                "6. Menerima dan memeriksa formulir back up: was done Sabtu, 1 Juni 2030 pukul 07.00.00 WIB, after ",
                "6. Menerima dan memeriksa formulir back up: the ledger has another time of its end",
            ],
            id="a step that was done late",
        ),
        pytest.param(
            "UPDATE steps SET state = 'failed', error = 'x' WHERE step_id = 'backup.2' AND component = 'simpel/data'",
            ["2. Memastikan proses back up berhasil dilakukan [simpel/data]: is failed (x)"],
            id="a step that failed",
        ),
        pytest.param(
            "DELETE FROM steps WHERE step_id = 'backup.3' AND component = 'simpel/berkas'",
            ["3. Memberi nama back up sesuai dengan ketentuan [simpel/berkas]: was not begun"],
            id="a step that nobody began",
        ),
        pytest.param(
            "UPDATE decisions SET nip = '199001012015011001' WHERE step_id = 'backup.6'",
            [
                "6. Menerima dan memeriksa formulir back up: the approval of backup.6 does not hold: the recorded "
                "decision is not the one that was given"
            ],
            id="a decision that somebody wrote into the catalog",
        ),
        pytest.param(
            "UPDATE steps SET evidence = json_set(evidence, '$.official', '1') WHERE step_id = 'backup.6'",
            [
                "6. Menerima dan memeriksa formulir back up: the ledger does not have this evidence",
                "6. Menerima dan memeriksa formulir back up: the evidence names another decision than the one that was "
                "given",
            ],
            id="evidence that names somebody else",
        ),
        pytest.param(
            "UPDATE approval_requests SET document = json_set(document, '$.excluded', json('{}'))",
            [
                "6. Menerima dan memeriksa formulir back up: the approval of backup.6 does not hold: the recorded "
                "decision is not the one that was given"
            ],
            id="a question that lets everybody decide since it was answered",
        ),
        pytest.param(
            "DELETE FROM decisions WHERE step_id = 'backup.6'",
            ["6. Menerima dan memeriksa formulir back up: nobody has decided"],
            id="no decision",
        ),
        pytest.param(
            "DELETE FROM forms WHERE kind = 'backup' AND version = 2",
            ["6. Menerima dan memeriksa formulir back up: version 2 of its form was not issued"],
            id="a form that was not issued",
        ),
        pytest.param(
            "UPDATE ledger SET kind = 'other' WHERE kind = 'procedure.closed' AND procedure_id = '{backup}'",
            ["ledger: entry ", "the ledger has no entry 'procedure.closed' of it"],
            id="a ledger that was changed",
        ),
        pytest.param(
            "UPDATE procedures SET parameters = json_set(parameters, '$.approval.state', 'never')",
            [
                "not as in the ledger: its parameters",
                "its schedule was no approved document when it began (never)",
            ],
            id="a schedule that was not approved",
        ),
        pytest.param(
            "UPDATE procedures SET parameters = json_set(parameters, '$.approval.number', '9')",
            ["not as in the ledger: its parameters"],
            id="another approval of the schedule than the one that it was opened under",
        ),
        pytest.param(
            "UPDATE procedures SET parameters = json_set(parameters, '$.components', json('[\"simpel/data\"]'))",
            ["not as in the ledger: its parameters"],
            id="a component that is taken out",
        ),
        pytest.param(
            "UPDATE procedures SET outcome = 'x', reason = 'y' WHERE id = '{backup}'",
            ["not as in the ledger: its reason", "not as in the ledger: its outcome"],
            id="another reason and outcome",
        ),
        pytest.param(
            "UPDATE steps SET opened_at = '2020-01-01T00:00:00.000000+00:00', "
            "deadline = '2099-01-01T00:00:00.000000+00:00' WHERE step_id = 'backup.6'",
            [
                "6. Menerima dan memeriksa formulir back up: the ledger has another time of its opening",
                "6. Menerima dan memeriksa formulir back up: the ledger has another time of its deadline",
            ],
            id="a step that got more time",
        ),
        pytest.param(
            "DELETE FROM ledger WHERE sequence > (SELECT max(sequence) FROM ledger WHERE procedure_id = '{backup}')",
            ["ledger: entry "],
            id="a ledger that ends before the head in the store",
        ),
    ],
)
def test_what_is_not_as_the_sop_wants_it_is_named(history: History, statement: str, expected: list[str]) -> None:
    """And nothing else is."""
    history.tamper(statement.replace("{backup}", history.backup))
    judged = history.judge(history.backup)
    assert NOT_CONFORMANT == judged.verdict
    assert len(expected) == len(judged.reasons), judged.reasons
    for beginning, reason in zip(expected, judged.reasons, strict=True):
        assert reason.startswith(beginning)


def test_an_entry_that_is_added_to_the_chain_replaces_none(history: History) -> None:
    """Whoever writes into the catalog can go on with the chain, and nothing in it is wrong."""
    history.tamper("UPDATE procedures SET parameters = json_set(parameters, '$.routine', json('false'))")
    with history.office.installation.catalog.begin() as connection:
        facts = ledger.entries(connection, procedure_id=history.backup, kind="procedure.opened")[0].facts
        facts["parameters"]["routine"] = False
        ledger.append(connection, "procedure.opened", facts, procedure_id=history.backup)
    assert ("not as in the ledger: its parameters",) == history.judge(history.backup).reasons


def test_a_form_that_was_changed_or_is_gone_is_named(history: History) -> None:
    """The record holds its hash."""
    with sqlite3.connect(history.office.root / "state" / "catalog.sqlite") as connection:
        query = "SELECT path FROM forms WHERE kind = 'backup' ORDER BY version"
        first, second = (Path(path) for (path,) in connection.execute(query))
    connection.close()
    first.write_bytes(first.read_bytes() + b" ")
    second.unlink()
    changed, gone = history.judge(history.backup).reasons
    assert changed.endswith("version 1 was changed since it was issued")
    assert gone.endswith(f"version 2: the file {second} cannot be read (No such file or directory)")
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    history.tamper(f"UPDATE forms SET pdf_sha256 = '{digest}' WHERE path = '{first}'")
    exchanged, gone = history.judge(history.backup).reasons
    assert exchanged.endswith("version 1 is not the one that the ledger has")


def test_the_ledger_is_believed_only_with_a_head_in_a_store(history: History) -> None:
    """Without one a chain that was written anew looks whole; a store that is away is no finding and no verdict."""
    heads = sorted((history.office.root / "store" / "buku-besar").iterdir())
    newest, signature = heads[-2:]
    signature.unlink()
    told = f"ledger: store utama: the ledger's head buku-besar/{newest.name} has no signature"
    assert (told,) == history.judge(history.backup).reasons
    for path in heads:
        path.unlink(missing_ok=True)
    assert ("ledger: no store holds a signed head",) == history.judge(history.backup).reasons
    store = history.office.root / "store"
    store.rename(store.with_suffix(".away"))
    try:
        with pytest.raises(StoreError):
            history.judge(history.backup)
    finally:
        store.with_suffix(".away").rename(store)


def test_without_the_enrolment_key_nothing_is_judged(history: History) -> None:
    """A verdict that did not look at the decisions would be none."""
    key = history.office.root / "keys" / "enrolment"
    content = key.read_bytes()
    key.unlink()
    try:
        with pytest.raises(KeyMissingError):
            history.judge(history.backup)
    finally:
        key.write_bytes(content)


def test_what_is_no_procedure_of_the_sop_is_refused(history: History) -> None:
    """The approval of a schedule has no steps of the SOP."""
    with pytest.raises(ProcedureError, match="is no procedure of the SOP but the approval of a schedule"):
        history.judge(history.approval)
    with pytest.raises(NotFoundError, match="no procedure has the id 'nothing'"):
        history.judge("nothing")
