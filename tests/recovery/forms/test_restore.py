"""Formulir Pelaksanaan Restore Data."""

from dataclasses import replace

import pytest

from recovery.errors import FormError
from recovery.forms import render, restore

LABELS = """Dasar; Nomor formulir; Nomor permintaan; ID eksekusi; Pelaksana; Sebelum;
Layanan dihentikan (waktu, bukti tanpa transaksi); Salinan pengaman (nama, sidik); Pelaksanaan; Nama berkas cadangan;
SHA-256 dicocokkan; Titik pulih; Server/basis data tujuan; Mulai–selesai; Hasil verifikasi; Sesudah;
Layanan diaktifkan (waktu); Hasil uji layanan; Lama henti; Data yang tidak terpulihkan;
Status (Berhasil / Sebagian / Gagal–dikembalikan ke salinan pengaman); Kendala; Pemberitahuan; Kepada, tanggal, cara;
Diterima pemohon (tanggal; sesuai/tidak sesuai; catatan); Kabid; (mengetahui); Pemohon"""


def test_every_label_of_the_sop_is_printed(document, restore_form, words):
    """The SOP's wording is law."""
    facts = restore.build(document, restore_form)
    text = words(render(facts).pdf)
    # One label holds semicolons of its own.
    labels = LABELS.replace("\n", " ").replace("tanggal; sesuai/tidak sesuai; ", "@").split("; ")
    labels = [label.replace("@", "tanggal; sesuai/tidak sesuai; ").strip() for label in labels]
    assert [] == [label for label in labels if label not in text]
    assert "FORMULIR PELAKSANAAN RESTORE DATA" in text
    assert "ABCDEF" == "".join(part.letter for part in facts.sections)
    assert ["TTE_Pelaksana", "TTE_Kabid", "TTE_Pemohon"] == [box.field for box in facts.signatures]


def test_a_restore_that_succeeded_says_what_was_done_when(document, restore_form, words):
    """Stop, swap, start, downtime, losses, notice and answer."""
    text = words(render(restore.build(document, restore_form)).pdf)
    for expected in (
        "Jumat, 20 November 2026 pukul 10.00.55 WIB tidak ada proses yang membuka data",
        "Basis data: .simpeg.db.pulih-aman " + "9c" * 32,
        "3f1c" * 16 + " cocok",
        "Rabu, 18 November 2026 pukul 22.00.03 WIB",
        "Jumat, 20 November 2026 pukul 10.01.00–10.01.02 WIB (2 detik)",
        "14 detik",
        "☒ Berhasil ☐ Sebagian",
        "Badan Kepegawaian Daerah, Jumat, 20 November 2026 pukul 10.05.00 WIB, surel dinas",
        "Jumat, 20 November 2026 pukul 13.00.00 WIB; sesuai; catatan: Data tampil kembali",
        "Dinyatakan sesuai secara elektronik melalui sistem",
    ):
        assert expected in text


def test_a_restore_that_failed_says_so_in_the_same_place(document, restore_form, words):
    """The true status, ticked and bold like any other, and the problem in words."""
    form = replace(restore_form, status=restore.FAILED, problems="Layanan tidak menjawab dalam 60 detik.")
    text = words(render(restore.build(document, form)).pdf)
    assert "☐ Berhasil ☐ Sebagian ☒ Gagal–dikembalikan ke salinan pengaman" in text
    assert "Layanan tidak menjawab dalam 60 detik." in text


def test_bytes_that_did_not_match_are_said_loudly(document, restore_form):
    """Matched, not matched and not compared are three things."""
    component = restore_form.components[0]
    shown = []
    for matched in (True, False, None):
        facts = restore.build(document, replace(restore_form, components=(replace(component, matched=matched),)))
        shown.append(facts.sections[2].blocks[0].rows[1].value.split("\n")[-1])
    assert ["cocok", "TIDAK COCOK", "belum dicocokkan"] == shown


def test_an_unknown_downtime_is_a_dash_and_not_zero(document, restore_form):
    """Nothing is invented."""
    unknown = restore.build(document, replace(restore_form, downtime=None, started_at=""))
    assert ["–", "menjawab 200", "–"] == [row.value for row in unknown.sections[3].blocks[0].rows[:3]]
    zero = restore.build(document, replace(restore_form, downtime=0.0))
    assert "0 detik" == zero.sections[3].blocks[0].rows[2].value


def test_each_component_has_its_block(document, restore_form):
    """Also when they are many."""
    part = restore_form.components[0]
    facts = restore.build(document, replace(restore_form, components=(part, replace(part, component="Berkas"), part)))
    assert ["Komponen 1: Basis data", "Komponen 2: Berkas", "Komponen 3: Basis data"] == [
        block.title for block in facts.sections[2].blocks
    ]


def test_an_unknown_status_is_refused(document, restore_form):
    """Only the SOP's three."""
    with pytest.raises(FormError, match="'selesai' is not a status of a restore"):
        restore.build(document, replace(restore_form, status="selesai"))


def test_a_form_without_components_is_refused(document, restore_form):
    """There is nothing to tell."""
    with pytest.raises(FormError, match="a restore form needs at least one component"):
        restore.build(document, replace(restore_form, components=()))
