"""The restore procedure on a small real installation, without Prefect: whole new data, or whole old data."""

import json
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from recovery import points
from recovery.calendar import format_moment, to_wib
from recovery.conformance import judge_procedure
from recovery.errors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    ProcedureError,
    PulihError,
    ServiceError,
    SwapError,
)
from recovery.procedures.application_page import application_page
from recovery.procedures.conclude import (
    Conclusion,
    conclude_cancelled,
    conclude_given_up,
    conclude_rejected,
    conclude_restore,
)
from recovery.procedures.questions import question_of
from recovery.procedures.restore.begin import begin_restore
from recovery.procedures.restore.forecast import forecast
from recovery.records import backups, forms, ledger, officials, procedures, schema, steps
from recovery.records.approval_requests import RefusedError
from recovery.settings import OfficialSettings
from recovery.sop import step
from tests.testbed.kept_office import keep, put_back
from tests.testbed.service_patience import patience
from tests.testbed.small_office import (
    DISPOSITION,
    EXECUTOR,
    KABID,
    KADIS,
    REQUESTER,
    VERIFICATION,
    SmallOffice,
    open_office,
    restore_request,
)

# Of the offices that are made anew: nothing looks at their services.
WITHOUT_SERVICE = True
REQUESTED, DISPOSED, APPROVED = "requested", "disposed", "approved"


@dataclass(frozen=True)
class Restore:
    """An office with a backup of whole data, data that was damaged since, and an open restore of it."""

    office: SmallOffice
    procedure_id: str
    whole: tuple[Any, Any]
    damaged: tuple[Any, Any]

    def content(self) -> tuple[Any, Any]:
        """What is live in both components."""
        return self.office.rows(), self.office.files()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restore]:
    """The restore, which was kept at each stage before its service is stopped: the way there takes seconds."""
    office = open_office(tmp_path_factory.mktemp("restore") / "office", running=False)
    whole = (office.rows(), office.files())
    office.back_up()
    office.damage()
    procedure_id = office.request()
    keep(office, REQUESTED)
    office.decide("restore.2", procedure_id, KADIS, "diteruskan", **DISPOSITION)
    office.step("restore.2", procedure_id)
    keep(office, DISPOSED)
    office.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
    office.step("restore.3", procedure_id)
    office.decide("restore.start", procedure_id, EXECUTOR, "mulai")
    keep(office, APPROVED)
    yield Restore(office, procedure_id, whole, (office.rows(), office.files()))
    office.stop_service_for_good()


def at_stage(built: Restore, stage: str) -> Iterator[Restore]:
    office = put_back(built.office.root, stage)
    yield replace(built, office=office)
    office.installation.catalog.dispose()


def made_of_another(office: SmallOffice, component: str) -> str:
    """Record that the backup of a component was made elsewhere, on a server that had a number; return where."""
    elsewhere = "/srv/uji/simpel.db"
    with office.installation.catalog.begin() as connection:
        (backup,) = [each for each in backups.list_backups(connection) if each.key == component]
        target = {**backup.facts["target"], "path": elsewhere, "system": "7312"}
        values = {"facts": json.dumps({**backup.facts, "target": target})}
        connection.execute(update(schema.backups).where(schema.backups.c.id == backup.id).values(**values))
    return elsewhere


def add_backup_ahead(office: SmallOffice, component: str) -> str:
    """Record the backup of a component twice more, as taken in times still to come; return the name of the last."""
    with office.installation.catalog.begin() as connection:
        (backup,) = [each for each in backups.list_backups(connection) if each.key == component]
        row = connection.execute(schema.backups.select().where(schema.backups.c.id == backup.id)).mappings().one()
        for year in ("2998", "2999"):
            copy = {**row, "id": year, "name": f"{backup.name}-{year}", "moment": f"{year}-11-20T15:00:03.000000+00:00"}
            connection.execute(schema.backups.insert().values(copy))
    return f"{backup.name}-2999"


