"""The step of `make test` that asks for a reason wherever its tests do not go.

`python -m tests.explained_coverage .coverage.json`, given what slipcover has written of all processes together: fails,
naming file and line, of what no test took of recovery/, unless its reason stands at it (`# pragma: no cover - why`, at
the line or at an end of the branch) or below. Some few are allowed: of two processes that meet, either may be first,
and the other one's branch is not taken that time.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = "recovery/"
PRAGMA = "# pragma: no cover - "
# By file and by the text of a line, which stays when line numbers move: why no measured process need come there. For
# what cannot carry a pragma, because the tests do take it at most times or in processes that nothing measures.
REASONS: dict[str, dict[str, str]] = {}
# Of 25,000 lines and branches. What is named in two runs gets its test or its reason.
BY_CHANCE = 5


def unexplained(measured: dict[str, Any], root: Path, reasons: dict[str, dict[str, str]]) -> Iterator[str]:
    """Given what slipcover measured, where the sources lie and the reasons, say what is missing without one.

    Also which reason is of a line that is not there any more: it would hide the next one that reads so.
    """
    for name, found in sorted(measured["files"].items()):
        if not name.startswith(PACKAGE):
            continue
        lines = (root / name).read_text(encoding="utf-8").splitlines()
        known = reasons.get(name, {})
        for line in found["missing_lines"]:
            if not _is_explained(lines, known, line):
                yield f"{name}:{line}: no test comes to this line: {lines[line - 1].strip()}"
        for begin, end in found["missing_branches"]:
            if not _is_explained(lines, known, begin, end):
                yield f"{name}:{begin}: no test goes from here to {_there(end)}: {lines[begin - 1].strip()}"
    for name, known in reasons.items():
        there = {each.strip() for each in (root / name).read_text(encoding="utf-8").splitlines()}
        yield from (
            f"{name}: a reason is given for a line that it does not have: {text}" for text in known.keys() - there
        )


def _is_explained(lines: list[str], known: dict[str, str], *numbers: int) -> bool:
    # A branch out of the function ends at line 0.
    texts = [lines[number - 1] for number in numbers if number > 0]
    return any(PRAGMA in text or text.strip() in known for text in texts)


def _there(line: int) -> str:
    return f"line {line}" if line > 0 else "the end of the function"


def main(path: str) -> int:
    """Print what is not explained; the status says whether there is any."""
    measured = json.loads(Path(path).read_text(encoding="utf-8"))
    if not any(name.startswith(PACKAGE) for name in measured["files"]):
        print(f"{path} has nothing of {PACKAGE}")
        return 2
    found = list(unexplained(measured, ROOT, REASONS))
    print("\n".join([*found, f"{len(found)} lines and branches that no test took, without a reason"]))
    return 1 if len(found) > BY_CHANCE else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
