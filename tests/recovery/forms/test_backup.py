"""Formulir Pelaksanaan Back Up Data."""

from dataclasses import replace

import pytest

from recovery.errors import FormError
from recovery.forms import backup, render
from recovery.forms.model import Approval, Official

LABELS = """Identitas; Nomor formulir; Jadwal (dasar); Rutin/di luar jadwal + alasan; Waktu mulai–selesai; ID eksekusi;
Objek; Nama aplikasi; Unit kerja pemilik data; Server; Basis data/direktori (versi); Jenis data; Klasifikasi;
Memuat data pribadi (tidak/umum/spesifik); Jenis back up;
Hasil; Status; Nama berkas sesuai ketentuan; Ukuran; Jumlah objek; SHA-256; Cara dan hasil pemeriksaan; Uji pulih;
Pengamanan; Lokasi utama; Lokasi terpisah; Enkripsi; Pemegang kunci; Terkunci sampai; Retensi/tanggal pemusnahan;
Kendala dan tindak lanjut; Pemeriksaan Kabid; Sesuai jadwal; Berhasil diverifikasi; Nama sesuai ketentuan;
Tersimpan aman; Kesimpulan (sesuai/tidak sesuai); Catatan; Pelaksana; Kabid Aptika"""


def rows(facts, letter):
    """The rows of one section as (label, value)."""
    section = next(part for part in facts.sections if part.letter == letter)
    return [(row.label, row.value) for block in section.blocks for row in block.rows]


def test_every_label_of_the_sop_is_printed(document, backup_form, words):
    """The SOP's wording is law."""
    text = words(render(backup.build(document, backup_form)).pdf)
    assert [] == [label for label in LABELS.replace("\n", " ").split("; ") if label.strip() not in text]
    assert "FORMULIR PELAKSANAAN BACK UP DATA" in text
    assert "ABCDEF" == "".join(part.letter for part in backup.build(document, backup_form).sections)


def test_values_are_printed_in_indonesian(document, backup_form, words):
    """Times in WIB, sizes and counts with dots and commas, names and digests whole."""
    text = words(render(backup.build(document, backup_form)).pdf)
    for expected in (
        "Jumat, 20 November 2026 pukul 22.00.03–22.03.07 WIB (3 menit 4 detik)",
        "1,5 GiB (1.610.612.736 byte)",
        "1.234.567 baris dalam 12 tabel",
        "/srv/simpeg/simpeg.db (SQLite 3.40.1)",
        "simpeg_basis-data_full_20261120t220003+0700",
        "3f1c" * 16,
        "Minggu, 20 Desember 2026 pukul 22.00.00 WIB",
        "20 November 2027",
        "NIP 199003152015032004",
    ):
        assert expected in text


def test_each_asset_has_its_block_in_object_result_and_safety(document, backup_form, good_asset, failed_asset):
    """Also when two assets are the same in every fact."""
    facts = backup.build(document, replace(backup_form, assets=(good_asset, failed_asset, good_asset)))
    for part in facts.sections[1:4]:
        assert [
            "Aset 1: Sistem Informasi Kepegawaian – Basis data",
            "Aset 2: Sistem Informasi Kepegawaian – Berkas unggahan",
            "Aset 3: Sistem Informasi Kepegawaian – Basis data",
        ] == [block.title for block in part.blocks]


def test_a_failed_backup_is_printed_as_plainly_as_one_that_passed(document, backup_form, good_asset, failed_asset):
    """Same place, same style, every row there, and named among the problems without anybody typing it."""
    facts = backup.build(document, replace(backup_form, assets=(good_asset, failed_asset), problems="Izin dicabut."))
    passed, failed = (block.rows for block in facts.sections[2].blocks)
    assert [(row.label, row.style) for row in passed] == [(row.label, row.style) for row in failed]
    assert ("BERHASIL", "strong") == (passed[0].value, passed[0].style)
    assert ("GAGAL – sumber rusak: 3 berkas tidak dapat dibaca", "strong") == (failed[0].value, failed[0].style)
    assert (
        "Kendala",
        "1 dari 2 aset TIDAK BERHASIL:\n"
        "Aset 2: Sistem Informasi Kepegawaian – Berkas unggahan: GAGAL – sumber rusak: 3 berkas tidak dapat dibaca\n"
        "Izin dicabut.",
    ) == rows(facts, "E")[0]