@pytest.fixture
def requested(built: Restore) -> Iterator[Restore]:
    """The restore after step 1, as this test's own."""
    yield from at_stage(built, REQUESTED)


@pytest.fixture
def disposed(built: Restore) -> Iterator[Restore]:
    """The restore after step 2."""
    yield from at_stage(built, DISPOSED)


@pytest.fixture
def approved(built: Restore) -> Iterator[Restore]:
    """The restore after step 3, its rehearsal and its executor's go-ahead."""
    yield from at_stage(built, APPROVED)


def form_of(office: SmallOffice, procedure_id: str) -> str:
    with office.installation.catalog.read() as connection:
        return json.dumps(forms.latest(connection, "restore", procedure_id).facts, ensure_ascii=False)


def status_on_form(office: SmallOffice, procedure_id: str) -> str:
    """The ticked status: all three stand on the form as options."""
    with office.installation.catalog.read() as connection:
        form = forms.latest(connection, "restore", procedure_id)
    assert form is not None
    rows = [row for section in form.facts["sections"] for block in section["blocks"] for row in block["rows"]]
    return next(row["value"] for row in rows if row["label"].startswith("Status (Berhasil"))


def test_damaged_data_is_back_and_the_service_runs(approved: Restore) -> None:
    """The main job: rows and files as in the backup, the damaged data kept aside, an intact ledger."""
    office, procedure_id = approved.office, approved.procedure_id
    assert approved.whole != approved.content()
    for number in (4, 5, 6):
        office.step(f"restore.{number}", procedure_id)
    conclusion = office.finish(procedure_id)
    assert conclusion.good and conclusion.sentence.endswith("; pemohon menyatakan sesuai.")
    assert approved.whole == approved.content()
    assert office.service_running()
    with office.installation.catalog.read() as connection:
        assert [] == ledger.verify(connection)
        swapped = steps.evidence_of(connection, procedure_id, "restore.5")
        started = steps.evidence_of(connection, procedure_id, "restore.6")
    assert swapped is not None and started is not None
    assert swapped["milliseconds"] > 0, "how long it took is recorded; bench/ says how long it may take"
    assert "berhasil" == started["status"]
    assert "Berhasil" == status_on_form(office, procedure_id)
    copies = office.installation.source("simpel/data").copies()
    assert 1 == len(copies), "the damaged data is kept as the safety copy"


@pytest.mark.slow
def test_a_service_that_does_not_stop_leaves_the_data_untouched(approved: Restore) -> None:
    """Step 4 fails, step 5 refuses, step 6 sees a running service, the form says so."""
    office, procedure_id = approved.office, approved.procedure_id
    (office.service_state / "ignore-stop").touch()
    patience(office, stop=1)
    with pytest.raises(ServiceError, match="is not down"):
        office.step("restore.4", procedure_id)
    with pytest.raises(ProcedureError, match="not proven to be stopped"):
        office.step("restore.5", procedure_id)
    evidence = office.step("restore.6", procedure_id)
    assert "berhasil" != evidence["status"]
    assert approved.damaged == approved.content()
    assert office.service_running()
    with office.installation.catalog.begin() as connection:
        told = {"nip": REQUESTER, "name": "Rina Misal", "position": "Jabatan", "unit": "bkd", "roles": ["pemohon"]}
        officials.put(connection, OfficialSettings(**told, contact=f"file:{office.root}/keys/nowhere"))
    office.finish(procedure_id)
    form = form_of(office, procedure_id)
    assert "TIDAK TERBUKTI" in form
    failed = step("restore.4").title
    assert f"langkah {failed} gagal (pesan sistem: the service web is not down" in form
    assert "pemberitahuan elektronik GAGAL dikirim" in form, "that the office got it is not that he did"
    assert forecast(office.installation, "simpel", None).downtime.seconds is None, "it was never down"


