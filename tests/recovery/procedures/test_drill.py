"""Gladi restore: copies are taken out of the stores in turn and proven; verdicts, form, alarms, and nothing touched."""

import json
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from recovery import points
from recovery.conformance import judge_procedure
from recovery.crypto import generate_identity
from recovery.errors import ConfigurationError, NotFoundError, ProcedureError
from recovery.guard.drills import settle_drills
from recovery.guard.proofs import proof_alarms
from recovery.guard.report import Report
from recovery.guard.rounds import make_round
from recovery.procedures.application_page import application_page
from recovery.procedures.drill import LONGEST_UNPROVEN, begin_drill, prove
from recovery.procedures.drill_conclude import conclude_drill, report
from recovery.records import (
    destructions,
    drills,
    forms,
    leases,
    ledger,
    ledger_heads,
    notices,
    officials,
    procedures,
    schema,
)
from recovery.records.backups import Backup
from recovery.records.drills import Drilled
from recovery.settings import DrillSettings, OfficialSettings
from recovery.standing import overview
from tests.recovery.killed_work import Work, assert_survives, expire_leases, recall, remember
from tests.testbed.old_backups import old_backup
from tests.testbed.small_office import KABID, SmallOffice, attach, open_office
from tests.testbed.two_stores import MAIN, OFFSITE, add_offsite_store, backup_of, down, flip, objects, part_of

pytestmark = pytest.mark.slow

DATA, FILES = "simpel/data", "simpel/berkas"


def build(root: Path) -> SmallOffice:
    """An office with two stores and one backup of both components."""
    office = open_office(root, running=False)
    add_offsite_store(office)
    office.back_up("first")
    office.installation.catalog.dispose()
    return office


class DiedError(BaseException):
    """Stands for the death of a process."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That office, remembered."""
    root = tmp_path_factory.mktemp("drill") / "office"
    build(root)
    remember(root)
    return root


@pytest.fixture
def office(built: Path) -> Iterator[SmallOffice]:
    """That office, as this test's own."""
    recall(built)
    found = attach(built)
    yield found
    found.installation.catalog.dispose()


def drill(office: SmallOffice, procedure_id: str = "", **given: Any) -> dict[str, Drilled]:
    """A whole drill without Prefect; what came of each component."""
    opened = begin_drill(office.installation, procedure_id or str(uuid.uuid4()), **given)
    for key in opened["components"]:
        prove(office.installation, opened["id"], key)
    report(office.installation, opened["id"])
    conclude_drill(office.installation, opened["id"])
    with office.installation.catalog.read() as connection:
        return drills.of_procedure(connection, opened["id"])


def alarms(office: SmallOffice, days: float = 0) -> set[tuple[str, str]]:
    """Kinds and subjects of the alarms about drills, so many days from now."""
    found = proof_alarms(office.installation, datetime.now(UTC) + timedelta(days=days))
    return {(alarm.kind, alarm.subject) for alarm in found if alarm.kind.startswith("drill")}


def judge(office: SmallOffice, store: str, verdict: str, days: float = 0, *, backup: Backup | None = None) -> Drilled:
    """Let a drill of a backup (the first one's database) be on record, so many days from now, without the seconds that
    it takes."""
    made = backup or backup_of(office, "first")
    now = schema.timestamp(datetime.now(UTC) + timedelta(days=days))
    error = "" if verdict == "pass" else "pegawai: rows"
    drilled = Drilled(made.id, str(made.name), store, made.manifest_sha256, verdict, error, {}, 0, 0, now, now, DATA)
    with office.installation.catalog.begin() as connection:
        drills.record(connection, drilled)
    return drilled


def facts_of(office: SmallOffice, procedure_id: str) -> str:
    with office.installation.catalog.read() as connection:
        (form,) = forms.list_forms(connection, procedure_id)
    assert Path(form.path).read_bytes().startswith(b"%PDF")
    return json.dumps(form.facts, ensure_ascii=False)


def strays(office: SmallOffice) -> list[Path]:
    found = [path for kind in ("scratch", "staging") for path in (office.root / "state" / kind).rglob("*")]
    return [path for path in found if not path.is_dir()]


