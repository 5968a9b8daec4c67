"""What a form consists of, as plain data: letterhead, lettered sections, signature boxes, notes.

The builders (schedule, backup, restore_request, restore, destruction) turn what a procedure knows into `FormFacts`;
`render` turns those into a PDF. The facts are attached to the PDF as JSON, so that a program reads what an official
reads.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from recovery.calendar import format_date, format_moment, to_wib
from recovery.errors import FormError, RecordsError
from recovery.sop import SOP_NUMBER, SOP_TITLE

FormKind = Literal["schedule", "backup", "restore_request", "restore", "destruction", "drill"]
RowStyle = Literal["plain", "strong", "code"]

# Changes when the meaning or the place of a fact changes; readers of the attachment look at it first.
FACTS_VERSION = 1
# Versi formulir: changes when a label or the layout that officials see changes.
FORM_VERSION = "1.0"

# UU ITE 11/2008 art. 5(1), quoted by the SOP; stands on every form.
LEGAL_NOTE = (
    "UU ITE No. 11 Tahun 2008 Pasal 5 ayat (1): “Informasi Elektronik dan/atau Dokumen Elektronik dan/atau hasil "
    "cetaknya merupakan alat bukti hukum yang sah.”"
)
# True only of a file that a BSrE certificate signed; printed only then.
BSRE_NOTE = (
    "Dokumen ini telah ditandatangani secara elektronik menggunakan sertifikat elektronik yang diterbitkan oleh "
    "Balai Sertifikasi Elektronik (BSrE)."
)
# An approval by one-time code is a record of the system; it must not be taken for the legal act.
APPROVAL_NOTE = (
    "Keterangan persetujuan di dalam kotak adalah catatan sistem atas keputusan yang disertai kode sekali pakai; "
    "bukan tanda tangan elektronik maupun tanda tangan basah."
)

UNDATED = "…………………………"

# Longer numbers would not fit the line that repeats them on every page.
LONGEST_NUMBER = 120

# How each decision is written in a signature box.
DECISION_WORDS = {
    "disahkan": "Disahkan",
    "disetujui": "Disetujui",
    "ditolak": "Ditolak",
    "diteruskan": "Diteruskan",
    "dikembalikan": "Dikembalikan",
    "sesuai": "Dinyatakan sesuai",
    "tidak sesuai": "Dinyatakan tidak sesuai",
    "diterima": "Diterima",
    "mulai": "Dimulai",
    "diajukan": "Diajukan",
}

# A NIK has 16 digits, written together, in fours, or as 2.2.2.6.4. Letters beside it make it part of something else
# (a digest, an identifier); a NIP has 18 digits.
_NIK = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:\d{16}|\d{4}([ .\-])\d{4}\1\d{4}\1\d{4}|\d{2}([ .\-])\d{2}\2\d{2}\2\d{6}\2\d{4})"
    r"(?![0-9A-Za-z])"
)
_HALF_CHARACTER = re.compile(r"[\ud800-\udfff]")
NIK_MASK = "[NIK disamarkan]"


@dataclass(frozen=True, kw_only=True)
class Letterhead:
    """The office's name on paper, each line as printed: government, office, address (may be empty)."""

    government: str
    office: str
    address: str = ""


