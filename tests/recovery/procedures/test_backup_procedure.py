"""The backup procedure on a small real installation, without Prefect."""

import copy
import json
import logging
import sqlite3
import subprocess
import threading
import uuid
from pathlib import Path

import pytest
from sqlalchemy import update

from recovery.errors import (
    ApprovalError,
    ConfigurationError,
    ConflictError,
    DigestError,
    HostError,
    LeaseHeldError,
    NotFoundError,
    ProcedureError,
    PulihError,
    SourceCorruptError,
    SourceLockedError,
    SourceMissingError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
    VerificationError,
    VerificationFailedError,
)
from recovery.procedures.backup import b1_back_up
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import conclude_backup
from recovery.procedures.questions import question_of
from recovery.records import backups, forms, leases, ledger, ledger_heads, schema, steps
from recovery.records.approval_requests import RefusedError
from tests.recovery.procedures.faults import Watch, watched
from tests.testbed.postgresql import run_postgresql
from tests.testbed.small_office import EXECUTOR, KABID, REVIEW, SmallOffice, open_office

UNJUDGED = """\
name: pegawai
meta: {asset: pegawai}
expectations:
- type: expect_column_values_to_not_be_null
  kwargs: {column: tidak_ada}
"""


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
        heads = ledger_heads.read_heads(installation.store("utama"), installation.signer.public_pem)
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


@pytest.mark.slow
def test_nothing_plain_and_no_key_of_the_run_is_left_behind(office: SmallOffice) -> None:
    """Staging, scratch and the run's own identity are gone when the procedure is over; the store holds ciphertext."""
    office.back_up()
    assert [] == list((office.root / "state" / "staging").rglob("*"))
    assert [] == list((office.root / "state" / "scratch").rglob("*"))
    stored = [path for path in (office.root / "store").rglob("*") if path.is_file()]
    # Both sets, and the installation's own records.
    assert 3 == sum(path.name.endswith(".zst.age") for path in stored)
    assert not any(b"Pegawai 1" in path.read_bytes() for path in stored if path.suffix != ".pdf")


@pytest.mark.slow
def test_a_step_that_is_done_is_not_done_again(office: SmallOffice) -> None:
    """The flow is entered again after every approval: what has evidence is returned."""
    opened = begin(office)
    first = office.step("backup.1", opened["id"], "simpel/data")
    assert first == office.step("backup.1", opened["id"], "simpel/data")


@pytest.mark.slow
def test_a_bad_backup_gets_no_name_and_the_form_says_so(office: SmallOffice) -> None:
    """A flipped byte in staging: step 2 fails, step 3 refuses, the other component goes on, the form names both."""
    opened = begin(office)
    for component in opened["components"]:
        office.step("backup.1", opened["id"], component)
    staged = next((office.root / "state" / "staging").rglob("data.sqlite.zst.age"))
    content = bytearray(staged.read_bytes())
    content[len(content) // 2] ^= 1
    staged.write_bytes(content)
    with pytest.raises(DigestError):
        office.step("backup.2", opened["id"], "simpel/data")
    assert ("failed", "fail") == _state_of(office, opened["id"], "simpel/data")
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


@pytest.mark.slow
def test_a_backup_that_cannot_be_loaded_is_recorded_as_not_judged_until_it_is(office: SmallOffice) -> None:
    """The host goes away in step 2: nothing is known about the backup, and a retry may find it good."""
    opened = begin(office)
    office.step("backup.1", opened["id"], "simpel/data")
    with watched(Watch("host", 0, for_good=True)), pytest.raises(HostError, match="the host fails"):
        office.step("backup.2", opened["id"], "simpel/data")
    assert ("failed", "error") == _state_of(office, opened["id"], "simpel/data")
    office.step("backup.2", opened["id"], "simpel/data")
    assert ("verified", "pass") == _state_of(office, opened["id"], "simpel/data")


@pytest.mark.slow
def test_a_staging_directory_that_is_gone_is_said_with_the_state_of_the_backup(office: SmallOffice) -> None:
    """Swept by hand, or its disk was lost: step 2 knows nothing of the backup, and step 4 stores nothing."""
    run, key = begin(office)["id"], "simpel/berkas"
    office.step("backup.1", run, key)
    staging = office.root / "state" / "staging"
    staging.rename(staging.with_name("aside"))
    with pytest.raises(VerificationError, match=r"what step 1 staged cannot be read: .*/run-identity \(No such file"):
        office.step("backup.2", run, key)
    assert ("failed", "error") == _state_of(office, run, key)
    staging.with_name("aside").rename(staging)
    for number in (2, 3):
        office.step(f"backup.{number}", run, key)
    staging.rename(staging.with_name("aside"))
    with pytest.raises(StoreError, match=r"quality\.json cannot be written \(No such file or directory\); nothing was"):
        office.step("backup.4", run, key)
    staging.with_name("aside").rename(staging)
    (left,) = [path.parent for path in staging.rglob("run-identity")]
    (left / "quality.json").write_bytes(b"half of it, by a process that was kil")
    office.step("backup.4", run, key)
    assert ("secured", "pass") == _state_of(office, run, key)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["run-identity", "data.sqlite.zst.age"])
