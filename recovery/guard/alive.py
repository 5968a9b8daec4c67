"""Whether the guard's rounds come to their end: one that was never enabled or was stopped, or whose every round dies,
tells nobody so itself."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from recovery.calendar import format_moment
from recovery.guard.report import Alarm
from recovery.guard.rounds import RESOURCE, ROUND
from recovery.records import leases, schema

# It comes by every minute; what a killed round held ends after two.
LONGEST_PAUSE = timedelta(minutes=15)
# TimeoutStartSec= of its unit: a round may have to stop and start services that take their time.
LONGEST_ROUND = timedelta(minutes=30)
MEND = (
    "systemctl enable --now pulih-guard.timer; if it is, journalctl -u pulih-guard says why its rounds do not begin, "
    "or die before their end"
)


def guard_alarm(connection: Connection, now: datetime) -> Alarm | None:
    """Given the catalog and the time, return the alarm that no round of the guard came to its end within minutes; None
    when one did. That rounds begin is no sign of life."""
    ended = leases.held_until(connection, ROUND)
    if ended is None:
        return Alarm("guard", "guard", "no round of it has ever come to its end in this catalog", MEND)
    last = datetime.fromisoformat(ended)
    # Only the first round after the last whole one is believed to be a long one: of the others each follows a dead one.
    first = any(
        lease["resource"] == RESOURCE
        and not lease["expired"]
        and lease["taken_at"] <= schema.timestamp(last + LONGEST_PAUSE)
        for lease in leases.list_leases(connection)
    )
    # Either way: what ended in a year did so while the clock ran ahead.
    if abs(now - last) <= LONGEST_PAUSE + (LONGEST_ROUND if first else timedelta()):
        return None
    return Alarm("guard", "guard", f"its last whole round ended {format_moment(ended)}", MEND, ended)
