"""Restores and backups that died and that nobody can take up again: an administrator closes them, and not too early."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from recovery.conformance import judge_procedure
from recovery.errors import ConflictError, ProcedureError, PulihError
from recovery.guard.report import Report
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.conclude import conclude_given_up
from recovery.procedures.restore.plan import approved_plan
from recovery.procedures.restore.r5_restore_data import restore_data
from recovery.procedures.restore.r6_start_service import start_service
from recovery.procedures.working import work_on
from recovery.records import backups, ledger, procedures, schema, steps
from tests.recovery.guard.conftest import Scene
from tests.testbed.service_patience import patience
from tests.testbed.small_office import SmallOffice

GONE = "Eksekusinya terhapus."


def outcome(scene: Scene) -> tuple[str, str]:
    with scene.installation.catalog.read() as connection:
        procedure = procedures.get(connection, scene.procedure_id)
    return procedure.state, procedure.outcome


def of_services(report: Report) -> list[str]:
    return [alarm.message for alarm in report.alarms if alarm.kind in ("restore", "service")]


def one_of_two_swapped(scene: Scene) -> None:
    scene.prepare()
    scene.swap("simpel/data")


def test_a_restore_that_died_is_closed_when_the_guard_has_settled_it_and_not_before(stopped: Scene) -> None:
    """Its run is gone, so there is nothing to Retry. Whoever works on it comes before the closing, or never."""
    one_of_two_swapped(stopped)
    office, installation, procedure_id = stopped.office, stopped.installation, stopped.procedure_id
    refused = f"the restore {procedure_id} is between its steps 4 and 6 and not settled"
    with pytest.raises(ProcedureError, match=refused) as caught:
        conclude_given_up(installation, procedure_id, GONE)
    for why in ("simpel/data is swapped", "simpel/berkas is prepared", f"{procedure_id} holds component:simpel/data"):
        assert why in caught.value.message
    stopped.forget_leases()
    with pytest.raises(ProcedureError, match=refused):
        conclude_given_up(installation, procedure_id, GONE)
    assert ("open", "") == outcome(stopped)
    stopped.guard()
    with pytest.raises(ConflictError, match="when the guard has settled what died"):
        office.request()

    conclusion = conclude_given_up(installation, procedure_id, GONE)
    assert conclusion.good
    assert conclusion.sentence.startswith(f"Restore terputus, permintaan ditutup. Alasan: {GONE}")
    assert ("closed", "terputus") == outcome(stopped)
    told = (office.root / "notices.txt").read_text()
    assert "Data lama yang dipakai, seluruhnya; tidak ada yang dipulihkan. Ajukan permintaan baru" in told
    assert "Tidak ada data atau layanan yang diubah" not in told
    reasons = judge_procedure(installation, procedure_id).reasons
    assert "an administrator closed the procedure before its end" in reasons
    assert [] == [reason for reason in reasons if "ledger" in reason]
    with installation.catalog.read() as connection:
        (given_up,) = ledger.entries(connection, procedure_id=procedure_id, kind="procedure.given_up")
    assert {"reason": GONE} == given_up.facts
    for step in (restore_data, start_service):
        with pytest.raises(ProcedureError, match=f"procedure {procedure_id} is closed; nothing was stopped"):
            step(installation, procedure_id)
    assert office.service_running()
    assert stopped.old == stopped.content()
    assert [] == of_services(stopped.guard())
    assert office.request() != procedure_id, "the next request is taken"
    with pytest.raises(ProcedureError, match="is no open restore before step 4"):
        conclude_given_up(installation, procedure_id, "Lagi.")


def test_a_service_that_is_unwell_also_on_the_old_data_is_watched_after_the_closing(stopped: Scene) -> None:
    """A new restore is what helps, and no Retry of this one comes to its end."""
    office, procedure_id = stopped.office, stopped.procedure_id
    (office.service_state / "unhealthy").touch()
    patience(office, start=3)
    office.step("restore.5", procedure_id)
    with pytest.raises(PulihError, match="is well neither on the new nor on the old data") as caught:
        office.step("restore.6", procedure_id)
    assert "pulih close" in caught.value.hint
    stopped.forget_leases()
    with pytest.raises(ProcedureError, match="not settled"):
        conclude_given_up(stopped.installation, procedure_id, GONE)
    stopped.guard()
    conclude_given_up(stopped.installation, procedure_id, GONE)
    assert ("closed", "terputus") == outcome(stopped)
    (message,) = of_services(stopped.guard())
    assert message.endswith(f", and the restore {procedure_id} was closed between its steps 4 and 6")
    for service in stopped.installation.services("simpel"):
        service.stop()
    assert [f"is stopped, and the restore {procedure_id} was closed between its steps 4 and 6"] == of_services(
        stopped.guard()
    )
    (office.service_state / "unhealthy").unlink()
    for service in stopped.installation.services("simpel"):
        service.start()
    assert [] == of_services(stopped.guard())
    (office.service_state / "unhealthy").touch()
    assert [f"is not healthy, and the restore {procedure_id} was closed between its steps 4 and 6"] == of_services(
        stopped.guard()
    )


def test_a_step_4_that_died_before_it_stopped_anything_is_closed_also_without_its_entry(scene: Scene) -> None:
    """The guard, which cannot go there, has nothing to end."""
    plan = approved_plan(scene.installation, scene.procedure_id)
    steps.open_step(scene.installation.catalog, "restore.4", scene.procedure_id)
    held = f"not settled: {scene.procedure_id} holds component:simpel/berkas"
    with (
        work_on(scene.installation, plan.components, scene.procedure_id, "restore", release=False),
        pytest.raises(ProcedureError, match=held),
    ):
        conclude_given_up(scene.installation, scene.procedure_id, GONE)
    scene.forget_leases()
    application = scene.installation.applications.pop("simpel")
    (alarm,) = [alarm for alarm in scene.guard().alarms if alarm.kind == "restore"]
    assert alarm.mend.endswith(f"then Retry the run; or end the restore: pulih close {scene.procedure_id} --reason …")
    conclude_given_up(scene.installation, scene.procedure_id, GONE)
    assert ("closed", "terputus") == outcome(scene)
    scene.installation.applications["simpel"] = application
    with pytest.raises(ProcedureError, match="is closed"):
        scene.office.step("restore.4", scene.procedure_id)
    assert scene.office.service_running()


def test_a_restore_whose_new_data_is_live_keeps_it_and_its_safety_copy(stopped: Scene) -> None:
    """It died before its requester was informed."""
    stopped.office.step("restore.5", stopped.procedure_id)
    stopped.forget_leases()
    stopped.guard()
    conclude_given_up(stopped.installation, stopped.procedure_id, GONE)
    assert ("closed", "terputus") == outcome(stopped)
    told = (stopped.office.root / "notices.txt").read_text()
    assert "Data hasil restore yang dipakai; data lama tersimpan sebagai salinan pengaman." in told
    stopped.guard()
    assert stopped.new == stopped.content()
    assert 2 == len(stopped.copies()), "the safety copies"


def test_a_backup_that_died_is_closed_after_a_day_and_keeps_what_it_secured(office: SmallOffice) -> None:
    """Else it stands open, and the guard's alarm about it, for ever."""
    installation, procedure_id = office.installation, str(uuid.uuid4())
    begin_backup(installation, procedure_id, schedule_name="bulanan", routine=True)
    for number in range(1, 5):
        office.step(f"backup.{number}", procedure_id, "simpel/data")
    office.step("backup.1", procedure_id, "simpel/berkas")
    staging = installation.state_directory / "staging" / procedure_id
    assert staging.exists()

    def let_pass(table: schema.Table, **values: str) -> None:
        this = table.c.id == procedure_id if table is schema.procedures else table.c.procedure_id == procedure_id
        with installation.catalog.begin() as connection:
            connection.execute(update(table).where(this).values(**values))

    early = "was begun less than a day ago, or is being worked on"
    with pytest.raises(ProcedureError, match=early):
        conclude_given_up(installation, procedure_id, GONE)
    long_ago = schema.timestamp(datetime.now(UTC) - timedelta(days=2))
    let_pass(schema.procedures, opened_at=long_ago)
    steps.open_step(installation.catalog, "backup.2", procedure_id, "simpel/berkas")
    with pytest.raises(ProcedureError, match=early):
        conclude_given_up(installation, procedure_id, GONE)
    let_pass(schema.steps, opened_at=long_ago)

    conclusion = conclude_given_up(installation, procedure_id, GONE)
    assert conclusion.sentence == (
        f"Back up terputus dan ditutup. Alasan: {GONE}\n1 dari 2 komponen sudah diamankan dan tetap tercatat."
    )
    assert not staging.exists()
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, procedure_id)
        made = {each.component: each.state for each in backups.list_of_procedure(connection, procedure_id)}
    assert ("closed", "terputus") == (procedure.state, procedure.outcome)
    assert "secured" == made["data"]
    assert "secured" != made["berkas"]
    with pytest.raises(ProcedureError, match="is closed"):
        office.step("backup.2", procedure_id, "simpel/berkas")


def test_a_backup_that_ended_stays_as_it_ended(office: SmallOffice) -> None:
    begin_backup(office.installation, "b1", schedule_name="bulanan", routine=True)
    with office.installation.catalog.begin() as connection:
        procedures.record_closing(connection, "b1", "gagal")
    with pytest.raises(ProcedureError, match="procedure b1 is no open restore before step 4"):
        conclude_given_up(office.installation, "b1", GONE)


def test_what_is_neither_restore_nor_backup_is_closed_by_nobody(office: SmallOffice) -> None:
    """A new approval takes the place of one that waits; drills are the guard's."""
    procedures.open_procedure(
        office.installation.catalog, "s1", "schedule", schedule="bulanan", parameters={}, release="0.1.0"
    )
    with pytest.raises(ProcedureError, match="procedure s1 is no open restore before step 4"):
        conclude_given_up(office.installation, "s1", GONE)