@pytest.mark.slow
def test_a_service_unhealthy_on_the_new_data_gets_its_old_data_back(approved: Restore) -> None:
    """Swapped back, running, and the form says so."""
    office, procedure_id = approved.office, approved.procedure_id
    with sqlite3.connect(office.database) as connection:
        connection.execute("DROP TABLE pegawai")
        connection.execute("CREATE TABLE lain (id INTEGER)")
    connection.close()
    (office.service_state / "unhealthy-with-pegawai").touch()
    for number in (4, 5):
        office.step(f"restore.{number}", procedure_id)
    patience(office, start=2)

    def observer(name: str) -> None:
        # It was not well on the new data, and has all the time that it needs on the old.
        if name == "service: before stopping web":
            patience(office)

    with points.observe(observer):
        evidence = office.step("restore.6", procedure_id)
    assert "dikembalikan" == evidence["status"]
    assert office.service_running()
    with sqlite3.connect(office.database) as connection:
        assert [("lain",)] == connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    connection.close()
    office.step("restore.7", procedure_id)
    status = "Gagal–dikembalikan ke salinan pengaman"
    (result,) = question_of(office.installation, procedure_id, "restore.8").document["bagian"]
    assert ["Status", status] in result["baris"]
    office.finish(procedure_id)
    assert status == status_on_form(office, procedure_id)
    assert "layanan tidak sehat dengan data baru (pesan sistem: " in form_of(office, procedure_id)
    told = (office.root / "notices.txt").read_text()
    assert f"selesai dengan status: {status}." in told and f"restore simpel: {status}" in told
    assert f"**{status}**, selesai" in application_page(office.installation, "simpel", lambda run: "")


@pytest.mark.slow
def test_a_service_that_does_not_start_at_all_fails_loudly_on_the_old_data(approved: Restore) -> None:
    """Neither on the new nor on the old data: an administrator is needed, and the data is the old."""
    office, procedure_id = approved.office, approved.procedure_id
    for number in (4, 5):
        office.step(f"restore.{number}", procedure_id)
    (office.service_state / "refuse-start").touch()
    patience(office, start=1)
    with pytest.raises(ServiceError, match="neither on the new nor on the old data"):
        office.step("restore.6", procedure_id)
    assert approved.damaged == approved.content()
    (office.service_state / "refuse-start").unlink()
    patience(office)
    assert "dikembalikan" == office.step("restore.6", procedure_id)["status"]
    assert office.service_running()


@pytest.mark.slow
def test_a_service_unwell_on_data_that_was_not_restored_is_told_with_what_failed_before(approved: Restore) -> None:
    """An application with damaged data is not healthy: what stopped the restore is what helps, and it goes on there."""
    office, procedure_id = approved.office, approved.procedure_id
    (office.service_state / "ignore-stop").touch()
    patience(office, stop=1)
    for number in (4, 5):
        with pytest.raises(PulihError):
            office.step(f"restore.{number}", procedure_id)
    (office.service_state / "ignore-stop").unlink()
    for service in office.installation.services("simpel"):
        service.stop()
    (office.service_state / "refuse-start").touch()
    patience(office, start=1)
    with pytest.raises(ServiceError) as caught:
        office.step("restore.6", procedure_id)
    patience(office)
    first = "the data was not restored, because step 4 failed: the service web is not down"
    assert caught.value.message.startswith(first)
    assert "; on the old data the service web is not healthy" in caught.value.message
    assert "the old data is live; the service is not healthy" == caught.value.state
    assert "what never moved is restored" in caught.value.hint
    assert approved.damaged == approved.content()
    (office.service_state / "refuse-start").unlink()
    for number in (4, 5, 6):
        evidence = office.step(f"restore.{number}", procedure_id)
    assert "berhasil" == evidence["status"]
    assert approved.damaged != approved.content()


