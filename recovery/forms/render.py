"""Renders facts as a PDF/A-3b with typst: embedded fonts only, the facts attached, the same bytes every time."""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recovery.calendar import to_wib
from recovery.canonical import canonical_json
from recovery.errors import FormError
from recovery.forms.characters import printable
from recovery.forms.model import FormFacts

ATTACHMENT = "data-formulir.json"
TEMPLATES = Path(__file__).with_name("templates")
# Enough of the facts' SHA-256 to tell two forms apart by eye or by a scanner; the whole stands in the records.
DIGEST_PREFIX = 16
PAGE_HEIGHT = 841.8898  # A4 in points


@dataclass(frozen=True)
class SignatureField:
    """Where a signature field belongs: page from 1, and points from the page's lower left corner, as PDF counts."""

    field: str
    page: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class RenderedForm:
    """A form as issued: the PDF, its SHA-256, the attached facts as bytes, and where signatures go."""

    pdf: bytes
    sha256: str
    facts: bytes
    fields: tuple[SignatureField, ...]


def render(facts: FormFacts) -> RenderedForm:
    """Given the facts of a form, return it as PDF/A-3b. The same facts always give the same bytes.

    Raises FormError when typst refuses; nothing is written anywhere.
    """
    import typst

    attached = canonical_json(facts.to_json())
    fingerprint = hashlib.sha256(attached).hexdigest()
    shown = shown_text(facts.to_json())
    shown |= {"digest_prefix": fingerprint[:DIGEST_PREFIX], "attachment": ATTACHMENT}
    inputs = {
        "display": json.dumps(shown, ensure_ascii=False, sort_keys=True),
        "facts": attached.decode("utf-8"),
        "qr": qr_drawing(verification_text(facts, fingerprint)),
    }
    try:
        compiler = typst.Compiler(
            str(TEMPLATES / "form.typ"), root=str(TEMPLATES), ignore_system_fonts=True, sys_inputs=inputs
        )
        # Whole seconds: typst takes no smaller ones.
        made_at = to_wib(facts.document.created_at).replace(microsecond=0)
        pdf = compiler.compile(format="pdf", pdf_standards=["a-3b"], timestamp=made_at)
        if not isinstance(pdf, bytes):  # pragma: no cover - for the type checker: only pictures come page by page
            raise FormError("typst returned no single PDF", state="no form was written")
        found = json.loads(compiler.query("<signature-field>", field="value"))
    except (typst.TypstError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FormError(
            f"typst could not render the form {facts.document.number}: {reason}",
            state="no form was written",
            hint="The facts are unharmed; the defect is in the templates or in the installation.",
        ) from error
    return RenderedForm(
        pdf=pdf,
        sha256=hashlib.sha256(pdf).hexdigest(),
        facts=attached,
        fields=tuple(_signature_field(entry) for entry in found),
    )


def verification_text(facts: FormFacts, fingerprint: str) -> str:
    """Given a form and the SHA-256 of its facts, return what its QR says: an address, or number and digest prefix."""
    if facts.document.verification_url:
        return facts.document.verification_url
    return f"{facts.document.number} SHA256:{fingerprint[:DIGEST_PREFIX]}"


def qr_drawing(text: str) -> str:
    """Given a text, return its QR code as SVG. Raises FormError for one that is too long."""
    import segno

    drawing = io.BytesIO()
    try:
        segno.make(text, error="m", micro=False).save(drawing, kind="svg", border=2, xmldecl=False)
    except ValueError as error:
        raise FormError(
            f"the verification address has {len(text)} characters, more than a QR code holds",
            state="no form was written",
            hint="Look at document_url in the inventory.",
        ) from error
    return drawing.getvalue().decode("utf-8")


def shown_text(value: Any) -> Any:
    """Given plain data, return it with every text made fit to be printed."""
    if isinstance(value, dict):
        return {key: shown_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shown_text(item) for item in value]
    if isinstance(value, str):
        return printable(value)
    return value


def _signature_field(entry: dict[str, Any]) -> SignatureField:
    # typst counts from the upper left corner, PDF from the lower left.
    return SignatureField(
        field=entry["field"],
        page=entry["page"],
        x=round(entry["x"], 2),
        y=round(PAGE_HEIGHT - entry["y"] - entry["height"], 2),
        width=round(entry["width"], 2),
        height=round(entry["height"], 2),
    )