@dataclass(frozen=True)
class Row:
    """One labelled value. `options` are the choices of the printed form, of which `value` is the one ticked.

    `style`: "strong" prints the value bold, "code" in a monospaced face (digests, names of files).
    """

    label: str
    value: str
    style: RowStyle = "plain"
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """Rows under one heading inside a section: one asset, one component. An empty title prints no heading."""

    title: str
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Section:
    """A lettered part of the form."""

    letter: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A decision that the system recorded from an official, as shown in his signature box.

    `decision`: a key of DECISION_WORDS. `at`: ISO 8601 UTC. `method` in words. `by`: name, NIP and position are
    those of the box. It is a record, not a signature.
    """

    decision: str
    at: str
    method: str = "kode sekali pakai (TOTP)"


@dataclass(frozen=True, kw_only=True)
class Official:
    """Who signs: name with titles, NIP (18 digits), position (with "Plt."/"Plh." where acting)."""

    name: str = ""
    nip: str = ""
    position: str = ""

    def line(self) -> str:
        """Name, NIP and position in one line, without what is unknown."""
        nip = f"NIP {self.nip}" if self.nip else ""
        return ", ".join(part for part in (self.name, nip, self.position) if part)


@dataclass(frozen=True, kw_only=True)
class SignatureBox:
    """A place for one signature. `field` is the name of the PDF signature field that a driver puts there."""

    role: str
    name: str
    nip: str
    position: str
    place_date: str
    field: str
    approval: str = ""


@dataclass(frozen=True, kw_only=True)
class Document:
    """What every form needs beside its own content.

    `number`: Nomor formulir. `version`: 1 for the first issue of this form in this procedure, 2 after the review, …
    `created_at`: ISO 8601 UTC; it is the PDF's creation time, so that the same facts give the same bytes.
    `place`: where it is signed ("Trenggalek"); empty prints no place. `verification_url`: the whole address behind
    the QR; empty puts the form's number and a digest prefix there. `legal_basis`: Dasar hukum, one line each.
    `signed_with_bsre`: True only when the file is (about to be) signed with a BSrE certificate.
    """

    number: str
    created_at: str
    letterhead: Letterhead
    version: int = 1
    place: str = ""
    verification_url: str = ""
    legal_basis: tuple[str, ...] = ()
    signed_with_bsre: bool = False


@dataclass(frozen=True, kw_only=True)
class FormFacts:
    """A whole form. Every text is what is printed; an empty text is printed as "–".

    Raises FormError when a fact cannot stand on a form: no number, no time, or a 16-digit number (a NIK).
    """

    kind: FormKind
    title: str
    document: Document
    sections: tuple[Section, ...]
    signatures: tuple[SignatureBox, ...]
    notes: tuple[str, ...]
    sop_number: str = SOP_NUMBER
    sop_title: str = SOP_TITLE
    form_version: str = FORM_VERSION
    facts_version: int = FACTS_VERSION

    def __post_init__(self) -> None:
        if not self.document.number.strip():
            raise FormError(f"the form {self.title!r} has no number", hint="Take a number before the form is filled.")
        if len(self.document.number) > LONGEST_NUMBER or "\n" in self.document.number:
            raise FormError(
                f"the number of the form {self.title!r} is not one line of at most {LONGEST_NUMBER} characters",
                hint="Look at the pattern of form numbers in the inventory.",
            )
        try:
            to_wib(self.document.created_at)
        except RecordsError as error:
            raise FormError(f"the form has no usable time of creation: {error.message}", hint=error.hint) from error
        for where, text in _texts(asdict(self), "formulir"):
            if contains_nik(text):
                raise FormError(
                    f"a 16-digit number (a NIK?) stands in {where}",
                    state="no form was written",
                    hint="Forms never show a NIK. Remove it, or use the NIP (18 digits).",
                )

    def to_json(self) -> dict[str, Any]:
        """The facts as plain data, as attached to the PDF. Half characters of odd file names become "\\xNN"."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def contains_nik(text: str) -> bool:
    """Given a text, say whether a 16-digit number stands in it. Ask before a text is accepted from an official."""
    return _NIK.search(text) is not None


def mask_nik(text: str) -> str:
    """Given a text that nobody can be asked about any more, return it with 16-digit numbers masked."""
    return _NIK.sub(NIK_MASK, text)


def approval_text(approval: Approval | None) -> str:
    """Given a recorded decision, return the sentence for the signature box; without one, nothing."""
    if approval is None:
        return ""
    words = DECISION_WORDS.get(approval.decision)
    if words is None:
        raise FormError(f"{approval.decision!r} is not a decision that a form knows")
    return f"{words} secara elektronik melalui sistem pada {format_moment(approval.at)} dengan {approval.method}."


def signature_box(
    role: str, field: str, official: Official, document: Document, approval: Approval | None = None, *, day: str = ""
) -> SignatureBox:
    """Given who signs as what, return the box.

    It is dated on `day` (ISO date or moment), else on the day of the decision, else with dots: whoever has not
    decided yet must not look as if he had.
    """
    dated_on = day or (approval.at if approval else "")
    date = format_date(dated_on) if dated_on else UNDATED
    return SignatureBox(
        role=role,
        name=official.name,
        nip=official.nip,
        position=official.position,
        place_date=f"{document.place}, {date}" if document.place else date,
        field=field,
        approval=approval_text(approval),
    )


def notes_for(document: Document, *, approvals: bool) -> tuple[str, ...]:
    """Given the document, return the notes at its foot. The BSrE sentence stands only where it is true."""
    notes = [LEGAL_NOTE]
    if document.signed_with_bsre:
        notes.append(BSRE_NOTE)
    if approvals:
        notes.append(APPROVAL_NOTE)
    return tuple(notes)


def yes_no(value: bool | None) -> str:
    """Given a finding, return "ya" or "tidak", or "" when nobody has looked."""
    return "" if value is None else ("ya" if value else "tidak")


def lines(*values: str) -> str:
    """Given texts, return the ones that are not empty, one per line."""
    return "\n".join(value for value in values if value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return _HALF_CHARACTER.sub(_shown_half, value)
    return value


def _shown_half(found: re.Match[str]) -> str:
    # A name that is not UTF-8 came through os.fsdecode as U+DC80…U+DCFF; its bytes are shown, since PDF and JSON
    # hold text only.
    code = ord(found.group())
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def _texts(value: Any, where: str) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(where, value)]
    if isinstance(value, dict):
        name = value.get("label") or value.get("title") or value.get("role")
        place = f"{where} › {name}" if name and name != where else where
        return [found for item in value.values() for found in _texts(item, place)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in _texts(item, where)]
    return []