def test_a_checker_that_could_not_look_is_no_failure_of_the_backup(document, backup_form, good_asset):
    """The verdicts are never merged."""
    facts = backup.build(document, replace(backup_form, assets=(replace(good_asset, status="tidak dapat diperiksa"),)))
    assert ("Status", "TIDAK DAPAT DIPERIKSA") == rows(facts, "C")[0]
    assert "1 dari 1 aset TIDAK BERHASIL" in rows(facts, "E")[0][1]


def test_what_is_not_known_is_a_dash(document, backup_form, good_asset, failed_asset, words):
    """An unknown size is not zero bytes."""
    failed = rows(backup.build(document, replace(backup_form, assets=(failed_asset,))), "C")
    assert [("Ukuran", "–"), ("Jumlah objek", "–"), ("SHA-256", "")] == failed[2:5]
    text = words(render(backup.build(document, replace(backup_form, assets=(failed_asset,)))).pdf)
    assert "Ukuran – Jumlah objek – SHA-256 – " in text
    empty = rows(backup.build(document, replace(backup_form, assets=(replace(good_asset, size=0, objects=0),))), "C")
    assert [("Ukuran", "0 byte (0 byte)"), ("Jumlah objek", "0 baris dalam 12 tabel")] == empty[2:4]


def test_a_run_out_of_schedule_says_why(document, backup_form):
    """SOP, A: rutin or out of schedule with the reason."""
    facts = backup.build(document, replace(backup_form, routine=False, reason="Sebelum pembaruan"))
    assert ("Rutin/di luar jadwal + alasan", "di luar jadwal\nAlasan: Sebelum pembaruan") == rows(facts, "A")[2]


def test_before_the_review_nothing_looks_decided(document, backup_form, printed):
    """No box is ticked, no date, no approval and no note about approvals."""
    form = render(backup.build(document, backup_form))
    last = printed(form.pdf)[-1]
    assert "Trenggalek, …" in last
    assert "☒ sesuai" not in last
    assert "secara elektronik" not in last.replace("ditandatangani secara elektronik", "")


def test_the_review_is_printed_with_its_time_and_method(document, backup_form, words):
    """As a record of the system that claims no signature."""
    review = backup.BackupReview(
        on_schedule=True,
        verified=True,
        named=True,
        secured=False,
        conclusion="tidak sesuai",
        note="Lengkapi lokasi terpisah.",
        approval=Approval(decision="tidak sesuai", at="2026-11-23T02:11:09+00:00"),
    )
    text = words(render(backup.build(document, replace(backup_form, review=review))).pdf)
    assert "☐ ya ☒ tidak" in text
    assert "☐ sesuai ☒ tidak sesuai" in text
    assert (
        "Dinyatakan tidak sesuai secara elektronik melalui sistem pada Senin, 23 November 2026 pukul 09.11.09 WIB "
        "dengan kode sekali pakai (TOTP)."
    ) in text
    assert "Trenggalek, 23 November 2026" in text
    assert "bukan tanda tangan elektronik maupun tanda tangan basah" in text


def test_a_form_without_assets_is_refused(document, backup_form):
    """There is nothing to review."""
    with pytest.raises(FormError, match="a backup form needs at least one asset"):
        backup.build(document, replace(backup_form, assets=()))


def test_an_unknown_status_is_refused(document, backup_form, good_asset):
    """A fourth word would be read as one of the three."""
    with pytest.raises(FormError, match="'ok' is not a status of a backup"):
        backup.build(document, replace(backup_form, assets=(replace(good_asset, status="ok"),)))


def test_a_form_with_the_least_facts_is_still_whole(document, backup_form, words):
    """Every label, and dashes."""
    asset = backup.BackupAsset(application="", owner_unit="", server="", component="", location="", status="gagal")
    form = replace(backup_form, schedule="", assets=(asset,), executor=Official(), reviewer=Official())
    text = words(render(backup.build(document, form)).pdf)
    assert "Jadwal (dasar) –" in text
    assert "NIP –" in text
