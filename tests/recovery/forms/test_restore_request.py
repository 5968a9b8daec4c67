"""Formulir Permintaan Restore Data."""

from dataclasses import replace

import pytest

from recovery.errors import FormError
from recovery.forms import render, restore_request
from recovery.forms.model import Approval

LABELS = """Pemohon; Nomor dan tanggal surat; Unit kerja; Nama, NIP, jabatan; Kontak dinas; Pejabat penandatangan;
Data; Nama aplikasi; Komponen; Seluruh/sebagian; Uraian kerusakan dan penyebab; Waktu kejadian;
Titik pulih yang diminta (bawaan: cadangan terbaru terverifikasi); Jenis data; Data pribadi; Dasar kewenangan;
Persetujuan kehilangan data sesudah titik pulih; Urgensi; Waktu henti yang diizinkan; Lampiran;
Pernyataan tanggung jawab; Disposisi Kadis; Nomor agenda; Diterima tanggal; Sifat; Diteruskan kepada; Instruksi;
Tanggal; Verifikasi Kabid; Jenis data sesuai; Pemohon berwenang; Cadangan tersedia dan utuh; Dampak ke unit lain;
Penanganan data pribadi; Keputusan; Alasan; Pemohon/kepala unit; Kadis; Kabid"""


def value(facts, label):
    """The value of the row with this label."""
    return next(
        row.value for part in facts.sections for block in part.blocks for row in block.rows if row.label == label
    )


def test_every_label_of_the_sop_is_printed(document, request_form, words):
    """The SOP's wording is law."""
    facts = restore_request.build(document, request_form)
    text = words(render(facts).pdf)
    assert [] == [label for label in LABELS.replace("\n", " ").split("; ") if label.strip() not in text]
    assert "FORMULIR PERMINTAAN RESTORE DATA" in text
    assert "ABCD" == "".join(part.letter for part in facts.sections)
    assert ["TTE_Pemohon", "TTE_Kadis", "TTE_Kabid"] == [box.field for box in facts.signatures]


def test_without_a_wish_the_newest_verified_backup_is_asked_for(document, request_form):
    """The SOP's "data terbaru", as we read it."""
    label = "Titik pulih yang diminta (bawaan: cadangan terbaru terverifikasi)"
    assert "cadangan terbaru terverifikasi" == value(restore_request.build(document, request_form), label)
    other = replace(request_form, recovery_point="Senin, 2 November 2026", recovery_point_reason="sebelum kesalahan")
    assert "Senin, 2 November 2026\nAlasan: sebelum kesalahan" == value(restore_request.build(document, other), label)


def test_the_requester_is_one_line_with_his_nip(document, request_form):
    """Nama, NIP, jabatan."""
    facts = restore_request.build(document, request_form)
    assert "Agus Prasetyo, S.STP., NIP 198212052005011003, Kepala BKD" == value(facts, "Nama, NIP, jabatan")
    assert "800/512/406.030/2026, tanggal 19 November 2026" == value(facts, "Nomor dan tanggal surat")


def test_disposition_and_verification_are_printed_with_who_and_when(document, request_form, words):
    """Both decisions stand in their boxes as records of the system."""
    form = replace(
        request_form,
        disposition=restore_request.Disposition(
            agenda_number="2031",
            received_on="2026-11-19",
            forwarded_to="Kabid Aptika",
            disposed_on="2026-11-19T06:20:00+00:00",
            approval=Approval(decision="diteruskan", at="2026-11-19T06:20:00+00:00"),
        ),
        verification=restore_request.DataVerification(
            data_kind_matches=True,
            requester_authorised=True,
            backup_available=True,
            decision="disetujui",
            decided_on="2026-11-19T07:45:00+00:00",
            approval=Approval(decision="disetujui", at="2026-11-19T07:45:00+00:00"),
        ),
    )
    text = words(render(restore_request.build(document, form)).pdf)
    kadis = "Diteruskan secara elektronik melalui sistem pada Kamis, 19 November 2026 pukul 13.20.00 WIB"
    kabid = "Disetujui secara elektronik melalui sistem pada Kamis, 19 November 2026 pukul 14.45.00 WIB"
    assert kadis in text
    assert kabid in text
    assert "☒ disetujui ☐ ditolak" in text


def test_a_rejection_is_printed_with_its_reason(document, request_form, words):
    """The SOP ends the procedure with the reason."""
    rejected = restore_request.DataVerification(decision="ditolak", reason="Pemohon bukan pemilik data.")
    text = words(render(restore_request.build(document, replace(request_form, verification=rejected))).pdf)
    assert "☐ disetujui ☒ ditolak" in text
    assert "Pemohon bukan pemilik data." in text


def test_a_rejection_without_a_reason_is_refused(document, request_form):
    """So that no requester is left without one."""
    rejected = restore_request.DataVerification(decision="ditolak", reason=" ")
    with pytest.raises(FormError, match="a rejection without a reason cannot stand on the form"):
        restore_request.build(document, replace(request_form, verification=rejected))


@pytest.mark.parametrize(("accepts", "expected"), [(None, ""), (True, "setuju"), (False, "tidak setuju")])
def test_agreement_to_lose_data_is_never_assumed(document, request_form, accepts, expected):
    """Silence is not consent."""
    facts = restore_request.build(document, replace(request_form, accepts_loss=accepts))
    assert expected == value(facts, "Persetujuan kehilangan data sesudah titik pulih")
