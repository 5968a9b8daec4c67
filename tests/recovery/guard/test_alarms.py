"""What the guard says is wrong: proofs that are missing or old, steps that are late, requests that died, the ledger."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Executable, delete, update

from recovery.calendar import WIB, format_moment
from recovery.guard.report import Alarm, Report
from recovery.guard.telling import TITLES
from recovery.procedures.backup.begin import begin_backup
from recovery.procedures.questions import question_of
from recovery.records import ledger, notices, procedures, schema, steps
from recovery.records.approvals import ask
from tests.recovery.guard.conftest import COMPONENTS, Scene
from tests.testbed.small_office import REQUESTER, SmallOffice

# The office's schedule is "0 22 20 * *": the 20th of each month at 22.00 WIB.
DUE = datetime(2026, 11, 20, 22, 0, tzinfo=WIB)


def alarms(report: Report, *kinds: str) -> list[Alarm]:
    return [alarm for alarm in report.alarms if alarm.kind in kinds]


def proven_at(scene: Scene, moment: datetime) -> None:
    """Let the verified backups be of another moment."""
    with scene.installation.catalog.begin() as connection:
        connection.execute(update(schema.backups).values(moment=schema.timestamp(moment)))


def proofs(scene: Scene, now: datetime) -> list[Alarm]:
    return alarms(scene.guard(now), "never", "failing", "stale", "unscheduled")


def test_a_component_without_any_proof_is_told_as_never(scene: Scene) -> None:
    """Also when there are backups: what was not proven and secured does not count."""
    with scene.installation.catalog.begin() as connection:
        berkas = schema.backups.c.component == "berkas"
        connection.execute(update(schema.backups).where(berkas).values(state="failed", verdict="error"))
    (alarm,) = proofs(scene, datetime.now(UTC))
    assert ("never", "simpel/berkas") == (alarm.kind, alarm.subject)
    assert "has no verified backup that counts" == alarm.message


@pytest.mark.parametrize(
    ("proven", "now", "expected"),
    [
        pytest.param(DUE, DUE + timedelta(days=30), None, id="until the schedule's next day"),
        pytest.param(DUE - timedelta(days=31), DUE - timedelta(minutes=1), None, id="on its day, before its time"),
        pytest.param(DUE - timedelta(days=31), DUE + timedelta(hours=23), None, id="one day for running it"),
        pytest.param(
            DUE - timedelta(days=31),
            DUE + timedelta(hours=25),
            "has no verified backup this month; the newest is of Selasa, 20 Oktober 2026 pukul 22.00.00 WIB",
            id="after its day without a backup in the month",
        ),
        pytest.param(
            DUE - timedelta(days=9),
            DUE + timedelta(hours=25),
            "has no verified backup since Jumat, 20 November 2026 pukul 22.00.00 WIB, when its schedule wanted one; "
            "the newest is of Rabu, 11 November 2026 pukul 22.00.00 WIB",
            id="one out of schedule does not replace the scheduled one",
        ),
        pytest.param(
            DUE - timedelta(days=31),
            DUE + timedelta(days=15),
            "has no verified backup since Jumat, 20 November 2026 pukul 22.00.00 WIB, when its schedule wanted one; "
            "the newest is of Selasa, 20 Oktober 2026 pukul 22.00.00 WIB",
            id="and in the month after",
        ),
    ],
)
def test_a_proof_is_stale_when_the_schedule_wanted_a_newer_one(
    scene: Scene, proven: datetime, now: datetime, expected: str | None
) -> None:
    """By the schedule's own times, in WIB, with a day's grace."""
    proven_at(scene, proven)
    found = proofs(scene, now)
    if expected is None:
        assert [] == found
    else:
        assert [("stale", f"simpel/{name}", expected) for name in ("data", "berkas")] == [
            (alarm.kind, alarm.subject, alarm.message) for alarm in found
        ]


def test_a_schedule_whose_time_passed_is_silent_until_a_run_of_it_begins(scene: Scene) -> None:
    """However badly it went: who failed is not silent."""
    now = datetime.now(UTC)
    due = next(DUE + timedelta(days=offset) for offset in range(4000) if is_due(DUE + timedelta(days=offset), now))
    later = due + timedelta(hours=2)
    (alarm,) = alarms(scene.guard(later), "silent")
    assert ("bulanan", f"was due {format_moment(due)}, and no run of it has begun since") == (
        alarm.subject,
        alarm.message,
    )
    with scene.installation.catalog.begin() as connection:
        begun = update(schema.procedures).where(schema.procedures.c.kind == "backup")
        connection.execute(begun.values(opened_at=schema.timestamp(due + timedelta(minutes=1))))
    assert [] == alarms(scene.guard(later), "silent")


def test_a_clock_that_ran_ahead_is_told_and_hides_no_silence(office: SmallOffice, scene: Scene) -> None:
    """What was made meanwhile would pass for fresh, and the installation for not begun, for a year."""
    ahead = datetime.now(UTC) + timedelta(days=365)
    now = datetime.now(UTC) + timedelta(days=60)
    looked_for = ("clock", "never", "failing", "stale", "silent")
    assert ["stale", "stale", "silent"] == [alarm.kind for alarm in alarms(scene.guard(now), *looked_for)]
    with scene.installation.catalog.begin() as connection:
        for table, column in (
            (schema.backups, "moment"),
            (schema.procedures, "opened_at"),
            (schema.steps, "opened_at"),
        ):
            connection.execute(update(table).values({column: schema.timestamp(ahead)}))
    tamper(scene, update(schema.ledger).where(schema.ledger.c.sequence == 1).values(at=schema.timestamp(ahead)))
    found = alarms(scene.guard(now), *looked_for)
    assert [("clock", "records"), ("never", "simpel/data"), ("never", "simpel/berkas"), ("silent", "bulanan")] == [
        (alarm.kind, alarm.subject) for alarm in found
    ]
    told = f" is of {format_moment(ahead)}, and by the clock it is {format_moment(now)}: such a record is no proof"
    assert found[0].message.endswith(told)
    assert TITLES["clock"] in (office.root / "notices.txt").read_text()
    assert [] == alarms(scene.guard(ahead), "clock")


def is_due(moment: datetime, now: datetime) -> bool:
    """Whether it is a time of the office's schedule that is still to come."""
    return moment.day == 20 and moment > now


