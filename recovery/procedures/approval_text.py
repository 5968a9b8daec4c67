"""The text above an approval's form in the Prefect UI: the document as Markdown, with its code."""

import html
import re

from recovery.calendar import format_moment
from recovery.records.approvals import ApprovalRequest


def approval_markdown(request: ApprovalRequest) -> str:
    """Given an approval request, return Indonesian Markdown: complaint, document, code, deadline."""
    lines = [f"## {_plain(request.document['judul'])}", "", f"**{_plain(request.document['langkah'])}**", ""]
    if request.complaint:
        lines += [f"> **Perhatian.** {_plain(request.complaint)}", ""]
    for section in request.document["bagian"]:
        lines += [f"### {_plain(section['judul'])}", "", "| | |", "|---|---|"]
        lines += [f"| {_plain(label)} | {_plain(value)} |" for label, value in section["baris"]]
        lines.append("")
    lines += [
        f"### Kode dokumen: `{request.code}`",
        "",
        "Salin kode dokumen ini ke formulir di bawah sebagai tanda bahwa dokumen di atas telah dibaca.",
        f"Berlaku sampai {format_moment(request.expires_at)}.",
    ]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Make text from a form harmless in Markdown: no markup, no HTML, no new lines in a table's cell."""
    one_line = re.sub(r"\s+", " ", str(text)).strip()
    escaped = html.escape(one_line, quote=False)
    return re.sub(r"([\\`*_{}\[\]|#!])", r"\\\1", escaped) or "–"