@pytest.mark.slow
def test_the_second_component_failing_brings_the_first_back(approved: Restore) -> None:
    """All new, or all back: the rehearsed copy of the files vanishes between the rehearsal and the swap."""
    office, procedure_id = approved.office, approved.procedure_id
    office.step("restore.4", procedure_id)
    for copy in office.installation.source("simpel/berkas").copies():
        shutil.rmtree(copy)
    with pytest.raises(PulihError):
        office.step("restore.5", procedure_id)
    office.step("restore.6", procedure_id)
    assert approved.damaged == approved.content()
    assert office.service_running()


@pytest.mark.slow
def test_a_rejection_touches_nothing_and_tells_the_requester_why(disposed: Restore) -> None:
    """ "permintaan ditolak" (end, with the reason, and the requester is told); and it needs the reason."""
    office, procedure_id = disposed.office, disposed.procedure_id
    with pytest.raises(PulihError, match="does not count"):
        office.decide("restore.3", procedure_id, KABID, "ditolak", **VERIFICATION)
    with pytest.raises(RefusedError) as denied:
        office.decide("restore.3", procedure_id, KABID, "disetujui", **{**VERIFICATION, "pemohon_berwenang": "tidak"})
    assert "pemeriksaan yang tidak dijawab ya: Pemohon berwenang. Periksa" in denied.value.complaint
    office.decide("restore.3", procedure_id, KABID, "ditolak", note="Bukan pemilik data.", **VERIFICATION)
    office.step("restore.3", procedure_id)
    conclude_rejected(office.installation, procedure_id)
    assert "Bukan pemilik data." in (office.root / "notices.txt").read_text()
    assert [] == office.installation.source("simpel/data").copies()
    assert office.service_running()


@pytest.mark.slow
def test_a_named_point_takes_what_says_to_be_of_it_and_the_kabid_reads_that_a_clock_was_wrong(
    requested: Restore,
) -> None:
    """By no other time can a backup of a wrong clock be named."""
    office = requested.office
    conclude_given_up(office.installation, requested.procedure_id, "Titik pulih lain.")
    ahead = add_backup_ahead(office, "simpel/data")
    procedure_id = office.request(titik_pulih="2999-12-01 08:00:00", alasan_titik_pulih="Uji.")
    office.decide("restore.2", procedure_id, KADIS, "diteruskan", **DISPOSITION)
    document = question_of(office.installation, procedure_id, "restore.3").document
    assert ahead == document["rencana"]["simpel/data"]["name"]
    assert [
        [
            f"Waktu cadangan {office.installation.component('simpel/data')[1].printed_name} (simpel/data)",
            f"{ahead} bertanggal Rabu, 20 November 2999 pukul 22.00.03 WIB: waktu itu belum tiba, atau melewati waktu "
            "cadangan yang dibuat sesudahnya, jadi ada jam yang salah. Isinya mungkin bukan keadaan pada titik pulih "
            "yang diminta. Lanjutkan hanya bila cadangan itu memang yang dikehendaki.",
        ]
    ] == [row for row in document["bagian"][1]["baris"] if row[0].startswith("Waktu cadangan")], "of one, not of both"
    assert [] == after_the_incident(document), "who names a point has chosen"


def after_the_incident(document: dict[str, Any]) -> list[str]:
    """What a document says of backups that were taken after the damage."""
    return [row[1] for row in document["bagian"][1]["baris"] if row[0].startswith("Cadangan sesudah kejadian ")]


