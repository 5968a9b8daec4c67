"""What the measurement of coverage leaves out says why, at its line."""

import io
import re
import tokenize
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("recovery", "blocks", "tasks", "flows", "deployments", "cli", "demo", "bench", "tests")
REASON = re.compile(r"# pragma: no cover - \w.{14,}")


def pragmas(text: str) -> list[tuple[int, str]]:
    """Line and text of every comment by which something is left out."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [
        (token.start[0], token.string[token.string.index("# pragma") :] if "# pragma" in token.string else token.string)
        for token in tokens
        if token.type == tokenize.COMMENT and re.search(r"pragma\W+no\b", token.string, re.IGNORECASE)
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_whatever_is_not_measured_carries_a_reason(package: str) -> None:
    """In plain words, after a dash; "race" alone would explain nothing."""
    wanting = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, comment in pragmas(path.read_text(encoding="utf-8"))
        if not REASON.match(comment)
    ]
    assert wanting == []


@pytest.mark.parametrize(
    ("comment", "well"),
    [
        ("# pragma: no cover - a disk that breaks between two calls", True),
        ("# noqa: S101 # pragma: no cover - for the type checker alone", True),
        ("# pragma: no branch - a half that is left out says nothing of the other", False),
        ("# pragma: no cover", False),
        ("# pragma: no cover - race", False),
        ("#pragma:no cover", False),
        ("# PRAGMA: NO COVER - a reason that is long enough", False),
    ],
)
def test_a_pragma_without_a_reason_is_found(comment: str, well: bool) -> None:
    """However it is written; a text that speaks of pragmas is none."""
    found = pragmas(f"x = 'pragma: no cover'\nif x:  {comment}\n    pass\n")
    assert [well] == [REASON.match(text) is not None for _line, text in found]


def test_without_a_reason_the_measurement_does_not_heed_it() -> None:
    """A pragma of another form then costs coverage, which `make test` prints."""
    heeded = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["slipcover"]["exclude-lines"]
    assert not any(re.search(pattern, "# pragma: no cover") for pattern in heeded)
    assert any(re.search(pattern, "# pragma: no cover - a disk that breaks") for pattern in heeded)
