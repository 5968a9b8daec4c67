"""One example of each form, and a reader of what is printed."""

import re
import subprocess
from dataclasses import replace

import pytest

from recovery.forms import backup, restore, restore_request, schedule
from recovery.forms.model import Approval, Document, Letterhead, Official

EXECUTOR = Official(name="Siti Rahmawati, S.Kom.", nip="199003152015032004", position="Pranata Komputer Ahli Muda")
REVIEWER = Official(name="Drs. Bambang Wijaya, M.T.", nip="197508171999031002", position="Kabid Aptika")
HEAD = Official(name="Ir. Endang Lestari, M.Si.", nip="196904211994032001", position="Plt. Kepala Dinas Kominfo")
REQUESTER = Official(name="Agus Prasetyo, S.STP.", nip="198212052005011003", position="Kepala BKD")


@pytest.fixture
def document():
    """What every form needs beside its content."""
    return Document(
        number="014/FPB/KOMINFO/XI/2026",
        created_at="2026-11-20T15:15:00.000000+00:00",
        letterhead=Letterhead(
            government="PEMERINTAH KABUPATEN TRENGGALEK",
            office="DINAS KOMUNIKASI DAN INFORMATIKA",
            address="Jalan Brigjen Sutran No. 9, Trenggalek",
        ),
        place="Trenggalek",
        legal_basis=("UU 25/2009 tentang Pelayanan Publik",),
    )


@pytest.fixture
def good_asset():
    """A component whose backup was proven and stored."""
    return backup.BackupAsset(
        application="Sistem Informasi Kepegawaian",
        owner_unit="Badan Kepegawaian Daerah",
        server="srv-aplikasi-01",
        component="Basis data",
        location="/srv/simpeg/simpeg.db",
        source_version="SQLite 3.40.1",
        data_kind="data pegawai",
        classification="terbatas",
        personal_data="umum",
        status="berhasil",
        name="simpeg_basis-data_full_20261120t220003+0700",
        size=1610612736,
        objects=1234567,
        objects_unit="baris dalam 12 tabel",
        sha256="3f1c" * 16,
        verification="27 dari 27 pemeriksaan lulus",
        test_restore="12 tabel sama dengan sumber",
        main_location="Gudang utama",
        encryption="age (X25519)",
        key_holders="Kepala Dinas",
        locked_until="2026-12-20T15:00:00+00:00",
        retention_until="2027-11-20",
    )


@pytest.fixture
def failed_asset(good_asset):
    """A component whose backup failed before it got a name."""
    return replace(
        good_asset,
        component="Berkas unggahan",
        status="gagal",
        failure="sumber rusak: 3 berkas tidak dapat dibaca",
        name="",
        size=None,
        objects=None,
        sha256="",
        verification="",
        test_restore="",
        main_location="",
    )


@pytest.fixture
def backup_form(good_asset):
    """A run that went well and is not reviewed yet."""
    return backup.BackupForm(
        schedule="001/JBU/KOMINFO/I/2026",
        routine=True,
        started_at="2026-11-20T15:00:03+00:00",
        ended_at="2026-11-20T15:03:07+00:00",
        execution_id="0191f2c4-7a5e-7c1b-9e39-0d3b2a4f6c88",
        assets=(good_asset,),
        executor=EXECUTOR,
        reviewer=REVIEWER,
    )


@pytest.fixture
def request_form():
    """A request that nobody has decided on yet."""
    return restore_request.RestoreRequestForm(
        letter_number="800/512/406.030/2026",
        letter_date="2026-11-19",
        unit="Badan Kepegawaian Daerah",
        requester=REQUESTER,
        contact="bkd@trenggalekkab.go.id",
        signing_official="Kepala BKD",
        application="Sistem Informasi Kepegawaian",
        components=("Basis data", "Berkas unggahan"),
        damage="Tabel riwayat jabatan terhapus.",
        occurred_at="2026-11-19T01:30:00+00:00",
        data_kind="data pegawai",
        personal_data="umum",
        authority="pemilik data",
        accepts_loss=True,
        urgency="segera",
        downtime_allowed="2 jam",
        attachments=("Surat permintaan",),
        responsibility="Saya bertanggung jawab.",
        disposer=HEAD,
        verifier=REVIEWER,
    )