@pytest.mark.slow
def test_kabid_and_executor_read_that_the_newest_backup_may_hold_the_damage(requested: Restore) -> None:
    """A backup of damaged data equals its source and passes every check; it is the newest after a night."""
    office = requested.office
    conclude_given_up(office.installation, requested.procedure_id, "Waktu lain.")
    with office.installation.catalog.begin() as connection:
        made = {each.key: each for each in backups.list_backups(connection)}
        data, files = made["simpel/data"], made["simpel/berkas"]
        first = to_wib(min(data.moment, files.moment))
        row = connection.execute(schema.backups.select().where(schema.backups.c.id == data.id)).mappings().one()
        earlier = to_wib(first - timedelta(days=2))
        # Of another run, of which the ledger does not say when it was: its moment is all there is.
        other = {"id": "earlier", "procedure_id": requested.procedure_id, "name": "data-lama"}
        copy = {**row, **other, "moment": schema.timestamp(earlier)}
        connection.execute(schema.backups.insert().values(copy))
    incident = first - timedelta(days=1)
    procedure_id = office.request(waktu_kejadian=incident.isoformat())
    since = f"SESUDAH waktu kejadian ({format_moment(incident)}); mungkin memuat kerusakannya."
    expected = [
        f"{data.name} diambil {format_moment(data.moment)}, {since} Cadangan terverifikasi terbaru sebelum kejadian: "
        f"data-lama, {format_moment(earlier)}. Bila cadangan itu yang dikehendaki, titik pulihnya harus ditulis dalam "
        "permintaan.",
        f"{files.name} diambil {format_moment(files.moment)}, {since} Tidak ada cadangan terverifikasi dari sebelum "
        "kejadian.",
    ]
    office.decide("restore.2", procedure_id, KADIS, "diteruskan", **DISPOSITION)
    office.step("restore.2", procedure_id)
    document = question_of(office.installation, procedure_id, "restore.3").document
    assert [data.name, files.name] == [each["name"] for each in document["rencana"].values()], "the rule is as it was"
    assert expected == after_the_incident(document)
    office.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
    office.step("restore.3", procedure_id)
    document = question_of(office.installation, procedure_id, "restore.start").document
    assert sorted(expected) == sorted(after_the_incident(document))
    conclude_given_up(office.installation, procedure_id, "Waktu lain.")
    procedure_id = office.request(waktu_kejadian=max(data.moment, files.moment))
    assert [] == after_the_incident(question_of(office.installation, procedure_id, "restore.3").document)


@pytest.mark.slow
def test_a_restore_that_its_executor_calls_off_leaves_nothing_and_tells_why(disposed: Restore) -> None:
    """After the rehearsal, before the service is stopped; a run that comes again tells nobody twice."""
    office, procedure_id = disposed.office, disposed.procedure_id
    office.installation.office.approvals.small_office = True
    # A run that comes again is not judged by who is in office now, nor by what lies in the intake folder.
    gone = OfficialSettings(nip=REQUESTER, name="Rina Misal", position="Jabatan", unit="bkd", roles=["pelaksana"])
    with office.installation.catalog.begin() as connection:
        contact = officials.get(connection, REQUESTER).contact
        officials.put(connection, gone.model_copy(update={"contact": contact}))
    again = restore_request(berkas_surat="tidak-ada.pdf")
    opened = begin_restore(office.installation, procedure_id, again)
    assert {"id": procedure_id, "application": "simpel"} == opened
    elsewhere, live = made_of_another(office, "simpel/data"), office.installation.source("simpel/data").identify()
    origin = [
        f"Asal cadangan {office.installation.component('simpel/data')[1].printed_name} (simpel/data)",
        f"BERBEDA dari data yang akan diganti: letak {elsewhere}, sekarang {live['path']}; server basis data 7312, "
        "sekarang –. Lanjutkan hanya bila data itu memang dipindahkan atau servernya dibangun ulang.",
    ]
    ahead = add_backup_ahead(office, "simpel/data")
    passed_over = [
        f"Cadangan yang dilewati {office.installation.component('simpel/data')[1].printed_name} (simpel/data)",
        f"{ahead} bertanggal Rabu, 20 November 2999 pukul 22.00.03 WIB dan 1 cadangan lain: waktu itu belum tiba, atau "
        "melewati waktu cadangan yang dibuat sesudahnya, jadi ada jam yang salah. Bila cadangan itu yang "
        "dikehendaki, titik pulihnya harus ditulis dalam permintaan.",
    ]
    found = question_of(office.installation, procedure_id, "restore.3").document["bagian"][1]["baris"]
    assert [passed_over] == [row for row in found if row[0].startswith("Cadangan yang dilewati")]
    assert [origin] == [row for row in found if row[0].startswith("Asal cadangan")], "of one component, not of both"
    # In a small office the Kadis may stand in for the Kabid; the requester never may.
    assert [REQUESTER] == list(question_of(office.installation, procedure_id, "restore.3").excluded)
    office.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
    office.step("restore.3", procedure_id)
    shown = question_of(office.installation, procedure_id, "restore.start").document["bagian"][1]["baris"]
    assert [
        "Perkiraan lama henti",
        "belum pernah diukur: menghentikan layanan, menukar data, menjalankan layanan. "
        "Batas waktu: web berhenti dalam 1 menit, berjalan dalam 1 menit",
    ] in shown
    assert [origin] == [row for row in shown if row[0].startswith("Asal cadangan")]
    assert passed_over in shown
    office.decide("restore.start", procedure_id, EXECUTOR, "batalkan", note="Ada ujian daring.")
    assert 1 == len(office.installation.source("simpel/data").copies())
    expected = Conclusion(True, "Restore dibatalkan. Alasan: Ada ujian daring.")
    assert expected == conclude_cancelled(office.installation, procedure_id)
    told = (office.root / "notices.txt").read_text()
    assert "Restore dibatalkan. Alasan: Ada ujian daring.\nTidak ada data atau layanan yang diubah." in told
    assert expected == conclude_cancelled(office.installation, procedure_id)
    assert told == (office.root / "notices.txt").read_text()
    assert [] == office.installation.source("simpel/data").copies()
    assert office.service_running()


