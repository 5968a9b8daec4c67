"""Jadwal Back Up."""

from dataclasses import replace

import pytest

from recovery.errors import FormError
from recovery.forms import render, schedule
from recovery.forms.model import Approval

LABELS = """Nomor jadwal; Tahun/periode; Nama aplikasi; Unit kerja pemilik data;
Kategori sistem elektronik (strategis/tinggi/rendah); Komponen; Jenis back up; Frekuensi dan waktu (WIB);
Lokasi penyimpanan utama/terpisah; Retensi; RPO/RTO; Pelaksana; Pemeriksa; Berlaku mulai; Disahkan oleh"""


def test_every_label_of_the_sop_is_printed(document, schedule_form, words):
    """The SOP's wording is law."""
    facts = schedule.build(document, schedule_form)
    text = words(render(facts).pdf)
    assert [] == [label for label in LABELS.replace("\n", " ").split("; ") if label.strip() not in text]
    assert "JADWAL BACK UP" in text
    assert "ABCD" == "".join(part.letter for part in facts.sections)
    assert ["TTE_Pengesah"] == [box.field for box in facts.signatures]


def test_both_applications_and_all_terms_are_printed(document, schedule_form, words):
    """What a backup run cites."""
    text = words(render(schedule.build(document, schedule_form)).pdf)
    for expected in (
        "Aplikasi 1: Sistem Informasi Kepegawaian",
        "Aplikasi 2: Layanan Aduan",
        "☐ strategis ☒ tinggi ☐ rendah",
        "Utama: Gudang utama Terpisah: Gudang terpisah",
        "RPO: 1 bulan RTO: 1 hari kerja",
        "Setiap tanggal 20 pukul 22.00 WIB Pengaturan penjadwal (cron): 0 22 20 * *",
        "5 Januari 2026",
        "Ir. Endang Lestari, M.Si., NIP 196904211994032001",
    ):
        assert expected in text


def test_the_document_says_whether_it_is_approved(document, schedule_form, words):
    """Nobody may take a draft for the schedule in force; an issued one carries its version beside its number."""
    draft = words(render(schedule.build(document, schedule_form)).pdf)
    assert f"Nomor jadwal {document.number} versi 1 " in draft
    assert "Status dokumen RANCANGAN – BELUM DISAHKAN " in draft
    approval = Approval(decision="disahkan", at="2026-11-20T03:05:00+00:00")
    form = replace(schedule_form, status=schedule.APPROVED, approval=approval)
    approved = words(render(schedule.build(replace(document, version=2), form)).pdf)
    assert f"Nomor jadwal {document.number} versi 2 " in approved
    assert "Status dokumen DISAHKAN " in approved
    assert "Disahkan secara elektronik melalui sistem pada Jumat, 20 November 2026 pukul 10.05.00 WIB" in approved


def test_a_draft_without_a_number_says_so(document, schedule_form, words):
    """It is no version of anything."""
    unnumbered = replace(document, number=schedule.UNNUMBERED, version=0)
    assert "belum bernomor" == schedule.build(unnumbered, schedule_form).sections[0].blocks[0].rows[0].value
    assert "Terbitan" not in words(render(schedule.build(unnumbered, schedule_form)).pdf)


def test_a_schedule_without_an_offsite_store_says_so(document, schedule_form):
    """The dash stands beside the word."""
    facts = schedule.build(document, replace(schedule_form, offsite_location=""))
    assert "Utama: Gudang utama\nTerpisah: –" == facts.sections[2].blocks[0].rows[1].value


def test_a_schedule_without_applications_is_refused(document, schedule_form):
    """It would back up nothing."""
    with pytest.raises(FormError, match="a schedule needs at least one application"):
        schedule.build(document, replace(schedule_form, applications=()))