@pytest.fixture
def restore_form():
    """A restore that succeeded and was reported."""
    return restore.RestoreForm(
        request_number="003/FPR/KOMINFO/XI/2026",
        execution_id="0191f2c4-7a5e-7c1b-9e39-0d3b2a4f6c99",
        executor=EXECUTOR,
        approver=REVIEWER,
        requester=REQUESTER,
        stopped_at="2026-11-20T03:00:55+00:00",
        quiet="tidak ada proses yang membuka data",
        safety_copies=(restore.SafetyCopy(component="Basis data", name=".simpeg.db.pulih-aman", digest="9c" * 32),),
        components=(
            restore.RestoredComponent(
                component="Basis data",
                backup_name="simpeg_basis-data_full_20261118t220003+0700",
                sha256="3f1c" * 16,
                matched=True,
                recovery_point="2026-11-18T15:00:03+00:00",
                target="srv-aplikasi-01: /srv/simpeg/simpeg.db",
                started_at="2026-11-20T03:01:00+00:00",
                ended_at="2026-11-20T03:01:02+00:00",
                verification="27 dari 27 pemeriksaan lulus",
            ),
        ),
        started_at="2026-11-20T03:01:09+00:00",
        service_test="menjawab 200",
        downtime=14,
        unrecovered="37 baris dalam 2 tabel",
        status=restore.SUCCEEDED,
        notification=restore.Notification(
            recipient="Badan Kepegawaian Daerah",
            sent_at="2026-11-20T03:05:00+00:00",
            channel="surel dinas",
            received_at="2026-11-20T06:00:00+00:00",
            received="sesuai",
            note="Data tampil kembali",
            approval=Approval(decision="sesuai", at="2026-11-20T06:00:00+00:00"),
        ),
    )


@pytest.fixture
def schedule_form():
    """A schedule of two applications, signed by the head."""
    return schedule.ScheduleForm(
        status=schedule.DRAFT,
        period="2026",
        applications=(
            schedule.ScheduledApplication(
                name="Sistem Informasi Kepegawaian",
                owner_unit="Badan Kepegawaian Daerah",
                category="tinggi",
                components=("Basis data", "Berkas unggahan"),
            ),
            schedule.ScheduledApplication(
                name="Layanan Aduan", owner_unit="Dinas Kominfo", category="rendah", components=("Basis data",)
            ),
        ),
        frequency="Setiap tanggal 20 pukul 22.00 WIB",
        cron="0 22 20 * *",
        main_location="Gudang utama",
        offsite_location="Gudang terpisah",
        retention="365 hari",
        recovery_point_objective="1 bulan",
        recovery_time_objective="1 hari kerja",
        executor=EXECUTOR,
        reviewer=REVIEWER,
        valid_from="2026-01-05",
        approved_by=HEAD,
    )


@pytest.fixture
def printed(tmp_path):
    """A function that gives a PDF's text, page by page, as laid out (needs poppler's pdftotext)."""

    def read(pdf: bytes) -> list[str]:
        path = tmp_path / "printed.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(["pdftotext", "-layout", str(path), "-"], capture_output=True, check=True)
        return done.stdout.decode("utf-8").split("\f")[:-1]

    return read


@pytest.fixture
def words(tmp_path):
    """A function that gives a PDF's whole text in reading order with single spaces: wrapped labels become whole."""

    def read(pdf: bytes) -> str:
        path = tmp_path / "words.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(["pdftotext", "-raw", str(path), "-"], capture_output=True, check=True)
        text = re.sub(r"\s+", " ", done.stdout.decode("utf-8"))
        # A label broken after a slash or a dash is still the label.
        return re.sub(r"(?<=\w[/–]) (?=\w)", "", text)

    return read
