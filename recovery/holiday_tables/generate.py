"""Writes the holiday table of a year from the `holidays` package: a draft to be read against the decree."""

import sys
from pathlib import Path

HEADER = '''"""Hari libur nasional dan cuti bersama {year}.{note}"""

ESTIMATED = {estimated}

DAYS = {{
'''
# The decrees of these years are out and the tables were read against them. Every other year is an estimate.
DECREED = (2025, 2026)


def generate(year: int) -> str:
    """Given a year, return the source text of its table module."""
    from holidays import country_holidays

    estimated = year not in DECREED
    note = " Perkiraan: belum menurut SKB Tiga Menteri." if estimated else ""
    found = country_holidays("ID", years=year, categories=("public", "government"), language="id")
    lines = [f'    "{day.isoformat()}": "{title}",\n' for day, title in sorted(found.items())]
    return HEADER.format(year=year, note=note, estimated=estimated) + "".join(lines) + "}\n"


def main(arguments: list[str]) -> None:
    """Given years as arguments, write one table module each beside this file."""
    for argument in arguments:
        year = int(argument)
        Path(__file__).with_name(f"year_{year}.py").write_text(generate(year), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