def test_staged_bytes_that_the_disk_does_not_give_back_are_said_with_the_state_of_the_backup(
    office: SmallOffice, name: str
) -> None:
    """They can be opened, and every read of them fails. What is mended, a retry finds good."""
    run, key = begin(office)["id"], "simpel/data"
    office.step("backup.1", run, key)
    (staged,) = (office.root / "state" / "staging").rglob(name)
    staged.rename(staged.with_name("aside"))
    staged.symlink_to("/proc/self/mem")
    with pytest.raises(VerificationError) as caught:
        office.step("backup.2", run, key)
    assert (
        f"what step 1 staged cannot be read: {staged} (Input/output error); "
        "nothing is known about this backup, so it was not stored; earlier backups are untouched\n"
        "HINT: let the worker's account read it, look at its disk, and Retry the run; when it is gone or its disk is "
        "broken, start a backup with 'Mengulang'"
    ) == str(caught.value)
    assert ("failed", "error") == _state_of(office, run, key)
    staged.with_name("aside").rename(staged)
    office.step("backup.2", run, key)
    assert ("verified", "pass") == _state_of(office, run, key)


def _state_of(office: SmallOffice, procedure_id: str, component: str) -> tuple[str, str]:
    with office.installation.catalog.read() as connection:
        backup = backups.of_procedure(connection, procedure_id, component)
    assert backup is not None
    return backup.state, backup.verdict


@pytest.mark.slow
def test_a_failure_on_the_form_is_final_and_a_rerun_takes_only_what_failed(office: SmallOffice) -> None:
    """After step 5 the form stands; the failed component is backed up by a new run that cites it."""
    database = office.database.read_bytes()
    office.database.write_bytes(b"this is no database, whatever it says")
    opened = begin(office)
    for component in opened["components"]:
        for number in (1, 2, 3, 4):
            try:
                office.step(f"backup.{number}", opened["id"], component)
            except PulihError as error:  # every later step of a failed component refuses in its own words
                assert component == "simpel/data", error
                break
    form = office.step("backup.5", opened["id"])
    office.database.write_bytes(database)
    with pytest.raises(ProcedureError):
        office.step("backup.1", opened["id"], "simpel/data")
    again = begin(office, routine=False, cites=form["form_number"])
    assert ["simpel/data"] == again["components"]


@pytest.mark.slow
def test_a_backup_with_a_rule_that_cannot_be_judged_is_not_stored(office: SmallOffice) -> None:
    """Neither good nor bad: the owner's rule names a column that is not there."""
    (office.root / "aturan.yaml").write_text(UNJUDGED)
    application = office.installation.applications["simpel"]
    application.components[0] = application.components[0].model_copy(update={"suite": str(office.root / "aturan.yaml")})
    opened = begin(office)
    office.step("backup.1", opened["id"], "simpel/data")
    with pytest.raises(VerificationError) as caught:
        office.step("backup.2", opened["id"], "simpel/data")
    assert caught.value.message.startswith("the backup of simpel/data could not be judged (pegawai: ")
    assert "nothing is known about it, so it was not stored; earlier backups are untouched" == caught.value.state
    assert ("failed", "error") == _state_of(office, opened["id"], "simpel/data")


