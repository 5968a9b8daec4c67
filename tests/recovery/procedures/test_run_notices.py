"""Whom a notice about a run goes to and what it says: from a real catalog, by real files as targets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from recovery.calendar import deadline, format_moment
from recovery.installation import Installation
from recovery.procedures.run_notices import (
    _LOST,
    Occasion,
    Run,
    RunNotice,
    compose,
    is_still_so,
    needs_no_answer,
    overdue_at,
    send,
)
from recovery.records import ledger, notices, officials, procedures, steps
from recovery.records.approvals import ApprovalRequest, Question, ask
from recovery.settings import ApplicationSettings, ComponentSettings, KeySettings, OfficeSettings, OfficialSettings
from recovery.sop import EXECUTOR_START

KABID = "198002022005012002"
OTHER_KABID = "197808082004011008"
EXECUTOR = "199001012015011001"
NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
ADDRESS = "http://127.0.0.1:4200/runs/flow-run/r1"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An office with one mail box, and three officials with one each; every mail box is a file named by its owner."""
    built = Installation(
        office=OfficeSettings(state_directory=str(tmp_path / "state"), notice_targets=[target(tmp_path, "kantor")]),
        keys=KeySettings(
            operations_recipient="age1x",
            escrow_recipient="age1y",
            operations_identity="file:/none",
            signing_key="file:/none",
            enrolment_key="file:/none",
        ),
        hosts={},
        stores={},
        applications={
            "simpel": ApplicationSettings(
                name="simpel",
                title="Sistem Kepegawaian",
                owner_unit="bkd",
                owner_unit_title="BKD",
                host="server",
                components=[ComponentSettings(name="data", kind="sqlite", path="/srv/simpel.db")],
            )
        },
        schedules={},
    )
    built.catalog.upgrade()
    for nip, name, role in (
        (KABID, "Siti Contoh", "kabid"),
        (OTHER_KABID, "Dewi Umpama", "kabid"),
        (EXECUTOR, "Agus Teladan", "pelaksana"),
    ):
        put_official(built, nip, name, role, target(tmp_path, nip))
        officials.enrol(built.catalog, nip, bytes(32))
    yield built
    built.catalog.dispose()


def target(directory: Path, name: str) -> str:
    """The reference of a mail box that is a file."""
    (directory / f"{name}.url").write_text(f"file://{directory / name}.txt")
    return f"file:{directory / name}.url"


def put_official(installation: Installation, nip: str, name: str, role: Any, contact: str) -> None:
    with installation.catalog.begin() as connection:
        settings = OfficialSettings(nip=nip, name=name, position="Jabatan", unit="bkd", roles=[role], contact=contact)
        officials.put(connection, settings)


def without_contacts(installation: Installation) -> None:
    for nip, name, role in ((KABID, "Siti Contoh", "kabid"), (OTHER_KABID, "Dewi Umpama", "kabid")):
        put_official(installation, nip, name, role, "")


def open_restore(installation: Installation) -> None:
    procedures.open_procedure(
        installation.catalog, "r1", "restore", application="simpel", parameters={"request": {}}, release="0.1.0"
    )


def open_backup(installation: Installation) -> None:
    parameters = {"schedule": {"applications": ["simpel"]}, "components": ["simpel/data"], "routine": True}
    procedures.open_procedure(
        installation.catalog, "r1", "backup", schedule="harian", parameters=parameters, release="0.1.0"
    )


def verification(installation: Installation, **fields: Any) -> ApprovalRequest:
    """The Kabid is asked; the other Kabid has asked for the restore himself."""
    open_restore(installation)
    question = Question(
        **{
            "procedure_id": "r1",
            "step_id": "restore.3",
            "roles": ("kabid",),
            "document": {},
            "choices": ("disetujui", "ditolak"),
            "excluded": {OTHER_KABID: "Pemohon tidak boleh memutuskan permintaannya sendiri."},
            **fields,
        }
    )
    asked = ask(installation.catalog, question, lifetime=timedelta(days=14))
    assert isinstance(asked, ApprovalRequest)
    return asked


def run(state_type: str = "PAUSED", **fields: Any) -> Run:
    return Run(**{"id": "r1", "name": "Restore X", "url": ADDRESS, "state_type": state_type, "message": "", **fields})


def told(installation: Installation, occasion: Occasion, about: Run) -> tuple[RunNotice, dict[str, str]]:
    """Send the notice; return it, and the mail boxes that something lies in, by their owner."""
    notice = compose(installation, occasion, about, NOW)
    assert [] == send(installation, about, notice)
    directory = Path(installation.office.state_directory).parent
    return notice, {path.stem: path.read_text() for path in directory.glob("*.txt")}


