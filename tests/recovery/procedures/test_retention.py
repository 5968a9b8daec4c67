"""Destroying sets: the plan, the approval, what is looked at once more, and what is left on record."""

import json
import shutil
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from flows.outcome import nothing_to_decide
from recovery import points
from recovery.errors import ApprovalError, LeaseHeldError, ProcedureError, StoreError
from recovery.procedures.questions import question_of
from recovery.procedures.retention import NotOpened, begin_retention, conclude_retention, destroy, draw_up_record
from recovery.procedures.working import hold_set
from recovery.records import backups, destructions, drills, forms, holds, ledger, procedures, schema
from recovery.records.backups import Backup
from recovery.records.drills import Drilled
from recovery.retention_destruction import alone, approved_plan, carry_out
from recovery.retention_plan import draw_up
from recovery.retention_records import stored_sets
from recovery.settings import RetentionSettings, StoreSettings
from tests.testbed.old_backups import old_backup, set_directory
from tests.testbed.small_office import KABID, KADIS, REQUESTER, SmallOffice

# Nothing here looks at the service.
WITHOUT_SERVICE = True

NOTHING = NotOpened("nothing", "Tidak ada cadangan yang perlu dimusnahkan.")
SHORT = RetentionSettings(verified=2, daily=0, weekly=0, monthly=0, yearly=0)


def spoil(office: SmallOffice, backup: Backup, store: str = "utama") -> None:
    """Write zeros over the data of one copy, as many as it has bytes; all else of the set stays as it is."""
    data = set_directory(office, backup, store) / "data.sqlite.zst.age"
    size = data.stat().st_size
    data.chmod(0o600)
    data.write_bytes(bytes(size))


def add_offsite_store(office: SmallOffice) -> None:
    """A second store, of which no schedule knows yet."""
    offsite = office.root / "terpisah"
    offsite.mkdir()
    office.installation.stores["terpisah"] = StoreSettings(name="terpisah", path=str(offsite))


def shorten(office: SmallOffice, **fields: Any) -> None:
    """Let the schedule promise little: ten days, and two verified sets."""
    schedule = office.installation.schedules["bulanan"]
    changed = {"retention_days": 10, "retention": SHORT, **fields}
    office.installation.schedules["bulanan"] = schedule.model_copy(update=changed)


def taken(office: SmallOffice, count: int = 5, **fields: Any) -> list[Backup]:
    """Backups of a week apart, oldest first; the newest is of this hour. All but two are past their retention."""
    now = datetime.now(UTC)
    return [old_backup(office, now - timedelta(weeks=count - number), **fields) for number in range(1, count + 1)]


def begin(office: SmallOffice) -> str:
    procedure_id = str(uuid.uuid4())
    assert begin_retention(office.installation, procedure_id) is None
    draw_up_record(office.installation, procedure_id)
    return procedure_id


def run(office: SmallOffice, decision: str = "disetujui", note: str = "") -> str:
    """The whole procedure."""
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, decision, note=note)
    destroy(office.installation, procedure_id)
    conclude_retention(office.installation, procedure_id)
    return procedure_id


def states(office: SmallOffice) -> list[str]:
    with office.installation.catalog.read() as connection:
        return [each.state for each in backups.list_backups(connection)]


def became(office: SmallOffice, procedure_id: str) -> dict[str, tuple[str, str]]:
    with office.installation.catalog.read() as connection:
        return {
            id: (each.state, each.detail) for id, each in destructions.of_procedure(connection, procedure_id).items()
        }


def kinds(office: SmallOffice, procedure_id: str) -> list[str]:
    with office.installation.catalog.read() as connection:
        return [each.kind for each in ledger.entries(connection, procedure_id=procedure_id, last=100)]


