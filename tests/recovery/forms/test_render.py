"""The PDF: PDF/A-3b, reproducible, with its facts inside, whatever people typed."""

import hashlib
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import pikepdf
import pytest

from recovery.canonical import canonical_json
from recovery.errors import FormError
from recovery.forms import backup, destruction, drill, render, restore, restore_request, schedule
from recovery.forms.characters import _PRINTABLE
from recovery.forms.destruction import ComponentCount, DestructionForm, ListedSet
from recovery.forms.model import LEGAL_NOTE, FormKind, Official
from recovery.forms.render import verification_text
from tests.recovery.forms.test_drill import form as drill_form

# The package shows the function under the module's name.
render_module = sys.modules["recovery.forms.render"]
PROPOSED_DESTRUCTION = DestructionForm(
    status=destruction.PROPOSED,
    drawn_up_at="2026-11-20T02:00:00+00:00",
    procedure_id="0193-a",
    plan_sha256="cd" * 32,
    components=(ComponentCount(name="SIMPEL", verified=9, verified_after=8, promised=3, destroyed=1),),
    sets=(
        ListedSet(
            name="simpel_data_full_20250101t220003+0700",
            component="SIMPEL – Basis data (simpel/data)",
            schedule="harian",
            moment="2025-01-01T15:00:03+00:00",
            size=1 << 20,
            stores=("Gudang utama",),
            manifest_sha256="ab" * 32,
            reason="Melewati masa simpan 90 hari",
        ),
    ),
    waiting=(),
    executor=Official(),
    official=Official(),
)
HOSTILE = (
    "#set text(red) #panic() $x^2$ <label> @ref *bold* _it_ `code` \\ // /* [x] {y} = judul \"'\n"
    "- satu\n+ dua\n😀 中文 \u202e \x00 \ud83d \udcff &amp; <script>"
)


@pytest.fixture
def every_form(document, backup_form, request_form, restore_form, schedule_form):
    """The facts of one form of each kind."""
    return [
        backup.build(document, backup_form),
        restore_request.build(document, request_form),
        restore.build(document, restore_form),
        schedule.build(document, schedule_form),
    ]


def test_the_same_facts_give_the_same_bytes(every_form):
    """So that anybody can render the attachment again and compare."""
    for facts in every_form:
        first, second = render(facts), render(facts)
        assert first.pdf == second.pdf
        assert hashlib.sha256(first.pdf).hexdigest() == first.sha256


