"""The page that a web server shows instead of a dead port, for as long as a flag file is there.

Putting and removing the flag are repeatable, so whoever ends a restore that died can begin with either.
"""

from typing import Any

from recovery.hosts.base import Host
from recovery.settings import MaintenanceSettings

LIMIT = 30.0


class Maintenance:
    """The page of one service."""

    def __init__(self, host: Host, settings: MaintenanceSettings) -> None:
        self._host, self._flag = host, settings.flag
        self.arguments = [settings.url, settings.text, settings.flag]
        self.watched = {"page_url": settings.url, "flag": settings.flag}

    def put(self) -> None:
        """Put the flag, durably. Raises ServiceError."""
        self._call("put")

    def remove(self) -> None:
        """Remove the flag, durably. Raises ServiceError."""
        self._call("remove")

    def _call(self, verb: str) -> dict[str, Any]:
        return self._host.call("service", verb, self._flag, timeout=LIMIT)
