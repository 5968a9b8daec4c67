"""Shipped program: how a program says that it failed. Standard library only, Python 3.9 or newer."""

from __future__ import annotations

from typing import Any


class ProgramError(Exception):
    """A failure with a cause; `kind` is the name of a class in recovery/errors.py, which the caller raises."""

    def __init__(self, kind: str, message: str, state: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.report: dict[str, Any] = {"error": kind, "message": message, "state": state, "hint": hint}


def listed(names: list[str]) -> str:
    """Given names of which there may be thousands, return a list for a sentence: the first five, and how many more."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
