"""docs/reliability.md, written from a whole sweep."""

import platform
import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.recovery.killed_work import Played
from tests.recovery.procedures.faults import INTERFACES
from tests.recovery.procedures.sweep import Case, Seen

TITLES = {
    "backup": "backup",
    "restore": "restore",
    "returned": "restore returned by the Kadis",
    "rejected": "restore rejected by the Kabid",
    "cancelled": "restore called off by the executor",
}

PAGE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Swept:
    """What a whole sweep reached, played and found. Each finding begins with its case, or with the work's title."""

    seen: Seen
    played: list[Case]
    findings: list[str]
    minutes: int
    workers: int
    cores: int
    works: list[Played]


def write_page(path: Path, swept: Swept) -> None:
    """Given a whole sweep, write the page."""
    verdict = "Nothing was found." if not swept.findings else f"{len(swept.findings)} findings, listed below."
    path.write_text(
        PAGE.read_text().format(
            verdict=verdict,
            cases=len(swept.played) + sum(sum(played.kills.values()) for played in swept.works),
            day=date.today().isoformat(),  # noqa: DTZ011 - the day of whoever ran it
            cores=swept.cores,
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            minutes=swept.minutes,
            workers=swept.workers,
            points="\n".join(_procedure_row(swept, name) for name in TITLES),
            calls="\n".join(_interface_row(swept, name) for name in INTERFACES),
            works="\n".join(work_row(played) for played in swept.works),
            findings="\n".join(f"- {finding}" for finding in sorted(swept.findings)) or "None.",
        )
    )


def _procedure_row(swept: Swept, procedure: str) -> str:
    cases = [case for case in swept.played if case.procedure == procedure and case.where == "point"]
    kills = Counter(case.after for case in cases if case.how == "kill")
    points = sum(len(reached["point"]) for reached in swept.seen[procedure].values())
    cells = [
        TITLES[procedure],
        len(swept.seen[procedure]),
        points,
        kills["again"],
        kills["started"],
        kills["guarded"],
        sum(case.how != "kill" for case in cases),
        _found(swept, cases),
    ]
    return f"| {' | '.join(map(str, cells))} |"


def work_row(played: Played) -> str:
    """What came of one kind of work."""
    kills = [played.kills.get(way, 0) for way in ("finish", "anew")]
    return f"| {' | '.join(map(str, [played.title, len(played.names), *kills, len(played.findings)]))} |"


def _interface_row(swept: Swept, interface: str) -> str:
    cases = [case for case in swept.played if case.where == interface]
    calls = sum(len(reached[interface]) for actions in swept.seen.values() for reached in actions.values())
    once, for_good = (sum(case.how == how for case in cases) for how in ("once", "for good"))
    return f"| {interface} | {calls} | {once} | {for_good} | {_found(swept, cases)} |"


def _found(swept: Swept, cases: list[Case]) -> int:
    return sum(finding.startswith(str(tuple(case))) for case in cases for finding in swept.findings)
