"""Who was started by whom."""

from pathlib import Path


def descendants(pid: int) -> list[int]:
    """All processes that a process, or one that it started, has started and that still run, the youngest first."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
        for child in map(int, children):
            found += [*descendants(child), child]
    return found