def test_who_may_answer_is_told_himself_and_nobody_else(installation: Installation) -> None:
    asked = verification(installation)
    notice, boxes = told(installation, "persetujuan", run())
    assert [KABID] == list(boxes)
    assert "Persetujuan ditunggu: Restore X" == notice.subject
    assert boxes[KABID] == (
        "Persetujuan ditunggu: Restore X\n"
        "Prosedur: PROSEDUR RESTORE DATA\n"
        "Aplikasi: Sistem Kepegawaian\n"
        "Langkah: 3. Melakukan verifikasi jenis dan kewenangan data\n"
        f"Keadaan: menunggu sejak {format_moment(asked.opened_at)}\n"
        "Yang harus bertindak: Kabid Aptika (Siti Contoh)\n"
        "Tindakan: Buka tautan, baca dokumennya, pilih ⋮ lalu Resume, dan isi formulirnya.\n"
        f"Tautan: {ADDRESS}\n"
        "\n\n"
    )


def test_an_official_without_contact_is_told_through_the_office(installation: Installation) -> None:
    verification(installation)
    without_contacts(installation)
    _notice, boxes = told(installation, "lewat-waktu", run())
    assert ["kantor"] == list(boxes)
    assert "Yang harus bertindak: Kabid Aptika (Siti Contoh)\n" in boxes["kantor"]


def test_officials_who_share_a_mail_box_are_told_once(installation: Installation, tmp_path: Path) -> None:
    verification(installation, excluded={})
    put_official(installation, OTHER_KABID, "Dewi Umpama", "kabid", target(tmp_path, KABID))
    _notice, boxes = told(installation, "persetujuan", run())
    assert 1 == boxes[KABID].count("Persetujuan ditunggu")
    assert "Kabid Aptika (Dewi Umpama, Siti Contoh)" in boxes[KABID]


def test_that_nobody_can_answer_is_said_to_the_office(installation: Installation) -> None:
    verification(installation, excluded={KABID: "x", OTHER_KABID: "x"})
    _notice, boxes = told(installation, "persetujuan", run())
    assert "Kabid Aptika (saat ini tidak ada yang dapat menjawab)" in boxes["kantor"]


def test_an_official_who_is_asked_by_name_is_named_alone(installation: Installation) -> None:
    """A schedule is approved by the official whom it names, whatever his role."""
    verification(installation, roles=(), only=(KABID,), excluded={})
    assert "Yang harus bertindak: Siti Contoh\n" in compose(installation, "persetujuan", run(), NOW).body


def test_a_failed_step_is_named_with_its_reason_to_the_office(installation: Installation) -> None:
    open_restore(installation)

    def body() -> steps.StepResult:
        raise ValueError("rusak")

    with pytest.raises(ValueError, match="rusak"):
        steps.perform(installation.catalog, "restore.1", "r1", body)
    _notice, boxes = told(installation, "gagal", run("FAILED", message="Flow run\nencountered an exception: rusak"))
    assert ["kantor"] == list(boxes)
    assert boxes["kantor"].startswith("Proses gagal: Restore X\n")
    assert "Langkah: 1. Membuat surat dan mengisi formulir permintaan restore data\n" in boxes["kantor"]
    assert "Keadaan: Flow run encountered an exception: rusak\n" in boxes["kantor"]
    assert "Yang harus bertindak: Pejabat Fungsional/Pelaksana\n" in boxes["kantor"]
    assert "Tindakan: Buka tautan, baca sebabnya, perbaiki, lalu pilih ⋮ dan Retry.\n" in boxes["kantor"]


def test_a_backup_that_ended_badly_is_repeated_and_not_retried(installation: Installation) -> None:
    """Its form is reviewed by then; a retry of the run would change nothing."""
    open_backup(installation)
    procedures.close_procedure(installation.catalog, "r1", "gagal")
    _notice, boxes = told(installation, "gagal", run("FAILED", message="Gagal untuk simpel/data."))
    assert "Aplikasi: Sistem Kepegawaian\n" in boxes["kantor"]
    assert "isi “Mengulang formulir nomor”" in boxes["kantor"]


def test_an_office_without_targets_has_its_executors_told(installation: Installation) -> None:
    installation.office = installation.office.model_copy(update={"notice_targets": []})
    _notice, boxes = told(installation, "terputus", run("CRASHED"))
    assert [EXECUTOR] == list(boxes)


def test_that_there_is_nobody_to_tell_is_no_success(installation: Installation) -> None:
    installation.office = installation.office.model_copy(update={"notice_targets": []})
    verification(installation)
    without_contacts(installation)
    notice = compose(installation, "persetujuan", run(), NOW)
    wanted = ["neither the office nor an official who must act has a notice target"]
    assert wanted == send(installation, run(), notice)


def test_a_run_that_never_opened_its_procedure_is_told_of_with_what_there_is(installation: Installation) -> None:
    _notice, boxes = told(installation, "gagal", run("FAILED", message="a backup out of schedule needs a reason"))
    assert "Prosedur" not in boxes["kantor"]
    assert "Keadaan: a backup out of schedule needs a reason\n" in boxes["kantor"]
    assert recorded(installation) == []


def recorded(installation: Installation) -> list[notices.Notice]:
    with installation.catalog.read() as connection:
        return notices.list_notices(connection, "r1")