def test_a_drill_proves_every_component_and_leaves_its_evidence(office: SmallOffice) -> None:
    """Verdicts in the ledger, a form in both stores, a closed procedure; the page, status and conformance show it."""
    live, stored = (office.rows(), office.files()), objects(office.root / "store")
    found = drill(office, "one", schedule_name="bulanan")
    assert {DATA: "pass", FILES: "pass"} == {key: each.verdict for key, each in found.items()}
    assert {MAIN} == {each.store for each in found.values()}
    assert (200, 1) == (found[DATA].rows, found[DATA].objects)
    assert live == (office.rows(), office.files())
    assert [] == strays(office)
    text = facts_of(office, "one")
    assert "2 dari 2 komponen LULUS" in text and "Berita Acara Gladi Restore" in text
    assert "001/BAG/KOMINFO/" in text and "belum pernah" in text
    assert stored.items() <= objects(office.root / "store").items()
    assert objects(office.root / "store") == objects(office.root / "store-terpisah")
    installation = office.installation
    with installation.catalog.read() as connection:
        procedure = procedures.get(connection, "one")
        heads = ledger_heads.read_heads(installation.store(OFFSITE), installation.signer.public_pem)
        assert [] == ledger.verify(connection, heads)
        assert [] == leases.list_leases(connection)
        assert [] == notices.list_notices(connection, "one")
    assert ("closed", "berhasil") == (procedure.state, procedure.outcome)
    page = application_page(installation, "simpel", lambda run: f"http://prefect/{run}")
    assert 2 == page.count("**Gladi restore terakhir:** ✅ LULUS")
    assert ["pass"] * 2 == [each.drill for each in overview(installation, datetime.now(UTC)).components]
    assert ["pass"] * 2 == [each["verdict"] for each in judge_procedure(installation, "first").drills]
    with pytest.raises(ProcedureError, match="is no procedure of the SOP but a drill"):
        judge_procedure(installation, "one")
    again = prove(installation, "one", DATA)
    assert found[DATA] == again
    installation.schedules.clear()
    assert {"id": "one", "components": [DATA, FILES]} == begin_drill(installation, "one", schedule_name="bulanan")


def test_the_stores_take_turns_and_can_be_chosen(office: SmallOffice) -> None:
    """Each copy is proven some time; a store or a component can be named."""
    given: list[dict[str, Any]] = [{}, {}, {}, {"store_name": OFFSITE}, {}]
    taken = [drill(office, component=FILES, **each)[FILES].store for each in given]
    assert [MAIN, OFFSITE, MAIN, OFFSITE, MAIN] == taken


def test_what_is_not_there_cannot_be_drilled(office: SmallOffice) -> None:
    """Before anything is opened."""
    for given, error, match in (
        ({"component": "simpel/lain"}, NotFoundError, "no component of simpel named 'lain'"),
        ({"component": "lain"}, NotFoundError, "no application named 'lain'"),
        ({"store_name": "awan"}, NotFoundError, "no store named 'awan'"),
        ({"schedule_name": "harian"}, NotFoundError, "no schedule named 'harian'"),
        ({"choice": "best"}, ConfigurationError, "'best' is no way to choose a backup"),
    ):
        with pytest.raises(error, match=match):
            begin_drill(office.installation, "one", **given)
    with office.installation.catalog.read() as connection:
        assert procedures.find(connection, "one") is None


def test_a_bad_copy_fails_and_one_that_is_not_there_to_be_read_is_an_error(office: SmallOffice) -> None:
    """The two are told apart in ledger, form, alarm and notice; the next drill of the same copy ends the alarm."""
    flip(part_of(office.root / "store", backup_of(office, "first")), 500)
    found = drill(office, "one", component=DATA)
    assert "fail" == found[DATA].verdict
    assert "GAGAL" in facts_of(office, "one") and "0 dari 1 komponen LULUS" in facts_of(office, "one")
    assert {("drill-failed", DATA)} == alarms(office)
    with office.installation.catalog.read() as connection:
        (notice,) = notices.list_notices(connection, "one")
        assert "gagal" == procedures.get(connection, "one").outcome
    assert ("Gladi restore tidak lulus", True) == (notice.subject, notice.delivered)
    assert "simpel/data: GAGAL. Berita acara 001/BAG/KOMINFO/" in (office.root / "notices.txt").read_text()
    conclude_drill(office.installation, "one")
    with office.installation.catalog.read() as connection:
        assert 1 == len(notices.list_notices(connection, "one"))
    with down(office.root / "store-terpisah"):
        found = drill(office, "two", component=DATA)
    assert ("error", OFFSITE) == (found[DATA].verdict, found[DATA].store)
    assert "TIDAK DAPAT DIPERIKSA" in facts_of(office, "two")
    assert {("drill-failed", DATA), ("drill-error", DATA)} == alarms(office)
    assert "pass" == drill(office, component=DATA, store_name=OFFSITE)[DATA].verdict
    assert {("drill-failed", DATA)} == alarms(office)
    (office.root / "keys" / "operations").rename(office.root / "keys" / "kept")
    (office.root / "keys" / "operations").write_text(generate_identity()[0])
    try:
        assert "error" == drill(office, component=FILES)[FILES].verdict
    finally:
        (office.root / "keys" / "kept").rename(office.root / "keys" / "operations")


