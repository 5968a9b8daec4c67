"""Telling the office that the catalog cannot be used: then no round is made and no other alarm is raised.

What was told is on record in the catalog otherwise. Here a file's time says it, beside the catalog or, when that place
is no better, among the system's temporary files.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from recovery.errors import KeyMissingError, PulihError, RecordsError
from recovery.guard.report import Alarm
from recovery.guard.telling import send
from recovery.installation import Installation

AGAIN_AFTER = timedelta(hours=1)
MARK = "pulih-records-told"


@contextmanager
def told_when_unreadable(installation: Installation, now: datetime) -> Iterator[None]:
    """Given what `pulih guard` and `pulih doctor --alarm` do, tell the office, once in an hour, of the RecordsError or
    KeyMissingError with which it ends; the error is raised again."""
    try:
        yield
    except (RecordsError, KeyMissingError) as error:
        _tell(installation, error, now)
        raise


def _tell(installation: Installation, error: PulihError, now: datetime) -> None:
    targets = installation.office.notice_targets
    if targets:
        alarm = Alarm("records", "katalog", f"{error.message}; {error.state}", error.hint)
        told_once_in_an_hour(installation.state_directory, MARK, now, lambda: send(targets, [alarm]))


def told_once_in_an_hour(directory: Path, mark: str, now: datetime, tell: Callable[[], str]) -> str:
    """Given a directory, the name of a file there and how to tell people, tell them unless they were told within an
    hour; return "" or why nobody was reached. A file's time there, or among the system's temporary files, says when."""
    other = f"{mark}-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]}"
    places = [directory / mark, Path(tempfile.gettempdir()) / other]
    if any(_is_recent(place, now) for place in places):
        return ""
    trouble = tell()
    # When nobody was reached, the next round tries again.
    if not trouble:
        any(_mark(place, now) for place in places)
    return trouble


def _is_recent(place: Path, now: datetime) -> bool:
    try:
        found = place.lstat()
    except OSError:
        return False
    # Not a file of somebody else's: by it he would keep the office from hearing. Nor one of a time still to come.
    ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
    return ours and abs(now.timestamp() - found.st_mtime) < AGAIN_AFTER.total_seconds()


def _mark(place: Path, now: datetime) -> bool:
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.utime(descriptor, (now.timestamp(), now.timestamp()))
        finally:
            os.close(descriptor)
    except OSError:
        # Told too often is better than not at all.
        return False
    return True