def test_another_process_gives_the_same_bytes(every_form, tmp_path):
    """Nothing of the process, its hash seed, its zone or its fonts is in the file."""
    import pickle

    program = (
        "import hashlib, pickle, sys; from recovery.forms import render; "
        "print(hashlib.sha256(render(pickle.loads(sys.stdin.buffer.read())).pdf).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=pickle.dumps(every_form[0]),
        capture_output=True,
        check=True,
        env={"PYTHONHASHSEED": "1", "TZ": "America/New_York", "PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
    )
    assert render(every_form[0]).sha256 == done.stdout.decode().strip()


def test_another_fact_gives_other_bytes(document, backup_form):
    """One digit in a digest is enough."""
    first = render(backup.build(document, backup_form))
    second = render(backup.build(document, replace(backup_form, problems="x")))
    assert first.sha256 != second.sha256


def test_the_attachment_is_the_facts(every_form):
    """A program reads what the official reads."""
    for facts in every_form:
        form = render(facts)
        with pikepdf.open(io.BytesIO(form.pdf)) as pdf:
            assert ["data-formulir.json"] == list(pdf.attachments)
            attached = pdf.attachments["data-formulir.json"].get_file().read_bytes()
        assert form.facts == attached == canonical_json(facts.to_json())


def test_the_file_declares_pdf_a_3b(every_form):
    """For the archive."""
    for facts in every_form:
        with pikepdf.open(io.BytesIO(render(facts).pdf)) as pdf, pdf.open_metadata() as metadata:
            assert ("3", "B") == (metadata["pdfaid:part"], metadata["pdfaid:conformance"])


def test_all_fonts_are_embedded(every_form, tmp_path):
    """No reader's machine decides what is seen."""
    path = tmp_path / "form.pdf"
    path.write_bytes(render(every_form[0]).pdf)
    listing = subprocess.run(["pdffonts", str(path)], capture_output=True, check=True, text=True).stdout
    fonts = [line.split() for line in listing.splitlines()[2:]]
    assert fonts
    assert ["yes"] * len(fonts) == [columns[-5] for columns in fonts]
    assert all("Libertinus" in columns[0] or "DejaVu" in columns[0] for columns in fonts)


def test_the_time_in_the_file_is_the_documents(every_form):
    """And not the clock's."""
    with pikepdf.open(io.BytesIO(render(every_form[0]).pdf)) as pdf:
        assert "D:20261120151500Z" == str(pdf.docinfo["/CreationDate"])


def test_every_page_carries_number_versions_notes_and_its_page_number(document, backup_form, good_asset, printed):
    """A page that gets lost can be put back."""
    form = replace(backup_form, assets=(good_asset,) * 9)
    rendered = render(backup.build(replace(document, version=2), form))
    pages = printed(rendered.pdf)
    assert len(pages) > 3
    for number, page in enumerate(pages, 1):
        assert f"Halaman {number} dari {len(pages)}" in page
        assert "SOP Nomor 060/017/406.020/2023 · Versi formulir 1.0 · Terbitan ke-2" in page
        assert "Nomor: 014/FPB/KOMINFO/XI/2026" in page
        assert LEGAL_NOTE in page
        assert hashlib.sha256(rendered.facts).hexdigest()[:16] in page
        assert "BSrE" not in page
    assert "PEMERINTAH KABUPATEN TRENGGALEK" in pages[0]
    assert "UU 25/2009 tentang Pelayanan Publik" in pages[0]


def test_headings_are_repeated_on_every_page_that_a_section_reaches(document, backup_form, good_asset, printed):
    """A reader of page three knows which section and which asset he reads."""
    pages = printed(render(backup.build(document, replace(backup_form, assets=(good_asset,) * 9))).pdf)
    continued = [page.splitlines() for page in pages[1:-1]]
    for page in continued:
        content = [line.strip() for line in page if line.strip()][1:]
        assert re.match(r"[A-F]\. ", content[0])
    assert any(re.match(r"Aset \d: ", [line.strip() for line in page if line.strip()][2]) for page in continued)


def test_signatures_are_never_alone_on_a_page(document, backup_form, good_asset, printed):
    """For any number of assets the last section stands above them."""
    for count in range(1, 7):
        pages = printed(render(backup.build(document, replace(backup_form, assets=(good_asset,) * count))).pdf)
        assert "F. Pemeriksaan Kabid" in pages[-1]
        assert "Siti Rahmawati, S.Kom." in pages[-1]


def test_signatures_are_never_alone_below_a_section_longer_than_a_page(document, request_form, printed):
    """Then its last row goes with them."""
    long = "keterangan " * 180
    verification = restore_request.DataVerification(
        other_units=long, personal_data_handling=long, reason=long, decided_on="2026-11-19"
    )
    pages = printed(render(restore_request.build(document, replace(request_form, verification=verification))).pdf)
    content = [" ".join(line.split()) for line in pages[-1].splitlines() if line.strip()]
    begin = content.index("D. Verifikasi Kabid (lanjutan)")
    assert "Tanggal 19 November 2026" == content[begin + 1]
    assert any("Agus Prasetyo, S.STP." in line for line in content)


def test_the_places_of_the_signatures_are_known(every_form):
    """Inside the page, side by side, in points from the lower left corner."""
    for facts in every_form:
        form = render(facts)
        with pikepdf.open(io.BytesIO(form.pdf)) as pdf:
            pages = len(pdf.pages)
        assert [box.field for box in facts.signatures] == [place.field for place in form.fields]
        for place in form.fields:
            assert pages == place.page
            assert 56 < place.x < place.x + place.width < 595 - 56
            assert 56 < place.y < place.y + place.height < 842 - 56
        lefts = [place.x for place in form.fields]
        assert sorted(lefts) == lefts


def test_hostile_text_is_data_and_never_markup(document, request_form, words):
    """It is printed as typed; what cannot be printed is shown as its code point; the attachment keeps it all."""
    form = render(restore_request.build(document, replace(request_form, damage=HOSTILE, contact=HOSTILE, unit=HOSTILE)))
    text = words(form.pdf)
    assert "#set text(red) #panic() $x^2$ <label> @ref *bold* _it_ `code` \\ // /* [x] {y} = judul \"'" in text
    assert "- satu + dua [U+1F600] [U+4E2D][U+6587] [U+202E] [U+0000] \\ud83d \\xff &amp; <script>" in text
    attached = json.loads(form.facts)["sections"][1]["blocks"][0]["rows"][3]["value"]
    assert HOSTILE.replace("\ud83d", "\\ud83d").replace("\udcff", "\\xff") == attached


def test_hostile_text_everywhere_else_is_data_too(document, backup_form, good_asset):
    """Letterhead, numbers, names, headings, notes, address."""
    line = HOSTILE.replace("\n", " ")
    official = replace(backup_form.executor, name=line, position=line, nip=line)
    head = replace(document.letterhead, government=line, office=line, address=line)
    form = replace(
        backup_form,
        schedule=HOSTILE,
        execution_id=HOSTILE,
        executor=official,
        assets=(replace(good_asset, application=HOSTILE, name=HOSTILE, personal_data=HOSTILE),),
    )
    facts = backup.build(
        replace(document, number=line[:100], letterhead=head, legal_basis=(HOSTILE,), place=line), form
    )
    assert render(facts).pdf.startswith(b"%PDF-1.7")


@pytest.mark.parametrize(
    "text", ["W" * 2000, "kata " * 400, "/srv/" + "panjang-sekali/" * 130, "i" * 2000, "a\n" * 1000]
)
def test_two_thousand_characters_do_not_leave_their_column(document, request_form, tmp_path, text):
    """Neither one word nor many: nothing is printed beyond the margins, and nothing is lost."""
    form = render(restore_request.build(document, replace(request_form, damage=text, authority=text)))
    path = tmp_path / "form.pdf"
    path.write_bytes(form.pdf)
    boxes = subprocess.run(["pdftotext", "-bbox", str(path), "-"], capture_output=True, check=True).stdout.decode()
    found = re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">', boxes)
    # Margins: 25 mm at the left, 20 mm at the right, in points.
    assert min(float(left) for left, *_ in found) >= 70
    assert max(float(right) for _, _, right, _ in found) <= 595.3 - 56.6
    printed_text = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True).stdout.decode()
    assert printed_text.count(text[0]) >= 2 * text.count(text[0])


