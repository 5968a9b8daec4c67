"""Whether the guard makes its rounds: one that was never enabled, or that was stopped, tells nobody so itself."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.guard.report import Alarm
from recovery.guard.rounds import RESOURCE
from recovery.records import leases

# It comes by every minute, and a round that takes long renews its lease all the time.
LONGEST_PAUSE = timedelta(minutes=15)
MEND = "systemctl enable --now pulih-guard.timer; if it is, see with journalctl -u pulih-guard what keeps it"


def guard_alarm(connection: Connection, now: datetime) -> Alarm | None:
    """Given the catalog and the time, return the alarm that no guard is at work; None when one was within minutes."""
    held = leases.held_until(connection, RESOURCE)
    if held is None:
        return Alarm("guard", "guard", "has never made a round in this catalog", MEND)
    # Either way: a lease that ends in a year was taken while the clock ran ahead, and keeps every guard out.
    if abs(now - datetime.fromisoformat(held)) <= LONGEST_PAUSE:
        return None
    return Alarm("guard", "guard", f"the lease of its last round ended, or ends, {format_moment(held)}", MEND, held)
