"""Renders the escrow sheet as a PDF with typst. It is a paper for the safe and no form of the SOP: it has no number."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from recovery.calendar import format_moment, to_wib
from recovery.errors import FormError
from recovery.forms.model import Letterhead
from recovery.forms.render import TEMPLATES, qr_drawing, shown_text


@dataclass(frozen=True)
class Row:
    """One line of the sheet. Style "code" is for what is compared character by character."""

    label: str
    value: str
    style: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """What the sheet says: sections by title. `private` is a private key to be shown as a QR code, mostly empty."""

    title: str
    letterhead: Letterhead
    release: str
    sections: tuple[tuple[str, tuple[Row, ...]], ...]
    warning: str = ""
    private: str = ""


def render_sheet(sheet: Sheet, now: datetime) -> bytes:
    """Given a sheet, return it as PDF/A-3b. Raises FormError when typst refuses."""
    import typst

    display: dict[str, Any] = {
        "title": sheet.title,
        "letterhead": asdict(sheet.letterhead),
        "release": sheet.release,
        "printed_at": format_moment(now.isoformat()),
        "warning": sheet.warning,
        "qr": qr_drawing(sheet.private) if sheet.private else "",
        "sections": [
            {
                "letter": chr(ord("A") + number),
                "title": title,
                "blocks": [{"title": "", "rows": list(map(asdict, rows))}],
            }
            for number, (title, rows) in enumerate(sheet.sections)
        ],
    }
    display = {key: value if key == "qr" else shown_text(value) for key, value in display.items()}
    try:
        compiler = typst.Compiler(
            str(TEMPLATES / "sheet.typ"),
            root=str(TEMPLATES),
            ignore_system_fonts=True,
            sys_inputs={"display": json.dumps(display, ensure_ascii=False)},
        )
        pdf = compiler.compile(format="pdf", pdf_standards=["a-3b"], timestamp=to_wib(now).replace(microsecond=0))
    except (typst.TypstError, RuntimeError, ValueError) as error:  # pragma: no cover - a defect of the template
        raise FormError(
            f"typst could not render the sheet: {str(error).splitlines()[0]}", state="no sheet was written"
        ) from error
    assert isinstance(pdf, bytes)  # noqa: S101 - for the type checker: only pictures come page by page
    return pdf
