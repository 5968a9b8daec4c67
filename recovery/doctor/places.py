"""Places: the state directory and the stores, whether they can be written, and whether there is room."""

import shutil
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from recovery.doctor.finding import Finding, attempt
from recovery.installation import Installation

SPACE_WANTED = 1 << 30


def examine_places(installation: Installation) -> Iterator[Finding]:
    """Yield what is to be said about the state directory and every store."""
    yield from _state_directory(installation.state_directory)
    for name in sorted(installation.stores):
        if installation.stores[name].kind == "s3":
            # Here, because boto3's part of the product is not needed where stores are directories.
            from recovery.doctor.buckets import examine_bucket

            yield from examine_bucket(installation.stores[name])
            continue
        finding = attempt(f"store {name}", partial(_check_store, installation, name), "can be written")
        yield finding
        if finding.state == "ok":
            yield from _room(f"store {name}", Path(installation.stores[name].path), "put older sets elsewhere")
    if not any(schedule.offsite_store for schedule in installation.schedules.values()):
        yield Finding("off-site store", "warning", "no schedule names one", "a fire takes server and store together")


def _state_directory(directory: Path) -> Iterator[Finding]:
    if not directory.is_dir():
        mend = "run `pulih apply`, or create it with mode 0700"
        yield Finding("state directory", "problem", f"{directory} is not there", mend)
        return
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        yield Finding("state directory", "problem", f"others can look into {directory}", f"chmod 700 {directory}")
    little = list(_room("state directory", directory, "staging and scratch copies need room"))
    free = shutil.disk_usage(directory).free
    yield from little or [Finding("state directory", "ok", f"{free >> 30} GiB free")]


def _room(subject: str, directory: Path, mend: str) -> Iterator[Finding]:
    free = shutil.disk_usage(directory).free
    if free < SPACE_WANTED:
        yield Finding(subject, "warning", f"only {free >> 20} MiB are free", mend)


def _check_store(installation: Installation, name: str) -> None:
    installation.store(name).check()
