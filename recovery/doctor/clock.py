"""The clock: one-time codes are judged by it, and one that is half a minute off refuses every official."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime

from recovery.doctor.finding import Finding
from recovery.errors import PulihError
from recovery.hosts.local import LocalHost

# A one-time code is good for half a minute (RFC 6238), and one step to either side of it.
TOLERATED = 30.0
NOTICED = 5.0
MEND = "let chrony or systemd-timesyncd keep the clock: timedatectl set-ntp true"


def examine_clock() -> Iterator[Finding]:
    """Yield whether somebody keeps this machine's clock right, if a program here can tell."""
    kept = _kept_right()
    if kept is True:
        yield Finding("clock", "ok", "kept right by NTP")
    elif kept is False:
        yield Finding("clock", "warning", "nobody keeps it right: NTP does not answer or is off", MEND)


def compare_clocks(server: datetime, here: datetime | None = None) -> Finding:
    """Given the server's time, return how far this machine's is from it: the server stamps answers of officials."""
    away = abs(((here or datetime.now(UTC)) - server).total_seconds())
    if away < NOTICED:
        return Finding("server's clock", "ok", "the same as here")
    message = f"is {away:.0f} seconds away from this machine's"
    return Finding("server's clock", "problem" if away >= TOLERATED else "warning", message, MEND + ", on both")


def _kept_right() -> bool | None:
    """Ask systemd, else chrony; None when neither can tell, as in a container, whose clock is its host's."""
    asked: tuple[tuple[list[str], bytes, bytes], ...] = (
        (["timedatectl", "show", "--property=NTPSynchronized", "--value"], b"yes", b"no"),
        (["chronyc", "-n", "tracking"], b"Leap status     : Normal", b"Leap status     : Not synchronised"),
    )
    for command, good, bad in asked:
        if shutil.which(command[0]) is None:
            continue
        try:
            said = LocalHost().run(command, timeout=5).stdout
        except PulihError:
            continue
        if good in said:
            return True
        if bad in said:
            return False
    return None