def test_an_alarm_about_a_copy_lasts_until_that_copy_is_good_or_is_none_any_more(office: SmallOffice) -> None:
    """A drill of the other store's copy says nothing of it, nor does one that could not look."""
    both = {("drill-failed", DATA), ("drill-error", DATA)}
    failed = judge(office, OFFSITE, "fail")
    assert {("drill-failed", DATA)} == alarms(office)
    judge(office, OFFSITE, "error")
    assert both == alarms(office)
    judge(office, MAIN, "pass")
    found = {alarm.kind: alarm for alarm in proof_alarms(office.installation, datetime.now(UTC))}
    assert ("the last drill of its copy in terpisah found it bad: pegawai: rows", failed.ended_at) == (
        found["drill-failed"].message,
        found["drill-failed"].since,
    )
    again = "`pulih drill simpel/data --store terpisah` drills it"
    assert (
        f"`pulih verify` says which copy is good; take a new backup; when it lies in terpisah, {again}"
        == found["drill-failed"].mend
    )
    assert "the last drill of its copy in terpisah could not look at it: pegawai: rows" == found["drill-error"].message
    assert f"mend what kept the drill from looking; then {again}" == found["drill-error"].mend
    assert set() == alarms_while(office, state="destroyed")
    assert set() == alarms_while(office, stores=json.dumps([MAIN]))
    settings, schedule = office.installation.stores.pop(OFFSITE), office.installation.schedules["bulanan"]
    office.installation.schedules["bulanan"] = schedule.model_copy(update={"offsite_store": ""})
    assert set() == alarms(office)
    office.installation.stores[OFFSITE], office.installation.schedules["bulanan"] = settings, schedule
    assert both == alarms(office)
    judge(office, OFFSITE, "pass")
    assert set() == alarms(office)
    # The last drill of all counts wherever it looked, but not when its backup is gone.
    judge(office, "awan", "fail")
    assert {("drill-failed", DATA)} == alarms(office)
    assert set() == alarms_while(office, state="destroyed")


def alarms_while(office: SmallOffice, **recorded: str) -> set[tuple[str, str]]:
    """The alarms while the first backup's database is so recorded."""
    table = schema.backups
    changed = update(table).where(table.c.id == backup_of(office, "first").id)
    with office.installation.catalog.begin() as connection:
        connection.execute(changed.values(**recorded))
    found = alarms(office)
    with office.installation.catalog.begin() as connection:
        connection.execute(changed.values(state="secured", stores=json.dumps([MAIN, OFFSITE])))
    return found


def test_a_copy_that_was_replaced_or_judged_bad_fails(office: SmallOffice) -> None:
    """The manifest of another backup under its name; and an owner's rule that the data breaks since."""
    suite = office.root / "suite.yaml"
    suite.write_text(
        "name: pegawai\nmeta: {asset: pegawai}\nexpectations:\n"
        "- type: expect_table_row_count_to_equal\n  kwargs: {value: 1}\n"
    )
    application = office.installation.applications["simpel"]
    components = [
        part.model_copy(update={"suite": str(suite)}) if part.name == "data" else part
        for part in application.components
    ]
    office.installation.applications["simpel"] = application.model_copy(update={"components": components})
    verdicts = []
    opened = begin_drill(office.installation, "one", component=DATA)
    drilled = prove(office.installation, opened["id"], DATA, report=verdicts.append)
    assert ("fail", "pegawai") == (drilled.verdict, drilled.error.partition(":")[0])
    assert ["fail"] == [verdict.state for verdict in verdicts]
    assert [] == strays(office)
    made = backup_of(office, "first")
    folder = part_of(office.root / "store", made).parent
    (folder / "manifest.json").chmod(0o600)
    (folder / "manifest.json").write_bytes(b"{}")
    drilled = drill(office, component=DATA, store_name=MAIN)[DATA]
    assert "fail" == drilled.verdict
    assert "is not signed by this installation" in drilled.error