@pytest.mark.slow
def test_what_the_kabid_rejects_is_said_and_a_name_is_never_given_twice(office: SmallOffice) -> None:
    """The run's last word, and two refusals that need a whole backup before them."""
    opened = begin(office)
    for component in opened["components"]:
        for number in (1, 2, 3, 4):
            office.step(f"backup.{number}", opened["id"], component)
    form = office.step("backup.5", opened["id"])["form_number"]
    # Taken out of the inventory while the Kabid is waited for: what was done is still his to review.
    settings = office.installation
    inventory = copy.deepcopy((settings.schedules, settings.applications, settings.stores))
    settings.schedules.clear()
    settings.stores["baru"] = settings.stores.pop("utama").model_copy(update={"name": "baru"})
    del settings.applications["simpel"].components[0]
    assert opened == begin(office, procedure_id=opened["id"]), "a run that comes again"
    shown = question_of(office.installation, opened["id"], "backup.6").document["bagian"]
    assert "simpel/data" in [row[0] for section in shown for row in section["baris"]]
    with pytest.raises(RefusedError) as denied:
        office.decide("backup.6", opened["id"], KABID, "sesuai", **{**REVIEW, "tersimpan_aman": "tidak"})
    assert "pemeriksaan yang tidak dijawab ya: Tersimpan aman. Periksa" in denied.value.complaint
    office.decide("backup.6", opened["id"], KABID, "tidak sesuai", note="Lokasi salah.", **REVIEW)
    office.step("backup.6", opened["id"])
    conclusion = conclude_backup(office.installation, opened["id"])
    assert not conclusion.good
    assert conclusion.sentence.startswith(f"Formulir {form} dinyatakan tidak sesuai oleh Kabid: Lokasi salah.")
    with settings.catalog.read() as connection:
        versions = [json.dumps(form.facts) for form in forms.list_forms(connection, opened["id"])]
    assert ["store/bkd/simpel" in each for each in versions] == [True, False]
    assert ["badan kepegawaian" in each.lower() for each in versions] == [True, True], "of the other component"
    settings.schedules, settings.applications, settings.stores = inventory

    with pytest.raises(ConfigurationError) as nothing:
        begin(office, routine=False, cites=form)
    assert str(nothing.value) == (
        f"nothing failed under {form} that this schedule still names; nothing was backed up\n"
        "HINT: start a backup out of schedule with a reason instead"
    )

    again = begin(office)["id"]
    for number in (1, 2):
        office.step(f"backup.{number}", again, "simpel/data")
    with office.installation.catalog.begin() as connection:
        first = backups.of_procedure(connection, opened["id"], "simpel/data")
        assert first is not None
        same = update(schema.backups).where(schema.backups.c.procedure_id == again).values(moment=first.moment)
        connection.execute(same)
    with pytest.raises(ConflictError) as taken:
        office.step("backup.3", again, "simpel/data")
    assert taken.value.message == f"the name {first.name} is taken by an earlier backup"
    assert "the earlier backup is untouched; the new one is not stored" == taken.value.state


@pytest.mark.slow
def test_a_wrong_copy_is_caught_by_its_fingerprint(office: SmallOffice) -> None:
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
    with pytest.raises(NotFoundError, match=r"(?s)no schedule named 'tahunan'.*choose one of: bulanan"):
        begin(office, schedule_name="tahunan")


@pytest.mark.slow
def test_the_executor_cannot_review_his_own_backup(office: SmallOffice) -> None:
    """Separation of duties; the refusal is in the ledger."""
    opened = begin(office)
    for component in opened["components"]:
        for number in (1, 2, 3, 4):
            office.step(f"backup.{number}", opened["id"], component)
    office.step("backup.5", opened["id"])
    with pytest.raises(ApprovalError, match="does not count"):
        office.decide("backup.6", opened["id"], EXECUTOR, "sesuai", **REVIEW)


