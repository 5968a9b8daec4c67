"""Components and how they are dumped, loaded and swapped."""

from recovery.hosts.base import Host
from recovery.settings import ComponentSettings
from recovery.sources.base import Source


def open_source(host: Host, component: ComponentSettings) -> Source:
    """Given the host and a component's settings, return the source. Nothing is touched yet."""
    if component.kind == "files":
        from recovery.sources.files import FilesSource

        return FilesSource(host, component.path, lock_timeout=component.lock_timeout)
    from recovery.sources.sqlite import SqliteSource

    return SqliteSource(host, component.path, lock_timeout=component.lock_timeout)