@pytest.mark.slow
def test_another_database_than_the_approved_one_is_never_swapped(approved: Restore) -> None:
    """Somebody changed the path between approval and swap. Nothing moved, so the run goes on when that is mended."""
    office, procedure_id = approved.office, approved.procedure_id
    office.step("restore.4", procedure_id)
    elsewhere = office.root / "app" / "lain.db"
    shutil.copy(office.database, elsewhere)
    application = office.installation.applications["simpel"]
    application.components[0] = application.components[0].model_copy(update={"path": str(elsewhere)})
    with pytest.raises(SwapError) as caught:
        office.step("restore.5", procedure_id)
    assert str(caught.value) == (
        "the new data could not be made live (simpel/data is not the target that was approved); nothing was exchanged: "
        "the old data of every component is live\nHINT: mend the cause; when step 6 has started the service on it, "
        "start a new restore; otherwise retry this run: it exchanges the data"
    )
    with office.installation.catalog.read() as connection:
        (failed,) = ledger.entries(connection, procedure_id=procedure_id, kind="step.failed")
    assert ("restore.5", str(caught.value).splitlines()[0]) == (failed.step_id, failed.facts["error"])
    assert approved.damaged == approved.content()
    application.components[0] = application.components[0].model_copy(update={"path": str(office.database)})
    office.step("restore.5", procedure_id)
    assert approved.whole == approved.content()


@pytest.mark.slow
def test_a_second_restore_of_the_same_application_is_refused(requested: Restore) -> None:
    """One at a time; the message names the first."""
    with pytest.raises(ConflictError, match=requested.procedure_id):
        requested.office.request()


def test_an_unknown_application_names_the_known_ones(office: SmallOffice) -> None:
    """The drop-down keeps people from it; the API does not."""
    with pytest.raises(NotFoundError, match=r"(?s)no application named 'simpeg'.*choose one of: simpel"):
        begin_restore(office.installation, str(uuid.uuid4()), restore_request(aplikasi="simpeg"))


