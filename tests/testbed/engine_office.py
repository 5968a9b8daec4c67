"""The small office, whose application keeps its rows in a database server instead of in a file."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from recovery.settings import ComponentSettings
from tests.testbed.engines import EngineServer
from tests.testbed.small_office import SmallOffice, attach, describe, open_office

DATABASE = "simpel"


@dataclass
class EngineOffice(SmallOffice):
    """An office with a server; its web service answers from a file of its own."""

    server: EngineServer | None = None

    @property
    def engine(self) -> EngineServer:
        """The server."""
        assert self.server is not None
        return self.server

    def rows(self) -> list[tuple[Any, ...]]:
        """See SmallOffice.rows."""
        return self.engine.rows(DATABASE)

    def rows_of_copy(self, copy: str) -> list[tuple[Any, ...]]:
        """See SmallOffice.rows_of_copy."""
        return self.engine.rows(copy)

    def damage(self) -> None:
        """See SmallOffice.damage."""
        self.engine.damage(DATABASE)
        self.damage_files()

    def strays(self, copies: set[str]) -> set[str]:
        """See SmallOffice.strays. The live database must be there, and open."""
        there = self.engine.databases()
        wanted = {DATABASE, *(copy for copy in copies if copy in there)}
        closed = set() if there.get(DATABASE) else {f"{DATABASE}, which is closed or gone"}
        return super().strays(copies) | (there.keys() - wanted) | closed


def open_engine_office(root: Path, server: EngineServer) -> EngineOffice:
    """Build the office below a directory, with its rows in a running server."""
    server.make(DATABASE)
    office = open_office(root)
    components = office.installation.applications["simpel"].components
    components[0] = ComponentSettings(name="data", lock_timeout=3, **server.component(DATABASE))
    describe(office)
    return _with(office, server)


def attach_engine_office(root: Path, server: EngineServer) -> EngineOffice:
    """Open, in another process, the office that open_engine_office built."""
    return _with(attach(root), server)


def _with(office: SmallOffice, server: EngineServer) -> EngineOffice:
    given = {field.name: getattr(office, field.name) for field in fields(office)}
    return EngineOffice(**given, server=server)
