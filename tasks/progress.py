"""A bar on the Artifacts page for each proof that is under way: bytes loaded, then tables measured.

A view like the others (see tasks/dashboard.py): what cannot be shown is a warning, once, and the proof goes on.
"""

import time
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from recovery.progress import Progress, Tell
from tasks.dashboard import shown

# A proof reads megabytes in the time that one call to the server takes.
SECONDS_BETWEEN = 2.0
# The first half of a bar is loading, the second measuring: neither is known to take longer.
BEGINS_AT = {"load": 0.0, "measure": 50.0}
THINGS = {"files": "direktori"}


def show_progress(key: str, title: str) -> Tell:
    """Given what keys and descriptions begin with, return what shows how far proofs are: a bar for each component."""
    bars: dict[str, _Bar] = {}

    def tell(progress: Progress) -> None:
        component = progress.component
        if component not in bars:
            bars[component] = _Bar(f"{key}-{component.replace('/', '-')}", f"{title} {component}")
        bars[component].show(progress)

    return tell


class _Bar:
    def __init__(self, key: str, title: str) -> None:
        self._key, self._title = key, title
        self._artifact: UUID | None = None
        self._shown_at = 0.0
        self._given_up = False

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        # The end of a phase is always shown, so that no bar stays at what was true two seconds before.
        waits = self._artifact is not None and now < self._shown_at + SECONDS_BETWEEN and progress.done < progress.total
        if self._given_up or waits:
            return
        # A server that does not answer costs a proof one wait, and not one for each table.
        self._given_up = True
        description = f"{self._title}: {words(progress)}"
        with shown(description):
            if self._artifact is None:
                # Typed for both of its ways; here it is called without an event loop.
                self._artifact = cast(UUID, create_progress_artifact(percent(progress), self._key, description))
            else:
                update_progress_artifact(self._artifact, percent(progress), description)
            self._given_up = False
            self._shown_at = time.monotonic()


def percent(progress: Progress) -> float:
    """Given a progress, return where its bar stands, from 0 to 100."""
    share = progress.done / progress.total if progress.total else 1.0
    return BEGINS_AT[progress.phase] + 50.0 * min(share, 1.0)


def words(progress: Progress) -> str:
    """Given a progress, return it as officials read it."""
    from recovery.calendar import format_bytes

    if progress.phase == "load":
        return f"memuat salinan uji, {format_bytes(progress.done)} dari {format_bytes(progress.total)}"
    return f"memeriksa {THINGS.get(progress.kind, 'tabel')}, {progress.done} dari {progress.total}"
