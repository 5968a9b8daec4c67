"""The text above an approval's form in the Prefect UI: the document as Markdown, with its code."""

import html
import re

from recovery.calendar import format_moment
from recovery.records.approvals import ApprovalRequest

# A SHA-256 does not fit into one line of the dialogue, and there is nowhere to break it.
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def approval_markdown(request: ApprovalRequest) -> str:
    """Given an approval request, return Indonesian Markdown: complaint, document, code, deadline."""
    lines = [f"## {plain(request.document['judul'])}", "", f"**{plain(request.document['langkah'])}**", ""]
    if request.complaint:
        lines += ["### Perhatian", "", f"**{plain(request.complaint)}**", ""]
    for section in request.document["bagian"]:
        # A list, not a table: the dialogue is narrow, and it cuts a table off at the right instead of wrapping it.
        lines += [f"### {plain(section['judul'])}", ""]
        lines += [f"- **{plain(label)}:** {plain(value)}" for label, value in section["baris"]]
        lines.append("")
    lines += [
        f"### Kode dokumen: `{request.code}`",
        "",
        "Salin kode dokumen ini ke formulir di bawah sebagai tanda bahwa dokumen di atas telah dibaca.",
        f"Berlaku sampai {format_moment(request.expires_at)}.",
        "",
        # The page says "resumed" for any answer that fits the form: only the next form tells that it did not count.
        "Sesudah mengirim, tunggu sebentar. Bila jawaban tidak dapat diterima, status kembali menjadi *Suspended*,",
        "dan formulir ini muncul lagi dengan penjelasannya.",
    ]
    return "\n".join(lines)


def plain(text: str) -> str:
    """Given text from a form or a setting, make it harmless in Markdown: no markup, no HTML, no links, no new lines,
    nothing cut off."""
    one_line = re.sub(r"\s+", " ", str(text)).strip()
    readable = _DIGEST.sub(lambda found: " ".join(re.findall(".{16}", found.group())), one_line)
    escaped = html.escape(readable, quote=False)
    # Addresses become links by themselves, unless their punctuation is escaped, too.
    escaped = re.sub(r"([\\`*_{}\[\]|#!~@]|:(?=//)|(?<=www)\.)", r"\\\1", escaped)
    return escaped or "–"
