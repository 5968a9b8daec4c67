"""Places: the state directory and the stores, whether they can be written, and whether there is room."""

import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from recovery.doctor.finding import Finding, attempt
from recovery.installation import Installation

SPACE_WANTED = 1 << 30
DESTROYER = "pulih-destruction-worker.service"
# As in docs/operations.md, "The worker that destroys".
DROP_IN = (
    "sudo install -d /etc/systemd/system/pulih-destruction-worker.service.d; "
    "printf '%s\\n' '[Service]' User={user} Group={group} BindPaths= StateDirectory= StateDirectory=pulih "
    "| sudo tee /etc/systemd/system/pulih-destruction-worker.service.d/account.conf; "
    "sudo systemctl daemon-reload; "
    "sudo systemctl restart pulih-destruction-worker.service"
)
_ANSWER_SECONDS = 10.0


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
            if installation.office.destruction_cron:
                yield from _removal(name, Path(installation.stores[name].path, installation.stores[name].prefix))
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


def _removal(name: str, place: Path) -> Iterator[Finding]:
    """Whether the account of the worker that destroys could remove something there; nothing where systemd runs none."""
    try:
        account = pwd.getpwnam(_destroyer())
        found = place.stat()
        groups = os.getgrouplist(account.pw_name, account.pw_gid)
    except (KeyError, OSError):
        return
    rights = stat.S_IRWXG if found.st_gid in groups else stat.S_IRWXO
    if account.pw_uid in (0, found.st_uid) or found.st_mode & rights == rights:
        return
    try:
        owner = pwd.getpwuid(found.st_uid)
        whose, mend = owner.pw_name, DROP_IN.format(user=owner.pw_name, group=grp.getgrgid(owner.pw_gid).gr_name)
    except KeyError:
        whose, mend = f"no account ({found.st_uid})", f"let {place} be owned by the account that backs up"
    message = (
        f"{account.pw_name}, the account of {DESTROYER}, can remove nothing from {place}, which belongs to {whose}"
    )
    yield Finding(f"store {name}", "problem", message, mend)


def _destroyer() -> str:
    """The account that systemd gives to the unit; "" when there is none, or no systemd."""
    command = ["systemctl", "show", "--property=User", "--value", DESTROYER]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip()


def _check_store(installation: Installation, name: str) -> None:
    installation.store(name).check()
