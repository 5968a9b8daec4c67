"""The block type "Pulih Server"."""

from typing import TYPE_CHECKING, ClassVar

from blocks.base import SettingsBlock
from recovery.settings import HostSettings, Settings

if TYPE_CHECKING:
    from recovery.hosts.base import Host as HostAdapter


class Host(SettingsBlock, HostSettings):
    """A machine on which components and services live.

    Example:
        ```python
        from blocks.host import Host

        host = Host.load("BLOCK_NAME")
        ```
    """

    settings_type: ClassVar[type[Settings]] = HostSettings
    _block_type_name = "Pulih Server"
    _block_type_slug = "pulih-server"
    _description = "Server tempat aplikasi dan basis data berada."

    def open(self) -> "HostAdapter":
        """Return the host itself, ready for use. Raises what `recovery.hosts.open_host` raises."""
        from recovery.hosts import open_host

        return open_host(self.plain())