def test_the_newest_backup_failing_is_told_whatever_older_proof_there_is(office: SmallOffice, scene: Scene) -> None:
    """Until the next one succeeds, by a retry or by another run."""
    begin_backup(office.installation, "failing", schedule_name="bulanan", routine=True)
    office.database.rename(office.database.with_suffix(".away"))
    try:
        with pytest.raises(Exception, match="no database"):
            office.step("backup.1", "failing", "simpel/data")
    finally:
        office.database.with_suffix(".away").rename(office.database)
    (alarm,) = proofs(scene, datetime.now(UTC))
    assert ("failing", "simpel/data") == (alarm.kind, alarm.subject)
    assert "its last backup failed: " in alarm.message
    office.step("backup.1", "failing", "simpel/data")
    assert [] == proofs(scene, datetime.now(UTC))


def test_an_application_that_no_schedule_names_is_told(scene: Scene) -> None:
    """Nobody would notice that it is never backed up again."""
    schedule = scene.installation.schedules["bulanan"]
    schedule.applications.remove("simpel")
    try:
        found = proofs(scene, datetime.now(UTC))
    finally:
        schedule.applications.append("simpel")
    assert [("unscheduled", "simpel")] == [(alarm.kind, alarm.subject) for alarm in found]


def test_a_step_past_its_deadline_is_overdue_until_it_is_done(office: SmallOffice, scene: Scene) -> None:
    """The SOP's "1 hari"."""
    begin_backup(office.installation, "waiting", schedule_name="bulanan", routine=True)
    office.step("backup.5", "waiting")
    now = datetime.now(UTC)
    steps.open_step(
        office.installation.catalog, "backup.6", "waiting", deadline=lambda opened_at: opened_at + timedelta(hours=1)
    )
    assert [] == alarms(scene.guard(now), "overdue")
    (alarm,) = alarms(scene.guard(now + timedelta(hours=2)), "overdue")
    assert "6. Menerima dan memeriksa formulir back up [bulanan] of waiting" == alarm.subject
    assert "the SOP's 1 hari ended" in alarm.message
    assert alarm.mend.endswith("can be retried there; when it is gone, pulih close waiting --reason …")