def test_a_digest_copied_from_the_file_is_the_plain_digest(document, backup_form, words):
    """No invisible characters in words that fit their column."""
    text = words(render(backup.build(document, backup_form)).pdf)
    assert "\u200b" not in text
    assert "3f1c" * 16 in text


def test_every_listed_character_has_a_glyph(document, backup_form):
    """PDF/A refuses a character without one, so the whole table is printed once in each face."""
    everything = " ".join(chr(code) for first, last in _PRINTABLE for code in range(first, last + 1))
    facts = backup.build(document, replace(backup_form, schedule=everything, execution_id=everything))
    assert render(facts).pdf


def test_the_qr_says_the_address_or_number_and_digest(document, backup_form):
    """Without an address the number and a digest prefix still tell forms apart."""
    facts = backup.build(document, backup_form)
    digest = hashlib.sha256(render(facts).facts).hexdigest()
    assert f"014/FPB/KOMINFO/XI/2026 SHA256:{digest[:16]}" == verification_text(facts, digest)
    addressed = backup.build(replace(document, verification_url="https://pulih.example/f/14"), backup_form)
    assert "https://pulih.example/f/14" == verification_text(addressed, digest)


def test_every_kind_of_form_shows_its_qr(every_form, document, monkeypatch, tmp_path):
    """Another code changes the page in one square of its size and nowhere else: so it is drawn, and whole."""
    every_form += [
        destruction.build(document, PROPOSED_DESTRUCTION),
        drill.build(document, drill_form("pass")),
    ]
    assert {facts.kind for facts in every_form} == set(get_args(FormKind))
    drawing = render_module.qr_drawing
    for facts in every_form:
        pages = []
        for text in ("a" * 40, "Z" * 40):
            monkeypatch.setattr(render_module, "qr_drawing", lambda _text, shown=text: drawing(shown))
            pages.append(_pixels(render(facts).pdf, tmp_path))
        changed = [(page, place) for page in pages[0] for place in _changed(pages[0][page], pages[1][page])]
        assert len({page for page, _ in changed}) == 1, facts.kind
        rows, columns = ({place[axis] for _, place in changed} for axis in (0, 1))
        # Half a millimetre to a pixel; the code's corners, which are in every code, are not in the difference.
        assert all(25 < max(along) - min(along) < 40 for along in (rows, columns)), (facts.kind, rows, columns)


def _pixels(pdf, directory):
    """The pages of a PDF as rows of bytes, one for each pixel."""
    (directory / "form.pdf").write_bytes(pdf)
    subprocess.run(["pdftoppm", "-r", "50.8", "-gray", "form.pdf", "page"], cwd=directory, check=True)
    found = {}
    for path in directory.glob("page-*.pgm"):
        _kind, width, _height, _white, content = path.read_bytes().split(maxsplit=4)
        found[path.name] = [content[at : at + int(width)] for at in range(0, len(content), int(width))]
        path.unlink()
    return found


def _changed(before, after):
    return [
        (row, column)
        for row, (left, right) in enumerate(zip(before, after, strict=True))
        if left != right
        for column in range(len(left))
        if left[column] != right[column]
    ]


def test_an_address_too_long_for_a_qr_is_refused(document, backup_form):
    """With a hint where it comes from."""
    facts = backup.build(replace(document, verification_url="https://x/" + "y" * 5000), backup_form)
    with pytest.raises(FormError) as caught:
        render(facts)
    assert (
        "the verification address has 5010 characters, more than a QR code holds; no form was written\n"
        "HINT: Look at document_url in the inventory."
    ) == str(caught.value)


def test_an_error_of_typst_becomes_a_form_error(document, backup_form, monkeypatch, tmp_path):
    """Here: a template that is not there."""
    # The package's `render` is the function, which hides the module of that name.
    monkeypatch.setattr(sys.modules["recovery.forms.render"], "TEMPLATES", tmp_path)
    with pytest.raises(FormError, match="typst could not render the form 014/FPB/KOMINFO/XI/2026: "):
        render(backup.build(document, backup_form))