def test_an_unknown_requester_is_refused(office: SmallOffice) -> None:
    """Only somebody with the role may request."""
    with pytest.raises(NotFoundError, match="no requester has the NIP"):
        begin_restore(office.installation, str(uuid.uuid4()), restore_request(nip_pemohon=KABID))


@pytest.mark.slow
def test_without_a_verified_backup_no_request_is_opened(office: SmallOffice) -> None:
    """Said before anybody is asked; and a request that cannot come true does not keep the next one out."""
    with pytest.raises(NotFoundError, match="simpel/data has no verified backup"):
        office.request()
    with office.installation.catalog.read() as connection:
        assert [] == procedures.list_open(connection)


@pytest.mark.slow
def test_a_failed_rehearsal_never_stops_the_service(disposed: Restore) -> None:
    """A damaged part in the store: the rehearsal says so, copies are removed, the service keeps running."""
    office, procedure_id = disposed.office, disposed.procedure_id
    part = next((office.root / "store").rglob("data.sqlite.zst.age"))
    part.chmod(0o600)
    content = bytearray(part.read_bytes())
    content[-100] ^= 1
    part.write_bytes(content)
    office.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
    with pytest.raises(PulihError):
        office.step("restore.3", procedure_id)
    assert [] == office.installation.source("simpel/data").copies()
    assert office.service_running()
    with pytest.raises(ConfigurationError, match="a procedure is given up with a reason, and none was given"):
        conclude_given_up(office.installation, procedure_id, " \n")
    # A call that died right after closing is made again.
    procedures.close_procedure(office.installation.catalog, procedure_id, procedures.GIVEN_UP)
    conclude_given_up(office.installation, procedure_id, "Cadangan rusak.")
    assert "Alasan: Cadangan rusak." in (office.root / "notices.txt").read_text()
    with pytest.raises(NotFoundError, match=r"there is no letter 'salah\.pdf' in the intake folder"):
        office.request(berkas_surat="salah.pdf")
    assert office.request() != procedure_id, "the next request is taken"
    with pytest.raises(ProcedureError, match="is no open restore before step 4"):
        conclude_given_up(office.installation, procedure_id, "Lagi.")


@pytest.mark.slow
def test_a_target_that_became_one_of_pulihs_own_places_is_not_rehearsed_beside(disposed: Restore) -> None:
    """Somebody changed the settings of the application while the Kabid was waited for."""
    office, procedure_id = disposed.office, disposed.procedure_id
    office.decide("restore.3", procedure_id, KABID, "disetujui", **VERIFICATION)
    catalog = office.root / "state" / "catalog.sqlite"
    application = office.installation.applications["simpel"]
    components = [
        each.model_copy(update={"path": str(catalog)} if each.name == "data" else {}) for each in application.components
    ]
    office.installation.applications["simpel"] = application.model_copy(update={"components": components})
    with pytest.raises(ConfigurationError, match="simpel/data is never restored: its path lies in the state directory"):
        office.step("restore.3", procedure_id)
    assert [] == office.installation.source("simpel/data").copies()


@pytest.mark.slow
def test_a_restore_that_is_given_up_beside_its_start_stops_no_service(approved: Restore) -> None:
    """The run that wakes while the requester is being told finds it closed."""
    office, procedure_id = approved.office, approved.procedure_id
    refused = []

    def wakes(point: str) -> None:
        if point == "notice: sent":
            with pytest.raises(ProcedureError, match=f"procedure {procedure_id} is closed") as caught:
                office.step("restore.4", procedure_id)
            refused.append(caught.value.hint)

    with points.observe(wakes):
        assert conclude_given_up(office.installation, procedure_id, "Salah aplikasi.").good
    assert ["start a new run"] == refused
    assert office.service_running()
    assert [] == office.installation.source("simpel/data").copies()


