"""The backup procedure on a small real installation, without Prefect."""

import json
import uuid
from pathlib import Path

import pytest

from recovery.errors import ConfigurationError, NotFoundError, ProcedureError, VerificationFailedError
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import conclude_backup
from recovery.records import backups, forms, ledger, steps
from tests.testbed.small_office import EXECUTOR, KABID, REVIEW, SmallOffice


def begin(office: SmallOffice, **given: object) -> dict:
    procedure_id = str(given.pop("procedure_id", uuid.uuid4()))
    return begin_backup(office.installation, procedure_id, **{"schedule_name": "bulanan", "routine": True, **given})


def test_a_backup_runs_through_all_six_steps_and_leaves_its_evidence(office: SmallOffice) -> None:
    """Both components secured, one form in two versions, a closed procedure, an intact ledger with a signed head."""
    procedure_id = office.back_up()
    installation = office.installation
    with installation.catalog.read() as connection:
        made = backups.list_of_procedure(connection, procedure_id)
        papers = forms.list_forms(connection, procedure_id)
        heads = ledger.read_heads(installation.store("utama"), installation.signer.public_pem)
        assert [] == ledger.verify(connection, heads)
        done = {
            (row.step_id, row.component) for row in steps.list_steps(connection, procedure_id) if row.state == "done"
        }
    assert ["secured", "secured"] == [backup.state for backup in made]
    assert ["pass", "pass"] == [backup.verdict for backup in made]
    assert 1 == len({form.number for form in papers})
    assert [1, 2] == [form.version for form in papers]
    assert all(Path(form.path).read_bytes().startswith(b"%PDF") for form in papers)
    assert 1 == len(heads)
    assert {("backup.5", ""), ("backup.6", "")} <= done
    assert 10 == len(done)


def test_nothing_plain_and_no_key_of_the_run_is_left_behind(office: SmallOffice) -> None:
    """Staging, scratch and the run's own identity are gone when the procedure is over; the store holds ciphertext."""
    office.back_up()
    assert [] == list((office.root / "state" / "staging").rglob("*"))
    assert [] == list((office.root / "state" / "scratch").rglob("*"))
    stored = [path for path in (office.root / "store").rglob("*") if path.is_file()]
    assert 2 == sum(path.name.endswith(".zst.age") for path in stored)
    assert not any(b"Pegawai 1" in path.read_bytes() for path in stored if path.suffix != ".pdf")


def test_a_step_that_is_done_is_not_done_again(office: SmallOffice) -> None:
    """The flow is entered again after every approval: what has evidence is returned."""
    opened = begin(office)
    first = office.step("backup.1", opened["id"], "simpel/data")
    assert first == office.step("backup.1", opened["id"], "simpel/data")


def test_a_bad_backup_gets_no_name_and_the_form_says_so(office: SmallOffice) -> None:
    """A flipped byte in staging: step 2 fails, step 3 refuses, the other component goes on, the form names both."""
    opened = begin(office)
    for component in opened["components"]:
        office.step("backup.1", opened["id"], component)
    staged = next((office.root / "state" / "staging").rglob("data.sqlite.zst.age"))
    content = bytearray(staged.read_bytes())
    content[len(content) // 2] ^= 1
    staged.write_bytes(content)
    with pytest.raises(Exception, match="(?s)HINT"):
        office.step("backup.2", opened["id"], "simpel/data")
    with pytest.raises(ProcedureError, match="is not verified"):
        office.step("backup.3", opened["id"], "simpel/data")
    for number in (2, 3, 4):
        office.step(f"backup.{number}", opened["id"], "simpel/berkas")
    office.step("backup.5", opened["id"])
    with office.installation.catalog.read() as connection:
        facts = json.dumps(forms.list_forms(connection, opened["id"])[0].facts, ensure_ascii=False)
    assert "GAGAL" in facts
    assert "1 dari 2 aset TIDAK BERHASIL" in facts
    office.decide("backup.6", opened["id"], KABID, "sesuai", **REVIEW)
    office.step("backup.6", opened["id"])
    conclusion = conclude_backup(office.installation, opened["id"])
    assert not conclusion.good
    assert "simpel/data" in conclusion.sentence


def test_a_failure_on_the_form_is_final_and_a_rerun_takes_only_what_failed(office: SmallOffice) -> None:
    """After step 5 the form stands; the failed component is backed up by a new run that cites it."""
    database = office.database.read_bytes()
    office.database.write_bytes(b"this is no database, whatever it says")
    opened = begin(office)
    for component in opened["components"]:
        for number in (1, 2, 3, 4):
            try:
                office.step(f"backup.{number}", opened["id"], component)
            except Exception as error:  # every later step of a failed component refuses in its own words
                assert component == "simpel/data", error
                break
    form = office.step("backup.5", opened["id"])
    office.database.write_bytes(database)
    with pytest.raises(ProcedureError):
        office.step("backup.1", opened["id"], "simpel/data")
    again = begin(office, routine=False, cites=form["form_number"])
    assert ["simpel/data"] == again["components"]


def test_a_wrong_copy_is_caught_by_its_fingerprint(office: SmallOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """The staged bytes are intact but are not what was in the database: the recorded fingerprint differs."""
    opened = begin(office)
    office.step("backup.1", opened["id"], "simpel/data")
    with office.installation.catalog.begin() as connection:
        backup = backups.of_procedure(connection, opened["id"], "simpel/data")
        assert backup is not None
        facts = backup.facts
        facts["fingerprint"]["objects"]["pegawai"]["digest"] = "0" * 64
        backups.mark_failed(connection, backup.id, "error", facts)
    with pytest.raises(VerificationFailedError, match="it got no name and was not stored"):
        office.step("backup.2", opened["id"], "simpel/data")


def test_a_backup_out_of_schedule_needs_a_reason(office: SmallOffice) -> None:
    """The SOP's form asks for it."""
    with pytest.raises(ConfigurationError, match="a backup out of schedule needs a reason"):
        begin(office, routine=False)


def test_an_unknown_schedule_names_the_known_ones(office: SmallOffice) -> None:
    """A sentence that helps."""
    with pytest.raises(NotFoundError, match="(?s)no schedule named 'tahunan'.*choose one of: bulanan"):
        begin(office, schedule_name="tahunan")


def test_the_executor_cannot_review_his_own_backup(office: SmallOffice) -> None:
    """Separation of duties; the refusal is in the ledger."""
    opened = begin(office)
    for component in opened["components"]:
        for number in (1, 2, 3, 4):
            office.step(f"backup.{number}", opened["id"], component)
    office.step("backup.5", opened["id"])
    with pytest.raises(Exception, match="does not count"):
        office.decide("backup.6", opened["id"], EXECUTOR, "sesuai", **REVIEW)