@pytest.mark.slow
def test_a_backup_waits_until_a_restore_of_its_component_has_ended(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The leases of a restore keep backups away: one waits and says so, and gives up naming the holder."""
    held = leases.acquire(office.installation.catalog, "component:simpel/data", "a-restore", 600, "restore")
    opened = begin(office)
    with monkeypatch.context() as impatient, pytest.raises(LeaseHeldError, match="a-restore"):
        impatient.setattr(b1_back_up, "PATIENCE_SECONDS", 0.0)
        office.step("backup.1", opened["id"], "simpel/data")

    waits = threading.Event()

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "waiting: component:simpel/data is held by a-restore" in record.getMessage():
                waits.set()

    caplog.set_level(logging.INFO, logger="recovery.procedures.working")
    watch = Watch()
    logging.getLogger("recovery.procedures.working").addHandler(watch)
    backup = threading.Thread(target=lambda: office.step("backup.1", opened["id"], "simpel/data"), daemon=True)
    try:
        backup.start()
        assert waits.wait(timeout=30)
        leases.release(office.installation.catalog, held)
        backup.join(timeout=60)
    finally:
        logging.getLogger("recovery.procedures.working").removeHandler(watch)
    assert not backup.is_alive()
    with office.installation.catalog.read() as connection:
        assert steps.evidence_of(connection, opened["id"], "backup.1", "simpel/data") is not None


@pytest.mark.slow
def test_a_missing_or_locked_or_foreign_database_is_reported_and_left_alone(office: SmallOffice) -> None:
    """Three ways in which a database cannot be backed up, each with its own sentence, none of them changing it."""
    opened = begin(office)
    with sqlite3.connect(office.database, isolation_level=None) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceLockedError):
            office.step("backup.1", opened["id"], "simpel/data")
        holder.execute("ROLLBACK")
    holder.close()
    aside = office.database.with_suffix(".aside")
    office.database.rename(aside)
    with pytest.raises(SourceMissingError):
        office.step("backup.1", opened["id"], "simpel/data")
    assert not office.database.exists()
    office.database.write_bytes(b"no database")
    with pytest.raises(SourceCorruptError):
        office.step("backup.1", opened["id"], "simpel/data")
    assert b"no database" == office.database.read_bytes()
    office.database.unlink()
    aside.rename(office.database)
    office.step("backup.1", opened["id"], "simpel/data")


@pytest.mark.slow
def test_a_store_that_cannot_be_written_fails_step_4_and_a_retry_finishes_it(office: SmallOffice) -> None:
    """Nothing half there under the final name; the staged bytes wait for the retry."""
    opened = begin(office)
    for number in (1, 2, 3):
        office.step(f"backup.{number}", opened["id"], "simpel/data")
    store = office.root / "store"
    full = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(store)], capture_output=True)
    if full.returncode != 0:
        store.chmod(0o500)  # without root there is no mounting, and a mode is enough
    try:
        with pytest.raises((StoreFullError, StoreReadOnlyError), match="HINT"):
            office.step("backup.4", opened["id"], "simpel/data")
        assert not any(path.name == "manifest.json" for path in store.rglob("*"))
    finally:
        if full.returncode == 0:
            subprocess.run(["umount", str(store)], check=True)
        store.chmod(0o700)
    office.step("backup.4", opened["id"], "simpel/data")
    with office.installation.catalog.read() as connection:
        assert backups.newest_verified(connection, "simpel", "data") is not None


@pytest.mark.slow
def test_both_procedures_run_on_a_catalog_in_postgresql(tmp_path: Path) -> None:
    """The embedded default is SQLite; production keeps the catalog in PostgreSQL."""
    with run_postgresql() as server:
        server.execute("CREATE DATABASE pulih")
        office = open_office(tmp_path / "office", catalog_url=server.url("pulih"))
        rows = office.rows()
        office.back_up()
        office.damage()
        office.restore()
        assert rows == office.rows()
        with office.installation.catalog.read() as connection:
            assert [] == ledger.verify(connection)
        office.stop_service_for_good()
        office.installation.catalog.dispose()