@pytest.mark.slow
def test_a_restore_whose_receipt_never_comes_ends_without_it_and_keeps_nobody_out(approved: Restore) -> None:
    """Its requester may have left the office: data is lost again, and the next request is taken. Not before step 6."""
    office, procedure_id = approved.office, approved.procedure_id
    for number in (4, 5):
        office.step(f"restore.{number}", procedure_id)
    with pytest.raises(ProcedureError, match="is between its steps 4 and 6 and not settled: "):
        conclude_given_up(office.installation, procedure_id, "Pemohon pindah tugas.")
    office.step("restore.6", procedure_id)
    form_number = office.step("restore.7", procedure_id)["form_number"]
    with pytest.raises(ConflictError, match="or when it waits for the requester's receipt alone"):
        office.request()
    expected = Conclusion(True, "Permintaan ditutup tanpa tanda terima. Alasan: Pemohon pindah tugas.")
    assert expected == conclude_given_up(office.installation, procedure_id, "Pemohon pindah tugas.")
    told = (office.root / "notices.txt").read_text()
    assert f"{expected.sentence}\nHasilnya tetap: formulir {form_number}." in told
    assert "Tidak ada data atau layanan yang diubah" not in told
    assert approved.whole == approved.content()
    assert 1 == len(office.installation.source("simpel/data").copies()), "the safety copy stays"
    with office.installation.catalog.read() as connection:
        assert "tanpa tanda terima" == procedures.get(connection, procedure_id).outcome
    with pytest.raises(ProcedureError, match="the procedure is closed"):
        office.decide("restore.8", procedure_id, REQUESTER, "sesuai")
    judged = judge_procedure(office.installation, procedure_id)
    assert "an administrator closed the procedure before its end" in judged.reasons
    assert office.request() != procedure_id


@pytest.mark.slow
def test_a_lost_notice_is_recorded_and_stops_nothing(approved: Restore) -> None:
    """The requester then answers with his own code. Data that he finds wrong is no success, though it is live; also
    when its run is gone before it is recorded so, and an administrator closes what nobody can Retry."""
    office, procedure_id = approved.office, approved.procedure_id
    for number in (4, 5, 6):
        office.step(f"restore.{number}", procedure_id)
    (office.root / "keys" / "notices").write_text("file:///proc/no/such/place")
    evidence = office.step("restore.7", procedure_id)
    assert evidence["notice"]["delivered"] is False
    office.decide("restore.8", procedure_id, REQUESTER, "tidak sesuai", note="Baris Januari tidak ada.")
    conclusion = conclude_given_up(office.installation, procedure_id, "Eksekusinya terhapus.")
    assert conclusion == conclude_restore(office.installation, procedure_id), "as its run would have ended it"
    with pytest.raises(ProcedureError, match="nor one that lacks only the requester's receipt"):
        conclude_given_up(office.installation, procedure_id, "Lagi.")
    assert not conclusion.good
    assert conclusion.sentence.startswith("Data dipulihkan, lama henti ")
    assert conclusion.sentence.endswith("; pemohon menyatakan tidak sesuai: Baris Januari tidak ada.")
    assert approved.whole == approved.content()
    assert 1 == len(office.installation.source("simpel/data").copies()), "the safety copy stays"
    with office.installation.catalog.read() as connection:
        assert "tidak sesuai" == procedures.get(connection, procedure_id).outcome
        (finished,) = ledger.entries(connection, procedure_id=procedure_id, kind="procedure.finished_without_run")
        assert {"reason": "Eksekusinya terhapus."} == finished.facts
        form = forms.latest(connection, "restore", procedure_id)
        assert form is not None and 2 == form.version


@pytest.mark.slow
def test_the_verifier_cannot_execute_and_the_requester_cannot_dispose(requested: Restore) -> None:
    """Separation of duties holds through the whole procedure."""
    for nip in (REQUESTER, KABID, EXECUTOR):
        with pytest.raises(PulihError, match="does not count"):
            requested.office.decide("restore.2", requested.procedure_id, nip, "diteruskan", **DISPOSITION)
