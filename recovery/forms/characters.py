"""Makes any text fit to be printed: only characters that the embedded fonts have.

PDF/A forbids a character without a glyph, and marks that turn the direction of writing could make a form read
differently from its facts. Both are printed as their code point; the attached facts keep the original.
"""

import re
import unicodedata

# Measured against typst's embedded Libertinus Serif, and DejaVu Sans Mono for the ballot boxes and check marks.
_PRINTABLE = (
    (0x20, 0x7E),
    (0xA0, 0xAC),
    (0xAE, 0x24F),
    (0x391, 0x3A1),
    (0x3A3, 0x3C9),
    (0x400, 0x45F),
    (0x1E00, 0x1EFF),
    (0x2010, 0x2027),
    (0x2030, 0x2037),
    (0x2039, 0x203A),
    (0x20AC, 0x20AC),
    (0x2116, 0x2116),
    (0x2122, 0x2122),
    (0x2190, 0x2195),
    (0x2200, 0x220D),
    (0x220F, 0x221A),
    (0x2248, 0x2248),
    (0x2260, 0x2260),
    (0x2264, 0x2265),
    (0x25A0, 0x25A1),
    (0x2610, 0x2612),
    (0x2713, 0x2713),
    (0x2717, 0x2717),
)


def printable(text: str) -> str:
    """Given any text, return it with every line break as "\\n" and every unprintable character as "[U+XXXX]"."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    "))
    shown = "".join(character if _is_printable(character) else f"[U+{ord(character):04X}]" for character in text)
    # Hundreds of empty lines would push the rest of the form pages away.
    return re.sub(r"\n{3,}", "\n\n", shown).strip("\n")


def _is_printable(character: str) -> bool:
    return character == "\n" or any(first <= ord(character) <= last for first, last in _PRINTABLE)