def test_a_failed_step_is_told_after_a_working_day_and_the_requester_once(office: SmallOffice, scene: Scene) -> None:
    """Retried in time it concerns nobody."""
    scene.set_step("restore.3", state="failed", evidence=None, error="the store was full")
    now = datetime.now(UTC)
    assert [] == alarms(scene.guard(now), "failed")
    assert not (office.root / "notices.txt").exists()
    later = now + timedelta(days=12)
    report = scene.guard(later)
    (alarm,) = alarms(report, "failed")
    assert alarm.message.endswith("was not retried: the store was full")
    assert ["guard.requester_told"] == [action.kind for action in report.actions]
    text = (office.root / "notices.txt").read_text()
    assert "Permintaan restore simpel terhenti" in text
    assert "satu langkah gagal dan belum diulang dalam satu hari kerja" in text
    assert [] == scene.guard(later).actions
    assert text == (office.root / "notices.txt").read_text()
    assert scene.ledger_is_intact()


def test_a_failure_that_stands_on_the_form_is_no_alarm(office: SmallOffice, scene: Scene) -> None:
    """The procedure went on without that component, and says so."""
    begin_backup(office.installation, "partly", schedule_name="bulanan", routine=True)
    office.database.rename(office.database.with_suffix(".away"))
    try:
        with pytest.raises(Exception, match="no database"):
            office.step("backup.1", "partly", "simpel/data")
    finally:
        office.database.with_suffix(".away").rename(office.database)
    later = datetime.now(UTC) + timedelta(days=12)
    assert 1 == len(alarms(scene.guard(later), "failed"))
    office.step("backup.5", "partly")
    assert [] == alarms(scene.guard(later), "failed")


def test_the_requester_of_a_request_that_nobody_touches_is_told_once(office: SmallOffice, scene: Scene) -> None:
    """After the lifetime of an approval nobody is about to answer."""
    now = datetime.now(UTC)
    assert [] == scene.guard(now + timedelta(days=13)).actions
    (action,) = scene.guard(now + timedelta(days=15)).actions
    assert "guard.requester_told" == action.kind
    assert "tidak ada kegiatan sejak" in (office.root / "notices.txt").read_text()
    assert [] == scene.guard(now + timedelta(days=30)).actions


def test_a_notice_that_does_not_reach_the_requester_is_tried_every_hour_and_told(
    office: SmallOffice, scene: Scene
) -> None:
    """For as long as an approval would be open. A notice that failed is none that he has read."""
    target = office.root / "keys" / "notices"
    told = target.read_text()
    target.write_text("file:///proc/no/such/place")
    first = datetime.now(UTC) + timedelta(days=15)
    (action,) = scene.guard(first).actions
    assert action.message.startswith("tried in vain to tell")
    report = scene.guard(first + timedelta(minutes=59))
    assert [] == report.actions
    (alarm,) = alarms(report, "requester")
    assert (f"simpel, restore {scene.procedure_id}", schema.timestamp(first)) == (alarm.subject, alarm.since)
    assert alarm.message.startswith("its requester was not told 'Permintaan restore simpel terhenti': ")
    assert f"at most until {format_moment(first + timedelta(days=14))}" in alarm.mend
    again = scene.guard(first + timedelta(minutes=61))
    assert ["guard.requester_told"] == [each.kind for each in again.actions]
    assert [alarm] == alarms(again, "requester"), "the same alarm, of which the office is told once"
    long_after = scene.guard(first + timedelta(days=14, minutes=1))
    assert ([], []) == (long_after.actions, alarms(long_after, "requester"))
    target.write_text(told)
    report = scene.guard(first + timedelta(hours=3))
    assert ["guard.requester_told"] == [each.kind for each in report.actions]
    assert [] == alarms(report, "requester")
    assert "tidak ada kegiatan sejak" in (office.root / "notices.txt").read_text()
    assert [] == scene.guard(first + timedelta(hours=5)).actions


def undelivered(scene: Scene, subject: str, *, delivered: bool = False, recipient: str = REQUESTER) -> None:
    """Record a notice of the scene's restore."""
    with scene.installation.catalog.begin() as connection:
        notices.record_notice(
            connection,
            scene.procedure_id,
            recipient=recipient,
            channel="file:x",
            subject=subject,
            delivered=delivered,
            detail="" if delivered else "the channel did not answer",
        )