def test_a_copy_with_a_signature_too_large_to_be_one_fails(office: SmallOffice) -> None:
    """The checker looked, and what it found is no signature."""
    folder = part_of(office.root / "store", backup_of(office, "first")).parent
    os.truncate(folder / "manifest.json.sig", 2048)
    drilled = drill(office, component=DATA, store_name=MAIN)[DATA]
    assert "fail" == drilled.verdict
    assert "has more than the 1024 bytes that it may have" in drilled.error


def test_a_copy_that_was_destroyed_since_it_was_chosen_is_an_error(office: SmallOffice) -> None:
    """Nothing is known of a copy that nobody could look at; that retention destroyed it is no fault of it."""
    opened = begin_drill(office.installation, "one", component=DATA)
    made = backup_of(office, "first")
    procedures.open_procedure(office.installation.catalog, "approved", "retention", parameters={}, release="x")
    with office.installation.catalog.begin() as connection:
        destructions.begin(connection, "approved", made, {MAIN: [], OFFSITE: []})
    shutil.rmtree(part_of(office.root / "store", made).parent)
    drilled = prove(office.installation, opened["id"], DATA)
    assert "error" == drilled.verdict
    assert drilled.error.startswith(f"the set of {made.name} was destroyed by the procedure approved, begun at ")
    with office.installation.catalog.read() as connection:
        assert [] == leases.list_leases(connection)


def test_a_component_without_a_backup_is_an_error_and_no_alarm_of_a_drill_that_is_due(office: SmallOffice) -> None:
    """That there is no backup is an alarm of its own."""
    with office.installation.catalog.begin() as connection:
        connection.exec_driver_sql("UPDATE backups SET state = 'failed' WHERE component = 'data'")
    found = drill(office, "one", component=DATA)
    assert ("error", "", "simpel/data has no verified backup") == (
        found[DATA].verdict,
        found[DATA].store,
        found[DATA].error,
    )
    assert "TIDAK DAPAT DIPERIKSA" in facts_of(office, "one")
    assert {("drill-error", DATA)} == alarms(office)
    found_now = {alarm.kind: alarm for alarm in proof_alarms(office.installation, datetime.now(UTC))}
    assert (
        "its last drill could not look at a copy: simpel/data has no verified backup",
        "mend what kept the drill from looking; then `pulih drill simpel/data` drills it",
    ) == (found_now["drill-error"].message, found_now["drill-error"].mend)
    with office.installation.catalog.begin() as connection:
        connection.exec_driver_sql("UPDATE backups SET state = 'secured' WHERE component = 'data'")
    judge(office, MAIN, "pass")
    assert set() == alarms(office)


def test_the_backup_that_was_proven_longest_ago_can_be_taken(office: SmallOffice) -> None:
    """Of two backups the older; when that was drilled, the other one."""
    second = office.back_up()
    names = [backup_of(office, each, FILES).name for each in ("first", second)]
    taken = [drill(office, component=FILES, choice=LONGEST_UNPROVEN)[FILES].name for _ in range(3)]
    assert [names[0], names[1], names[0]] == taken
    assert names[1] == drill(office, component=FILES)[FILES].name


