"""Berita Acara Pemusnahan."""

from dataclasses import replace

import pytest

from recovery.errors import FormError
from recovery.forms import destruction, render
from recovery.forms.destruction import ComponentCount, DestructionForm, ListedSet
from recovery.forms.model import Approval, Official


@pytest.fixture
def listed():
    return ListedSet(
        name="simpel_data_full_20250101t220003+0700",
        component="SIMPEL – Basis data (simpel/data)",
        schedule="harian",
        moment="2025-01-01T15:00:03+00:00",
        size=1 << 20,
        stores=("Gudang utama", "Gudang terpisah"),
        manifest_sha256="ab" * 32,
        reason="Melewati masa simpan 90 hari",
    )


@pytest.fixture
def form(listed):
    return DestructionForm(
        status=destruction.PROPOSED,
        drawn_up_at="2026-11-20T02:00:00+00:00",
        procedure_id="0193-a",
        plan_sha256="cd" * 32,
        components=(ComponentCount(name="SIMPEL", verified=9, verified_after=8, promised=3, destroyed=1),),
        sets=(listed,),
        waiting=(),
        executor=Official(),
        official=Official(),
    )


def test_a_proposal_says_what_goes_why_how_and_what_stays(document, form, words):
    """Before anybody has decided: nothing on it may look as if something were destroyed."""
    facts = destruction.build(document, form)
    text = words(render(facts).pdf)
    for expected in (
        "BERITA ACARA PEMUSNAHAN CADANGAN",
        "USULAN – BELUM DISETUJUI, BELUM ADA YANG DIMUSNAHKAN",
        "1 (2 MiB di semua penyimpanan)",
        "9 cadangan terverifikasi, dimusnahkan 1, tetap ada 8 (ketentuan: paling sedikit 3)",
        "Rabu, 1 Januari 2025 pukul 22.00.03 WIB",
        "Gudang utama Gudang terpisah",
        "Tanda tangan manifest dihapus lebih dahulu",
    ):
        assert expected in text
    assert "Hasil" not in text
    assert "ABCD" == "".join(part.letter for part in facts.sections)
    assert ["TTE_Pelaksana", "TTE_Saksi", "TTE_Kabid"] == [box.field for box in facts.signatures]


def test_the_final_version_says_what_became_of_each(document, form, listed, words):
    """With the decision in the box, and what waits for a lock apart."""
    done = replace(
        form,
        status=destruction.PARTLY,
        sets=(replace(listed, result="TIDAK DIMUSNAHKAN – ditahan (penahanan hukum)"),),
        waiting=(replace(listed, name="terkunci", reason="Menunggu: locked until 2027"),),
        approval=Approval(decision="disetujui", at="2026-11-20T03:05:00+00:00"),
        note="Setuju",
    )
    facts = destruction.build(replace(document, version=2), done)
    text = words(render(facts).pdf)
    for expected in (
        "SELESAI SEBAGIAN",
        "Hasil TIDAK DIMUSNAHKAN – ditahan (penahanan hukum)",
        "D. Menunggu kunci berakhir (tidak dimusnahkan sekarang)",
        "Menunggu: locked until 2027",
        "Catatan pejabat Setuju",
        "Disetujui secara elektronik melalui sistem pada Jumat, 20 November 2026 pukul 10.05.00 WIB",
    ):
        assert expected in text
    assert "ABCDE" == "".join(part.letter for part in facts.sections)


def test_a_record_of_nothing_is_refused(document, form):
    """It would be a paper that says nothing."""
    with pytest.raises(FormError, match="at least one set"):
        destruction.build(document, replace(form, sets=()))