def test_what_could_not_be_told_at_the_end_is_an_alarm_until_something_reaches_him_or_it_is_long_ago(
    scene: Scene,
) -> None:
    """A rejection above all: nobody but the requester waits for it."""
    procedures.close_procedure(scene.installation.catalog, scene.procedure_id, "ditolak")
    undelivered(scene, "Permintaan ditolak: restore simpel", delivered=True, recipient="kantor")
    undelivered(scene, "Permintaan ditolak: restore simpel")
    now = datetime.now(UTC)
    (alarm,) = alarms(scene.guard(now), "requester")
    assert (
        "its requester was not told 'Permintaan ditolak: restore simpel': the channel did not answer" == alarm.message
    )
    assert 1 == len(alarms(scene.guard(now + timedelta(days=13)), "requester"))
    assert [] == alarms(scene.guard(now + timedelta(days=15)), "requester")
    undelivered(scene, "Permintaan ditutup: restore simpel", delivered=True)
    assert [] == alarms(scene.guard(now), "requester")


def test_a_requester_who_acknowledges_was_told(office: SmallOffice, scene: Scene) -> None:
    """By whomever. What could not be delivered to others is nothing that he lacks."""
    undelivered(scene, "Proses gagal", recipient="kantor")
    assert [] == alarms(scene.guard(), "requester")
    undelivered(scene, "Status permintaan restore simpel: Berhasil")
    assert 1 == len(alarms(scene.guard(), "requester"))
    office.decide("restore.8", scene.procedure_id, REQUESTER, "sesuai")
    assert [] == alarms(scene.guard(), "requester")


def test_approvals_that_ran_out_are_recorded_once(office: SmallOffice, scene: Scene) -> None:
    """Prefect gets no timeout. Asking again is the flow's, when somebody resumes it."""
    question = question_of(scene.installation, scene.procedure_id, "restore.8")
    asked = ask(scene.installation.catalog, question, lifetime=timedelta(days=2))
    assert [] == scene.guard().actions
    later = datetime.now(UTC) + timedelta(days=3)
    (action,) = scene.guard(later).actions
    assert ("guard.approval_expired", asked.id) == (action.kind, action.facts["request_id"])
    assert [] == scene.guard(later).actions
    assert {"approval.expired"} <= set(scene.kinds("approval."))


def tamper(scene: Scene, statement: Executable) -> None:
    """Change the ledger as somebody does who owns the database."""
    with scene.installation.catalog.begin() as connection:
        for action in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER ledger_no_{action}")
        connection.execute(statement)


def test_a_ledger_that_was_changed_after_its_last_head_is_told(scene: Scene) -> None:
    """And one whose end was cut off; a round does not read all of it."""
    assert [] == alarms(scene.guard(), "ledger")
    with scene.installation.catalog.read() as connection:
        last = ledger.head(connection).sequence
    table = schema.ledger
    tamper(scene, update(table).where(table.c.sequence == last).values(kind="other"))
    (alarm,) = alarms(scene.guard(), "ledger")
    assert f"entry {last} was changed: its content does not give its hash" == alarm.message
    assert "pulih ledger verify" in alarm.mend


def test_a_ledger_that_is_shorter_than_its_head_is_told(scene: Scene) -> None:
    """Cut off, or put back from an old copy of the catalog."""
    tamper(scene, delete(schema.ledger).where(schema.ledger.c.sequence > 3))
    (alarm,) = alarms(scene.guard(), "ledger")
    assert alarm.message.endswith("was signed into a store but is missing")


def test_a_store_without_any_head_is_told(office: SmallOffice, scene: Scene) -> None:
    """Somebody removed them: then nothing outside of the catalog vouches for it."""
    for path in (office.root / "store" / "buku-besar").iterdir():
        path.unlink()
    (alarm,) = alarms(scene.guard(), "ledger")
    assert "procedures were closed, but no store holds a signed head" == alarm.message


def test_an_office_in_order_has_nothing_to_do_and_no_alarm(scene: Scene) -> None:
    """Also with a restore that waits for its executor, and its copies."""
    report = scene.guard()
    assert {"busy": "", "actions": [], "alarms": []} == report.to_json()
    with scene.installation.catalog.read() as connection:
        assert [scene.procedure_id] == [each.id for each in procedures.list_open(connection)]
    assert 2 == len(scene.copies()) == len(COMPONENTS)