def test_a_drill_that_is_due_is_an_alarm(office: SmallOffice) -> None:
    """Never, too old, and none after a backup, each only where the schedule wants drills."""
    assert set() == alarms(office, days=400)
    monthly = office.installation.schedules["bulanan"]

    def want(**given: Any) -> None:
        office.installation.schedules["bulanan"] = monthly.model_copy(update={"drill": DrillSettings(**given)})

    want(cron="0 9 15 * *", days=30)
    assert set() == alarms(office, days=29)
    assert {("drill-never", DATA), ("drill-never", FILES)} == alarms(office, days=31)
    want(after_backup=True, days=30)
    assert {("drill-stale", DATA), ("drill-stale", FILES)} == alarms(office, days=2)
    drill(office, component=FILES)
    assert {("drill-stale", DATA)} == alarms(office, days=2)
    assert {("drill-never", DATA), ("drill-stale", FILES)} == alarms(office, days=31)
    judge(office, MAIN, "pass", days=400)
    assert {("drill-never", DATA), ("drill-stale", FILES)} == alarms(office, days=31), "its clock ran ahead"


def test_the_drill_that_follows_a_backup_is_that_of_the_backup_taken_last_whatever_its_clock_said(
    office: SmallOffice,
) -> None:
    """`pulih drill` takes that one: an alarm about another would never end, or one about it never be raised."""
    monthly = office.installation.schedules["bulanan"]
    wanted = DrillSettings(after_backup=True, days=400)
    office.installation.schedules["bulanan"] = monthly.model_copy(update={"drill": wanted})
    now = datetime.now(UTC)
    ahead = old_backup(office, now + timedelta(days=200))
    judge(office, MAIN, "pass", backup=ahead)
    right = old_backup(office, now)
    assert ("drill-stale", DATA) in alarms(office, days=2)
    (alarm,) = [
        each
        for each in proof_alarms(office.installation, now + timedelta(days=2))
        if each.kind == "drill-stale" and each.subject == DATA
    ]
    assert right.moment == alarm.since
    judge(office, MAIN, "pass", backup=right)
    assert ("drill-stale", DATA) not in alarms(office, days=2)
    old_backup(office, now + timedelta(days=300))
    later = old_backup(office, now + timedelta(seconds=1))
    judge(office, MAIN, "pass", backup=later)
    assert ("drill-stale", DATA) not in alarms(office, days=301), "its time has come, and what followed it was drilled"


def test_a_drill_whose_process_died_is_closed_after_a_day(office: SmallOffice) -> None:
    """Not while somebody works on it; its scratch goes with it."""
    begin_drill(office.installation, "one", component=DATA)
    scratch = office.installation.scratch("one", DATA)
    (scratch / "data.sqlite").write_bytes(b"plain")
    tomorrow = datetime.now(UTC) + timedelta(days=1, minutes=1)
    settle_drills(office.installation, datetime.now(UTC), Report())
    held = leases.acquire(office.installation.catalog, "set:x", "one", 600, "drill")
    settle_drills(office.installation, tomorrow, Report())
    with office.installation.catalog.read() as connection:
        assert "open" == procedures.get(connection, "one").state
    leases.release(office.installation.catalog, held)
    made = make_round(office.installation, now=tomorrow)
    assert {"guard.drill_closed", "guard.swept"} <= {action.kind for action in made.actions}
    with office.installation.catalog.read() as connection:
        assert ("closed", "terputus") == (
            procedures.get(connection, "one").state,
            procedures.get(connection, "one").outcome,
        )
    assert not scratch.exists()


def test_an_application_in_no_schedule_is_drilled_and_its_form_names_nobody(office: SmallOffice) -> None:
    """The store that held the copy has left the inventory since; the Kabid of nobody is the office."""
    monthly = office.installation.schedules["bulanan"]
    office.installation.schedules["bulanan"] = monthly.model_copy(update={"applications": ["lain"]})
    begin_drill(office.installation, "one", component="simpel")
    del office.installation.stores[MAIN]
    for key in (DATA, FILES):
        assert "error" == prove(office.installation, "one", key).verdict
    report(office.installation, "one")
    assert "utama" in facts_of(office, "one")

    def die(name: str) -> None:
        # After the office was told, and before the procedure is closed.
        if name == "conclusion: staging and scratch removed":
            raise DiedError

    with points.observe(die), pytest.raises(DiedError):
        conclude_drill(office.installation, "one")
    assert not conclude_drill(office.installation, "one").good
    with office.installation.catalog.read() as connection:
        assert ["-"] == [notice.recipient for notice in notices.list_notices(connection, "one")]
        assert ("simpel", "") == (
            procedures.get(connection, "one").application,
            procedures.get(connection, "one").schedule,
        )