def test_what_was_sent_and_what_was_not_is_recorded_and_everybody_else_is_told(
    installation: Installation, tmp_path: Path
) -> None:
    verification(installation, excluded={})
    (tmp_path / f"{KABID}.url").write_text("kata-sandi-rahasia")
    notice = compose(installation, "persetujuan", run(), NOW)
    (trouble,) = send(installation, run(), notice)
    assert f"file:{tmp_path / KABID}.url: a notice target is no Apprise URL" == trouble
    assert (tmp_path / f"{OTHER_KABID}.txt").exists()
    found = {(each.recipient, each.delivered, each.step_id) for each in recorded(installation)}
    assert {(KABID, False, "restore.3"), (OTHER_KABID, True, "restore.3")} == found
    with installation.catalog.read() as connection:
        assert "kata-sandi-rahasia" not in str(ledger.entries(connection))


def test_a_long_reason_is_cut(installation: Installation) -> None:
    notice = compose(installation, "gagal", run("FAILED", message="x" * 10_000), NOW)
    assert f"Keadaan: {'x' * 500}…\n" in notice.body


@pytest.mark.parametrize(
    ("occasion", "state_type", "still"),
    [
        ("gagal", "FAILED", True),
        ("gagal", "RUNNING", False),
        ("terputus", "CRASHED", True),
        ("persetujuan", "PAUSED", True),
        ("persetujuan", "SCHEDULED", False),
        ("lewat-waktu", "RUNNING", False),
        ("tanpa-kabar", "RUNNING", True),
        ("tanpa-kabar", "COMPLETED", False),
        ("terlambat", "SCHEDULED", True),
        ("terlambat", "RUNNING", False),
    ],
)
def test_what_is_over_when_somebody_looks_is_not_told(occasion: Occasion, state_type: str, still: bool) -> None:
    begun = run(state_type, expected_at=NOW, started_at=NOW + timedelta(minutes=1))
    assert still is is_still_so(occasion, begun)


def test_what_a_closed_procedure_asked_needs_no_answer(installation: Installation) -> None:
    """Given up, or replaced by a newer one: its run may wait on, and nobody is reminded of it."""
    occasions: tuple[Occasion, ...] = ("persetujuan", "lewat-waktu", "gagal")
    assert not needs_no_answer(installation, "persetujuan", run()), "somebody has suspended a run that opened nothing"
    verification(installation)
    assert [False, False, False] == [needs_no_answer(installation, each, run()) for each in occasions]
    procedures.close_procedure(installation.catalog, "r1", procedures.GIVEN_UP)
    assert [True, True, False] == [needs_no_answer(installation, each, run()) for each in occasions]


def test_a_run_that_began_late_is_told_of_after_it_began(installation: Installation) -> None:
    """The worker that comes back starts the late run and its notice at the same time."""
    late = run("RUNNING", expected_at=NOW, started_at=NOW + timedelta(hours=5))
    assert is_still_so("terlambat", late)
    notice = compose(installation, "terlambat", late, NOW)
    wanted = "seharusnya dimulai Jumat, 20 November 2026 pukul 10.00.00 WIB, baru dimulai Jumat, 20 November 2026 pukul"
    assert f"Keadaan: {wanted} 15.00.00 WIB\n" in notice.body


def test_an_official_is_overdue_when_the_recorded_deadline_is_over(installation: Installation) -> None:
    """The deadline counts working days; it is the one that the guard goes by."""
    verification(installation)
    until = NOW + timedelta(days=4)
    steps.open_step(installation.catalog, "restore.3", "r1", deadline=lambda _opened: until)
    assert until == overdue_at(installation, run())
    assert f"Batas waktu: {format_moment(until)}\n" in compose(installation, "lewat-waktu", run(), NOW).body


def test_the_executors_start_which_has_no_deadline_is_given_the_sops_day(installation: Installation) -> None:
    asked = verification(installation, step_id=EXECUTOR_START, roles=("pelaksana",))
    assert deadline(asked.opened_at) == overdue_at(installation, run())
    assert "Langkah: Pelaksana memulai restore\n" in compose(installation, "lewat-waktu", run(), NOW).body


def test_a_run_without_a_sign_of_life_is_told_of(installation: Installation) -> None:
    """It may still work; whoever looks finds out on the worker."""
    notice = compose(installation, "tanpa-kabar", run("RUNNING"), NOW)
    assert "Keadaan: tercatat sedang berjalan, tetapi tidak lagi memberi tanda hidup\n" in notice.body
    assert f"Tindakan: {_LOST}\n" in notice.body


def test_a_run_that_somebody_suspended_by_hand_asks_nobody(installation: Installation) -> None:
    open_restore(installation)
    before = datetime.now(UTC)
    assert before <= overdue_at(installation, run()) <= datetime.now(UTC), "nobody has time left for it"
    _notice, boxes = told(installation, "persetujuan", run())
    assert "Keadaan: dihentikan sementara oleh seseorang; tidak ada persetujuan yang ditunggu\n" in boxes["kantor"]
