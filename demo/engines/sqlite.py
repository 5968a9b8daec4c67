"""SIMPEL's database as a SQLite file: nothing to install, nothing to start."""

from typing import Any

from demo.simpel.generate import generate
from demo.site import Site


class SqliteEngine:
    """A file beside the uploads."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @property
    def address(self) -> str:
        """See Engine.address."""
        return str(self._site.database)

    def make(self) -> None:
        """See Engine.make."""

    def fill(self) -> None:
        """See Engine.fill."""
        generate(self.address, self._site.uploads)

    def programs(self) -> str:
        """See Engine.programs."""
        return ""

    def component(self) -> dict[str, Any]:
        """See Engine.component."""
        return {"kind": "sqlite", "path": self._site.on_host(self._site.database)}

    def table(self, name: str) -> str:
        """See Engine.table."""
        return name

    def remove(self) -> None:
        """See Engine.remove."""