def test_the_kabid_is_told_where_he_reads(office: SmallOffice) -> None:
    """His own contact, and once; what could not be delivered is on record, and the drill ends all the same."""
    with office.installation.catalog.begin() as connection:
        officials.put(
            connection,
            OfficialSettings(
                nip=KABID, name="Siti Contoh", position="Jabatan", unit="bkd", roles=["kabid"], contact="env:NO_SUCH"
            ),
        )
    flip(part_of(office.root / "store", backup_of(office, "first")), 500)

    def die(name: str) -> None:
        # After he was told, and before the procedure is closed.
        with office.installation.catalog.read() as connection:
            if notices.list_notices(connection, "one"):
                raise DiedError

    with points.observe(die), pytest.raises(DiedError):
        drill(office, "one", component=DATA)
    conclude_drill(office.installation, "one")
    with office.installation.catalog.read() as connection:
        (notice,) = notices.list_notices(connection, "one")
        assert "closed" == procedures.get(connection, "one").state
    assert (KABID, "env:NO_SUCH", False) == (notice.recipient, notice.channel, notice.delivered)


def test_a_form_is_issued_also_when_a_component_was_not_judged(office: SmallOffice) -> None:
    """Its task was cancelled: the form says so, and the drill did not go well."""
    begin_drill(office.installation, "one", schedule_name="bulanan")
    prove(office.installation, "one", DATA)
    report(office.installation, "one")
    assert "tidak selesai" in facts_of(office, "one")
    assert not conclude_drill(office.installation, "one").good


def test_a_form_is_issued_also_when_what_was_drilled_left_the_inventory(office: SmallOffice) -> None:
    """It is called by the name by which it was known."""
    begin_drill(office.installation, "one", schedule_name="bulanan")
    prove(office.installation, "one", DATA)
    del office.installation.applications["simpel"]
    report(office.installation, "one")
    assert "simpel/data" in facts_of(office, "one")


def build_spoilt(root: Path) -> None:
    """That office, the main store's copy of the files being bad, so that the Kabid is told at the end."""
    office = build(root)
    flip(part_of(office.root / "store", backup_of(office, "first", FILES)), 500)


def play(root: Path) -> None:
    """A drill of both components as a process does it, from its first line or again."""
    drill(attach(root), "one", component="simpel", store_name=MAIN)


def play_again(root: Path) -> None:
    """The run is retried, and the guard comes two days later."""
    expire_leases(root)
    play(root)
    make_round(attach(root).installation, now=datetime.now(UTC) + timedelta(days=2))
    is_complete(root, "one")


def play_another(root: Path) -> None:
    """The run is given up: the guard closes and sweeps it, and the next drill finds nothing in its way."""
    expire_leases(root)
    office = attach(root)
    make_round(office.installation, now=datetime.now(UTC) + timedelta(days=2))
    assert [] == strays(office)
    drill(office, "two", component="simpel", store_name=MAIN)
    is_complete(root, "two")
    with office.installation.catalog.read() as connection:
        first = procedures.find(connection, "one")
        assert first is None or first.outcome in ("terputus", "gagal")


def is_complete(root: Path, procedure_id: str) -> None:
    """Each component was judged once, on one form; who must know was told; nothing is left behind."""
    office = attach(root)
    installation = office.installation
    with installation.catalog.read() as connection:
        heads = ledger_heads.read_heads(installation.store(MAIN), installation.signer.public_pem)
        assert [] == ledger.verify(connection, heads)
        entries = ledger.entries(connection, procedure_id=procedure_id, kind=drills.JUDGED)
        verdicts = sorted((entry.component, entry.facts["verdict"]) for entry in entries)
        assert [(FILES, "fail"), (DATA, "pass")] == verdicts
        assert 1 == len(forms.list_forms(connection, procedure_id))
        assert "gagal" == procedures.get(connection, procedure_id).outcome
        assert [True] == [notice.delivered for notice in notices.list_notices(connection, procedure_id)]
        assert [] == leases.list_leases(connection)
    assert [] == strays(office)


WORK = Work("drill", build_spoilt, play, play_again, play_another)


def test_a_drill_may_die_at_any_point(tmp_path: Path) -> None:
    """SIGKILL; played again it ends well, once; given up, the guard clears it away: a sample."""
    assert_survives(WORK, tmp_path)
