"""The engines that can keep the demonstration's database: each prepares its own, and says how it is backed up."""

from typing import Any, Protocol

from demo.engines.mariadb import MariadbEngine
from demo.engines.postgresql import PostgresqlEngine
from demo.engines.sqlite import SqliteEngine
from demo.site import Site
from recovery.errors import ConfigurationError


class Engine(Protocol):
    """What keeps SIMPEL's database."""

    @property
    def address(self) -> str:
        """What SIMPEL is told (see demo.simpel.databases); readable by everybody, so without a password."""

    def make(self) -> None:
        """Make what the database needs before data is put in: nothing for a file, a server of its own otherwise."""

    def fill(self) -> None:
        """Put SIMPEL's data in."""

    def programs(self) -> str:
        """Return the service manager's sections for what the engine keeps running."""

    def component(self) -> dict[str, Any]:
        """Return what the inventory says about the database, without name and titles."""

    def table(self, name: str) -> str:
        """Given a table, return the name under which the owner's rules find it."""

    def remove(self) -> None:
        """Remove what does not lie in the site's directory. The engine does not run any more."""


ENGINES: dict[str, type[SqliteEngine | PostgresqlEngine | MariadbEngine]] = {
    "sqlite": SqliteEngine,
    "postgresql": PostgresqlEngine,
    "mariadb": MariadbEngine,
}


def engine_of(site: Site) -> Engine:
    """Given a site, return its engine."""
    return ENGINES[site.engine](site)


def require_known(name: str) -> None:
    """Raises ConfigurationError when there is no engine of this name; "" is for whichever there is."""
    if name and name not in ENGINES:
        raise ConfigurationError(
            f"the demonstration has no engine {name!r}",
            state="nothing was started",
            hint=f"choose one of {', '.join(ENGINES)}, as in: make demo ENGINE=postgresql",
        )


def choose(site: Site, name: str) -> None:
    """Given the name of an engine, or "" for what the site has or else SQLite, let the site have it.

    Raises ConfigurationError when there is no such engine, or when the site was made with another one.
    """
    require_known(name)
    if site.inventory.exists() and name not in ("", site.engine):
        raise ConfigurationError(
            f"the demonstration in {site.root} was made with {site.engine}",
            state="it was left as it is",
            hint=f"go on with it (ENGINE={site.engine}), or begin anew with: make demo ENGINE={name}",
        )
    if not site.inventory.exists():
        site.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        site.engine_file.write_text(f"{name or 'sqlite'}\n", encoding="ascii")
