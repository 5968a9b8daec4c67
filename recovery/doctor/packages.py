"""Packages that break something without a word outside their bounds, and the lock that this release was tested with."""

import importlib.metadata
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from recovery.doctor.finding import Finding

# Bounds that nothing but a broken night reveals: see pyproject.toml for what each breaks. A test compares the two.
PINNED: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "prefect": ((3, 8, 8), (3, 8, 9)),
    "fastapi": ((0, 139), (0, 151)),
    "sqlalchemy": ((2, 0), (2, 1)),
    "great-expectations": ((1, 24), (1, 25)),
}
# In the release directory; an installation from a wheel has none.
LOCK = Path(__file__).parents[2] / "requirements.lock"
MEND = "install requirements.lock"


def examine_packages(
    version_of: Callable[[str], str] = importlib.metadata.version, lock: Path = LOCK
) -> Iterator[Finding]:
    """Yield whether those packages are within their bounds, and are the ones of the lock."""
    locked = _locked(lock)
    for name, (lowest, beyond) in PINNED.items():
        subject = f"package {name}"
        try:
            version = version_of(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(subject, "problem", "is not installed", MEND)
            continue
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        if not lowest <= numbers < beyond:
            yield Finding(subject, "problem", f"{version} is outside its bounds", MEND)
        elif locked.get(name, version) != version:
            message = f"{version} is not the {locked[name]} with which this release was tested"
            yield Finding(subject, "warning", message, MEND)
        else:
            yield Finding(subject, "ok", version)


def _locked(lock: Path) -> dict[str, str]:
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError:
        return {}
    return {name.lower(): version for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)}
