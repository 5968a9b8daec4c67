"""Facts of forms: what may stand there and what may not."""

import json
from dataclasses import replace

import pytest

from recovery.canonical import canonical_json
from recovery.errors import FormError
from recovery.forms import backup
from recovery.forms.model import (
    APPROVAL_NOTE,
    BSRE_NOTE,
    LEGAL_NOTE,
    Approval,
    approval_text,
    contains_nik,
    mask_nik,
)


@pytest.mark.parametrize(
    "nik", ["3503011203850001", "3503-0112-0385-0001", "3503 0112 0385 0001", "35.03.01.120385.0001"]
)
def test_a_nik_never_stands_on_a_form(document, backup_form, nik):
    """It is personal data; the error names the place and not the number."""
    with pytest.raises(FormError) as caught:
        backup.build(document, replace(backup_form, problems=f"pegawai {nik} melapor"))
    message = str(caught.value)
    assert "a 16-digit number (a NIK?) stands in" in message
    assert "Kendala" in message
    assert nik not in message


@pytest.mark.parametrize(
    "text",
    [
        "198212052005011003",
        "19821205 200501 1 003",
        "a" + "3503011203850001" + "f" * 47,
        "1.610.612.736 byte",
        "20261120t220003+0700",
        "0191f2c4-7a5e-7c1b-9e39-0d3b2a4f6c88",
        "2026-11-20T15:00:03.000000+00:00",
    ],
)
def test_a_nip_a_digest_or_a_time_is_no_nik(text):
    """A false alarm would hold a form back."""
    assert not contains_nik(text)


def test_a_nik_in_text_that_nobody_can_change_is_masked():
    """For errors of programs that repeat what they read."""
    assert "baris [NIK disamarkan] rusak" == mask_nik("baris 3503011203850001 rusak")


def test_the_facts_are_plain_data_that_names_its_version(document, backup_form):
    """A reader of the attachment looks at facts_version first."""
    facts = backup.build(document, backup_form).to_json()
    assert facts == json.loads(canonical_json(facts))
    assert 1 == facts["facts_version"]
    assert "1.0" == facts["form_version"]
    assert "060/017/406.020/2023" == facts["sop_number"]
    assert "backup" == facts["kind"]


def test_half_characters_of_odd_file_names_become_text(document, backup_form):
    """Bytes that are not UTF-8 are shown; a JSON text cannot hold them."""
    facts = backup.build(document, replace(backup_form, problems="berkas \udcff\udce9 dan \ud83d")).to_json()
    assert "berkas \\xff\\xe9 dan \\ud83d" == facts["sections"][4]["blocks"][0]["rows"][0]["value"]


def test_the_bsre_sentence_stands_only_where_it_is_true(document, backup_form):
    """Never by default; the note of UU ITE always."""
    plain = backup.build(document, backup_form)
    signed = backup.build(replace(document, signed_with_bsre=True), backup_form)
    assert (LEGAL_NOTE,) == plain.notes
    assert (LEGAL_NOTE, BSRE_NOTE) == signed.notes
    assert (
        "Informasi Elektronik dan/atau Dokumen Elektronik dan/atau hasil cetaknya merupakan alat bukti hukum yang sah."
        in (LEGAL_NOTE)
    )


def test_an_approval_claims_no_signature():
    """It is a record of the system."""
    text = approval_text(Approval(decision="disetujui", at="2026-11-20T15:00:03+00:00"))
    assert text == (
        "Disetujui secara elektronik melalui sistem pada Jumat, 20 November 2026 pukul 22.00.03 WIB "
        "dengan kode sekali pakai (TOTP)."
    )
    assert "tanda tangan" not in text
    assert "bukan tanda tangan elektronik" in APPROVAL_NOTE
    assert "" == approval_text(None)


def test_a_decision_that_no_form_knows_is_refused():
    """It would be printed as something that nobody decided."""
    with pytest.raises(FormError, match="'oke' is not a decision that a form knows"):
        approval_text(Approval(decision="oke", at="2026-11-20T15:00:03+00:00"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": " "}, "the form 'Formulir Pelaksanaan Back Up Data' has no number"),
        ({"number": "9" * 7 + "/" + "x" * 120}, "is not one line of at most 120 characters"),
        ({"number": "1\n2"}, "is not one line of at most 120 characters"),
        ({"created_at": "kemarin"}, "the form has no usable time of creation: 'kemarin' is not a time"),
        ({"created_at": "2026-11-20T15:15:00"}, "has no zone"),
    ],
)
def test_a_document_without_a_usable_number_or_time_is_refused(document, backup_form, change, message):
    """Both are needed to find the form again and to render it twice alike."""
    with pytest.raises(FormError, match=message):
        backup.build(replace(document, **change), backup_form)