def test_what_is_past_its_retention_is_destroyed_once_the_kabid_agrees(office: SmallOffice) -> None:
    """Nothing before it; then everywhere, on record set by set, and on the final version of the Berita Acara."""
    add_offsite_store(office)
    shorten(office, offsite_store="terpisah")
    made = taken(office)
    procedure_id = begin(office)
    assert ["secured"] * 5 == states(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    assert all(set_directory(office, each, store).exists() for each in made for store in ("utama", "terpisah"))
    destroy(office.installation, procedure_id)
    conclusion = conclude_retention(office.installation, procedure_id)

    assert ["destroyed", "destroyed", "destroyed", "secured", "secured"] == states(office)
    for store in ("utama", "terpisah"):
        opened = office.installation.store(store)
        left = {info.key.split("/")[2] for info in opened.list("bkd/")}
        assert {each.name for each in made[3:]} == left
    with office.installation.catalog.read() as connection:
        first, final = forms.list_forms(connection, procedure_id)
        assert [] == ledger.verify(connection)
    assert conclusion.good
    assert f"3 cadangan dimusnahkan, 0 dilewati, 0 belum selesai. Berita acara {final.number} versi 2." == (
        conclusion.sentence
    )
    assert (first.number, 1, 2) == (final.number, first.version, final.version)
    assert "/BAP/KOMINFO/" in final.number
    assert "USULAN" in json.dumps(first.facts)
    assert "DIMUSNAHKAN" in json.dumps(final.facts["sections"][2]["blocks"][0])
    expected = ["backup.destruction_begun", "backup.destroyed"] * 3
    assert expected == [kind for kind in kinds(office, procedure_id) if kind.startswith("backup.")]
    with office.installation.catalog.read() as connection:
        entries = ledger.entries(connection, procedure_id=procedure_id, kind="backup.destroyed")
    assert [each.manifest_sha256 for each in made[:3]] == [entry.facts["manifest_sha256"] for entry in entries]

    again = begin_retention(office.installation, str(uuid.uuid4()))
    assert NOTHING == again
    # A run that is retried after its end finds everything done.
    destroy(office.installation, procedure_id)
    assert conclusion == conclude_retention(office.installation, procedure_id)


def test_the_dry_run_is_what_is_recorded_and_carried_out(office: SmallOffice) -> None:
    """The same function, the same hash; and it changes nothing."""
    shorten(office)
    taken(office)
    now = datetime.now(UTC)
    dry = draw_up(office.installation, now)
    assert dry == draw_up(office.installation, now)
    assert ["secured"] * 5 == states(office)
    procedure_id = str(uuid.uuid4())
    assert begin_retention(office.installation, procedure_id, now=now) is None
    with office.installation.catalog.read() as connection:
        parameters = procedures.get(connection, procedure_id).parameters
    assert (dry.document, dry.sha256) == (parameters["plan"], parameters["plan_sha256"])
    draw_up_record(office.installation, procedure_id)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(office.installation, procedure_id)
    done = {id for id, (state, _detail) in became(office, procedure_id).items() if state == "destroyed"}
    assert {each["backup_id"] for each in dry.document["destroy"]} == done


def test_a_rejection_destroys_nothing_and_says_why(office: SmallOffice) -> None:
    """And so does silence: a newer plan takes the place of one that nobody answered."""
    shorten(office)
    taken(office)
    unanswered = begin(office)
    rejected = run(office, "ditolak", note="Masih diperlukan audit")
    assert ["secured"] * 5 == states(office)
    with office.installation.catalog.read() as connection:
        outcomes = [procedures.get(connection, id).outcome for id in (unanswered, rejected)]
        final = forms.latest(connection, "destruction", rejected)
    assert ["diganti", "ditolak"] == outcomes
    assert final is not None
    assert "DITOLAK – TIDAK ADA YANG DIMUSNAHKAN" in json.dumps(final.facts, ensure_ascii=False)
    assert "Masih diperlukan audit" in json.dumps(final.facts)
    with pytest.raises(ProcedureError, match="is closed"):
        draw_up_record_of_a_superseded_run(office)
    # The late answer to the plan that was replaced counts for nothing.
    office.decide("retention.approve", unanswered, KABID, "disetujui")
    destroy(office.installation, unanswered)
    assert "Keputusan ini tidak dipakai: rencana pemusnahan yang lebih baru sudah disusun." == (
        conclude_retention(office.installation, unanswered).sentence
    )
    assert ["secured"] * 5 == states(office)


def draw_up_record_of_a_superseded_run(office: SmallOffice) -> None:
    first = str(uuid.uuid4())
    begin_retention(office.installation, first)
    begin_retention(office.installation, str(uuid.uuid4()))
    draw_up_record(office.installation, first)


def test_only_the_kabid_decides_and_never_on_backups_of_his_own(office: SmallOffice) -> None:
    """The executor of the schedules is kept out; the answer is bound to plan and document."""
    shorten(office)
    taken(office)
    procedure_id = begin(office)
    question = question_of(office.installation, procedure_id, "retention.approve")
    assert ("kabid",) == question.roles
    executor = office.installation.schedules["bulanan"].executor
    assert {executor: "Pelaksana tidak boleh menyetujui pemusnahan cadangan yang dibuatnya."} == question.excluded
    assert {"plan_sha256", "form_number", "form_version", "form_sha256"} == question.binding.keys()
    shown = {part["judul"]: part["baris"] for part in question.document["bagian"]}
    assert 3 == len(shown["Cadangan yang akan dimusnahkan"])
    assert (
        "5 terverifikasi, dimusnahkan 3, tetap ada 2 (ketentuan: paling sedikit 2)"
        == (shown["Yang tetap disimpan"][0][1])
    )


def test_who_executed_a_schedule_that_left_the_inventory_decides_no_more_than_who_executes_it_now(
    office: SmallOffice,
) -> None:
    """Who took the sets stays the one who took them: after a schedule was handed over, and after it was removed."""
    shorten(office)
    now = datetime.now(UTC)
    schedule = office.installation.schedules["bulanan"]
    former = schedule.model_copy(update={"name": "dahulu", "executor": KADIS})
    for weeks in (5, 4, 3, 2):
        old_backup(office, now - timedelta(weeks=weeks), schedule=former if weeks == 5 else schedule)
    old_backup(office, now - timedelta(minutes=1))
    shorten(office, executor=REQUESTER)
    procedure_id = begin(office)
    with office.installation.catalog.read() as connection:
        plan = procedures.get(connection, procedure_id).parameters["plan"]
    assert ["dahulu", "bulanan", "bulanan"] == [each["schedule"] for each in plan["destroy"]]
    excluded = question_of(office.installation, procedure_id, "retention.approve").excluded
    assert {KADIS, schedule.executor, REQUESTER} == excluded.keys()


def test_a_long_list_is_cut_in_the_dialogue_and_whole_on_the_document(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document is named in its place."""
    monkeypatch.setattr("recovery.procedures.retention_question.LONGEST_LIST", 2)
    shorten(office)
    taken(office)
    procedure_id = begin(office)
    (section,) = question_of(office.installation, procedure_id, "retention.approve").document["bagian"][2:]
    assert 3 == len(section["baris"])
    assert section["baris"][2][1].startswith("1 cadangan lain: daftar lengkap pada 001/BAP/")
    with office.installation.catalog.read() as connection:
        form = forms.latest(connection, "destruction", procedure_id)
    assert form is not None
    assert 3 == len(form.facts["sections"][2]["blocks"])


def test_a_plan_that_was_changed_after_its_approval_destroys_nothing(office: SmallOffice) -> None:
    """The approval is bound to the recorded plan's hash."""
    shorten(office)
    taken(office)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    with office.installation.catalog.begin() as connection:
        parameters = procedures.get(connection, procedure_id).parameters
        parameters["plan"]["destroy"].pop()
        table = schema.procedures
        connection.execute(
            update(table).where(table.c.id == procedure_id).values(parameters=json.dumps(parameters, sort_keys=True))
        )
    with pytest.raises(ApprovalError, match="the decision is about another request, backup or target"):
        destroy(office.installation, procedure_id)
    assert ["secured"] * 5 == states(office)


def test_an_approval_that_is_too_old_destroys_nothing(office: SmallOffice) -> None:
    """Its lifetime is that of every approval."""
    shorten(office)
    taken(office)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    with pytest.raises(ApprovalError, match="it was valid until"):
        destroy(office.installation, procedure_id, now=datetime.now(UTC) + timedelta(days=15))
    assert ["secured"] * 5 == states(office)


def hold_it(office: SmallOffice, made: list[Backup]) -> None:
    with office.installation.catalog.begin() as connection:
        holds.add(connection, application="simpel", backup_id=made[0].id, reason="Perkara 7")


def restore_it(office: SmallOffice, made: list[Backup]) -> None:
    procedures.open_procedure(
        office.installation.catalog, "r", "restore", application="simpel", parameters={}, release="0"
    )


def change_it(office: SmallOffice, made: list[Backup]) -> None:
    (set_directory(office, made[0]) / "tambahan").write_bytes(b"x")


def promise_more(office: SmallOffice, made: list[Backup]) -> None:
    shorten(office, retention=SHORT.model_copy(update={"verified": 5}))


def promise_periods(office: SmallOffice, made: list[Backup]) -> None:
    shorten(office, retention=SHORT.model_copy(update={"weekly": 9, "daily": 9}))


def lose_the_newest(office: SmallOffice, made: list[Backup]) -> None:
    shutil.rmtree(set_directory(office, made[-1]))
    for each in made[-3:-1]:
        spoil(office, each)


def remove_the_store(office: SmallOffice, made: list[Backup]) -> None:
    Path(office.installation.stores["utama"].path).rename(office.root / "weg")


CHANGES = {
    hold_it: "ditahan (penahanan hukum)",
    restore_it: "aplikasinya sedang dalam proses restore",
    change_it: "isi cadangan di penyimpanan bukan lagi seperti saat disetujui",
    promise_more: "kini termasuk cadangan terverifikasi terbaru yang selalu tinggal",
    promise_periods: "kini cadangan harian yang tinggal; kini cadangan mingguan yang tinggal",
    lose_the_newest: "kini termasuk cadangan terverifikasi terbaru yang selalu tinggal",
    remove_the_store: "penyimpanan tidak dapat diperiksa: the directory",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_changed_since_the_approval_is_skipped_and_said_so(office: SmallOffice, change: Any) -> None:
    """Each set is looked at right before its removal."""
    shorten(office)
    made = taken(office)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    change(office, made)
    if change is remove_the_store:
        # The form cannot be put into the store either: that is retried when it is back.
        with pytest.raises(StoreError):
            destroy(office.installation, procedure_id)
    else:
        destroy(office.installation, procedure_id)
    state, detail = became(office, procedure_id)[made[0].id]
    assert "skipped" == state
    assert detail.startswith(CHANGES[change])
    assert "secured" == states(office)[0]
    if change is not remove_the_store:
        assert (set_directory(office, made[0]) / "manifest.json.sig").exists()
        with office.installation.catalog.read() as connection:
            final = forms.latest(connection, "destruction", procedure_id)
        assert final is not None
        assert "SELESAI SEBAGIAN" in json.dumps(final.facts)
        assert f"TIDAK DIMUSNAHKAN – {CHANGES[change]}" in json.dumps(final.facts, ensure_ascii=False)
        sentence = conclude_retention(office.installation, procedure_id).sentence
        assert "dilewati, 0 belum selesai" in sentence


def test_a_set_that_is_being_read_is_skipped(office: SmallOffice) -> None:
    """By whoever holds its lease: a drill, a synchronisation."""
    shorten(office)
    made = taken(office)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    with hold_set(office.installation, made[0].id, "drill", "read it"):
        destroy(office.installation, procedure_id)
    assert ("skipped", "sedang dibaca atau disalin oleh proses lain") == became(office, procedure_id)[made[0].id]
    assert ["secured", "destroyed", "destroyed", "secured", "secured"] == states(office)


class DiedError(BaseException):
    """Stands for the death of a process."""


def test_what_was_begun_is_ended_by_the_same_run_unless_somebody_reads_it(office: SmallOffice) -> None:
    """It died right after it had given the first set up: nobody is offered that any more, and the retry removes it."""
    shorten(office)
    made = taken(office)
    old_backup(office, datetime.now(UTC), component="berkas")
    with office.installation.catalog.read() as connection:
        found = stored_sets(connection, office.installation, component="simpel/data")
    assert [each.id for each in made] == [each.id for each in found], "of that component alone"
    procedure_id = begin(office)
    assert begin_retention(office.installation, procedure_id) is None, "a run that comes again goes on"
    with pytest.raises(ProcedureError, match="is not decided; it stays open") as caught:
        conclude_retention(office.installation, procedure_id)
    assert "answer the suspended run" == caught.value.hint
    office.decide("retention.approve", procedure_id, KABID, "disetujui")

    def die(name: str) -> None:
        if name == "retention: begun":
            raise DiedError

    with points.observe(die), pytest.raises(DiedError):
        destroy(office.installation, procedure_id)
    with office.installation.catalog.begin() as connection:
        connection.execute(update(schema.backups).where(schema.backups.c.id == made[1].id).values(manifest_sha256="x"))
    with hold_set(office.installation, made[0].id, "reader", "read it"):
        carry_out(office.installation, procedure_id)
        assert "begun" == became(office, procedure_id)[made[0].id][0]
        assert (set_directory(office, made[0]) / "manifest.json.sig").exists()
    destroy(office.installation, procedure_id)
    assert ["destroyed", "skipped", "destroyed"] == [became(office, procedure_id)[each.id][0] for each in made[:3]]
    otherwise = "keadaannya bukan lagi seperti saat disetujui (secured)"
    assert otherwise == became(office, procedure_id)[made[1].id][1]
    assert not set_directory(office, made[0]).exists()
    conclude_retention(office.installation, procedure_id)
    with (
        office.installation.catalog.read() as connection,
        pytest.raises(ProcedureError, match=r"is closed \(berhasil\); nothing more was destroyed"),
    ):
        approved_plan(connection, office.installation, procedure_id)


def test_a_second_run_leaves_the_first_alone(office: SmallOffice) -> None:
    """One plan at a time is drawn up or carried out; the other ends at once and says so."""
    shorten(office)
    taken(office)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    with alone(office.installation, "another"):
        busy = begin_retention(office.installation, str(uuid.uuid4()))
        with pytest.raises(LeaseHeldError):
            destroy(office.installation, procedure_id)
    assert busy is not None
    assert "busy" == busy.why
    assert busy.sentence.startswith("Pemusnahan lain sedang berjalan: eksekusi another, sejak ")
    assert busy.sentence.endswith(" WIB. Eksekusi ini tidak menyusun dan tidak memusnahkan apa pun.")
    state = nothing_to_decide(busy)
    assert ("COMPLETED", "Dilewati", busy.sentence) == (state.type.value, state.name, state.message)
    with alone(office.installation, procedure_id):
        busy = begin_retention(office.installation, str(uuid.uuid4()))
    assert busy is not None
    with office.installation.catalog.read() as connection:
        (drawn_up,) = forms.list_forms(connection, procedure_id)
    named = f"Pemusnahan lain sedang berjalan: berita acara {drawn_up.number} (eksekusi {procedure_id}), sejak "
    assert busy.sentence.startswith(named)
    assert ["secured"] * 5 == states(office)


def test_a_clock_that_is_not_believed_stops_everything_loudly(office: SmallOffice) -> None:
    """Before an approval the run fails; after it every set is skipped."""
    shorten(office)
    made = taken(office)
    earlier = datetime.now(UTC) - timedelta(days=2)
    with pytest.raises(ProcedureError, match="nothing is destroyed by this clock") as caught:
        begin_retention(office.installation, str(uuid.uuid4()), now=earlier)
    assert "every set is as it was" == caught.value.state
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(office.installation, procedure_id, now=earlier)
    assert ("skipped", "jam server tidak dapat dipercaya") == became(office, procedure_id)[made[0].id]
    assert ["secured"] * 5 == states(office)


def test_an_application_that_was_renamed_keeps_its_sets_under_their_own_policy(office: SmallOffice) -> None:
    """They are no orphans: what was promised holds, and nothing new makes them older."""
    shorten(office)
    old = taken(office, application="lama")
    shorten(office, name="mingguan")
    weekly = office.installation.schedules.pop("bulanan")
    office.installation.schedules["mingguan"] = weekly
    taken(office, schedule=weekly)
    run(office)
    with office.installation.catalog.read() as connection:
        left = [each for each in backups.list_backups(connection, "lama") if each.state == "secured"]
    # The first three were replaced before the rename; the others wait for ever.
    assert [each.id for each in old[3:]] == [each.id for each in left]
    assert NOTHING == begin_retention(office.installation, str(uuid.uuid4()))


def test_sets_without_a_recorded_policy_are_never_destroyed(office: SmallOffice) -> None:
    """Whatever came of their records."""
    shorten(office)
    made = taken(office)
    with office.installation.catalog.begin() as connection:
        connection.execute(
            update(schema.procedures).where(schema.procedures.c.id == made[0].procedure_id).values(parameters="{}")
        )
    run(office)
    assert ["secured", "destroyed", "destroyed", "secured", "secured"] == states(office)


def test_sets_of_an_earlier_release_have_the_default_promises(office: SmallOffice) -> None:
    """It recorded the minimum age and no periods."""
    shorten(office)
    made = taken(office)
    with office.installation.catalog.begin() as connection:
        for each in made:
            parameters = procedures.get(connection, each.procedure_id).parameters
            del parameters["schedule"]["retention"]
            table = schema.procedures
            connection.execute(
                update(table).where(table.c.id == each.procedure_id).values(parameters=json.dumps(parameters))
            )
    assert NOTHING == begin_retention(office.installation, str(uuid.uuid4()))


def test_copies_that_are_gone_do_not_count_and_keep_older_ones(office: SmallOffice) -> None:
    """A thief, or a store that lies: what is not there cannot be one of the sets that always stay."""
    shorten(office)
    made = taken(office)
    shutil.rmtree(set_directory(office, made[-1]))
    drawn_up = draw_up(office.installation, datetime.now(UTC))
    kept = {each.set.id for each in drawn_up.plan.sets if "verified" in each.reasons}
    assert {made[3].id, made[2].id} == kept
    (fault,) = drawn_up.document["faults"]
    assert made[-1].id == fault["backup_id"]
    assert "the copy in utama is bad: the set bkd/simpel/" in fault["fault"]


def test_copies_that_were_spoilt_do_not_count_and_keep_older_ones(office: SmallOffice) -> None:
    """Signature, manifest and every size are as they were: only who reads all of a copy finds it, in either store."""
    add_offsite_store(office)
    shorten(office, offsite_store="terpisah")
    made = taken(office)
    spoil(office, made[-1])
    spoil(office, made[-2], "terpisah")
    procedure_id = run(office)
    with office.installation.catalog.read() as connection:
        plan = procedures.get(connection, procedure_id).parameters["plan"]
    assert {
        made[-1].id: "the copy in utama is bad: ",
        made[-2].id: "the copy in terpisah is bad: ",
    } == {each["backup_id"]: each["fault"].partition("bkd/")[0] for each in plan["faults"]}
    assert all(each["fault"].endswith("does not have the SHA-256 of the manifest") for each in plan["faults"])
    assert ["destroyed", "secured", "secured", "secured", "secured"] == states(office)


def test_that_a_set_which_goes_was_spoilt_stands_on_the_document(office: SmallOffice) -> None:
    """Whoever approves it reads what the reason is; a whole one that is older stays in its place."""
    shorten(office, retention_days=5)
    made = taken(office)
    spoil(office, made[-2])
    procedure_id = begin(office)
    document = json.dumps(question_of(office.installation, procedure_id, "retention.approve").document)
    assert 1 == document.count("; rusak: the copy in utama is bad: ")
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    destroy(office.installation, procedure_id)
    assert ["destroyed", "destroyed", "secured", "destroyed", "secured"] == states(office)


def test_a_set_whose_drill_failed_does_not_count(office: SmallOffice) -> None:
    """Until a newer drill of that copy passes: one that could not look, and one of another copy, say nothing of it."""
    add_offsite_store(office)
    shorten(office, offsite_store="terpisah")
    made = taken(office)
    drilled = Drilled(
        backup_id=made[-1].id,
        name=str(made[-1].name),
        store="terpisah",
        manifest_sha256=made[-1].manifest_sha256,
        verdict="fail",
        error="pegawai: rows",
        counts={},
        objects=0,
        rows=0,
        begun_at=made[-1].moment,
        ended_at=made[-1].moment,
        component="simpel/data",
        procedure_id="d",
    )
    for store, verdict, expected in (
        ("terpisah", "error", 3),
        ("terpisah", "fail", 2),
        ("terpisah", "error", 2),
        ("utama", "pass", 2),
        ("terpisah", "pass", 3),
    ):
        with office.installation.catalog.begin() as connection:
            drills.record(connection, replace(drilled, store=store, verdict=verdict))
        document = draw_up(office.installation, datetime.now(UTC)).document
        assert expected == len(document["destroy"]), (store, verdict)
        faults = [each["fault"] for each in document["faults"]]
        assert (["the drill of its copy in terpisah failed: pegawai: rows"] if expected == 2 else []) == faults


def test_a_store_that_cannot_be_looked_at_stops_the_plan(office: SmallOffice) -> None:
    """Nobody knows then what is left."""
    shorten(office)
    made = taken(office)
    remove_the_store(office, made)
    with pytest.raises(StoreError, match="is not there"):
        begin_retention(office.installation, str(uuid.uuid4()))


def test_a_store_that_the_inventory_names_no_more_keeps_its_sets(office: SmallOffice) -> None:
    """Nobody can remove them there, and nobody can say that they are well."""
    shorten(office)
    taken(office, 4)
    store = office.installation.stores.pop("utama")
    office.installation.stores["baru"] = store.model_copy(update={"name": "baru"})
    drawn_up = draw_up(office.installation, datetime.now(UTC))
    assert [] == drawn_up.document["destroy"]


def test_locked_sets_wait(office: SmallOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stand on the document, and go when the lock has ended."""
    from recovery.stores.directory import DirectoryStore

    shorten(office)
    made = taken(office)
    locked = str(made[0].name)
    free = DirectoryStore.removable
    monkeypatch.setattr(
        DirectoryStore,
        "removable",
        lambda store, key: "locked until 2027-01-01" if locked in key else free(store, key),
    )
    procedure_id = run(office)
    assert ["secured", "destroyed", "destroyed", "secured", "secured"] == states(office)
    with office.installation.catalog.read() as connection:
        final = forms.latest(connection, "destruction", procedure_id)
    assert final is not None
    assert "Menunggu: utama: locked until 2027-01-01" in json.dumps(final.facts)
    settled = begin_retention(office.installation, str(uuid.uuid4()))
    assert NotOpened("nothing", "Tidak ada cadangan yang perlu dimusnahkan; 1 menunggu kunci berakhir.") == settled
    monkeypatch.undo()
    run(office)
    assert "destroyed" == states(office)[0]


def test_a_lock_that_appears_after_the_approval_is_respected(
    office: SmallOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is asked right before."""
    from recovery.stores.directory import DirectoryStore

    shorten(office)
    made = taken(office)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    monkeypatch.setattr(DirectoryStore, "removable", lambda store, key: "locked until 2027-01-01")
    destroy(office.installation, procedure_id)
    assert ("skipped", "terkunci: utama: locked until 2027-01-01") == became(office, procedure_id)[made[0].id]


def test_what_a_store_refuses_stays_begun_and_the_next_run_ends_it(office: SmallOffice) -> None:
    """From the first moment nothing offers the set any more; an immutable directory stands for a store that refuses."""
    shorten(office)
    made = taken(office, 4)
    procedure_id = begin(office)
    office.decide("retention.approve", procedure_id, KABID, "disetujui")
    directory = set_directory(office, made[0])
    put_back = directory / "data.sqlite.zst.age"

    def put_something_back(point: str) -> None:
        if point == "retention: object removed" and not put_back.exists() and directory.exists():
            put_back.write_bytes(b"somebody puts it there again")

    with points.observe(put_something_back):
        destroy(office.installation, procedure_id)
    state, detail = became(office, procedure_id)[made[0].id]
    assert "begun" == state
    assert "is still there, or was put there since" in detail
    assert "destroyed" == states(office)[0]
    conclusion = conclude_retention(office.installation, procedure_id)
    assert not conclusion.good
    assert "1 belum selesai" in conclusion.sentence
    with office.installation.catalog.read() as connection:
        final = forms.latest(connection, "destruction", procedure_id)
    assert final is not None
    assert "BELUM SELESAI, dilanjutkan pada pelaksanaan berikutnya" in json.dumps(final.facts)
    with hold_set(office.installation, made[0].id, "reader", "read it"):
        unfinished = begin_retention(office.installation, str(uuid.uuid4()))
        assert unfinished is not None
        assert "unfinished" == unfinished.why
        assert (
            "1 cadangan yang pemusnahannya sudah disetujui dan dimulai belum musnah seluruhnya: berita acara "
            f"{final.number} (eksekusi {procedure_id}). Selain itu tidak ada cadangan yang perlu dimusnahkan."
        ) == unfinished.sentence
        state = nothing_to_decide(unfinished)
        assert ("FAILED", "Gagal", unfinished.sentence) == (state.type.value, state.name, state.message)
    assert NOTHING == begin_retention(office.installation, str(uuid.uuid4()))
    assert "destroyed" == became(office, procedure_id)[made[0].id][0]
    assert not put_back.exists()
