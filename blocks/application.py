"""The block type "Pulih Aplikasi"."""

from typing import ClassVar

from blocks.base import SettingsBlock
from recovery.settings import ApplicationSettings, Settings


class Application(SettingsBlock, ApplicationSettings):
    """An application with its services and components: the unit of a restore.

    Example:
        ```python
        from blocks.application import Application

        application = Application.load("BLOCK_NAME")
        ```
    """

    settings_type: ClassVar[type[Settings]] = ApplicationSettings
    _block_type_name = "Pulih Aplikasi"
    _block_type_slug = "pulih-aplikasi"
    _description = "Aplikasi beserta web service dan komponennya: satuan restore."

    def open(self) -> ApplicationSettings:
        """Return the settings that the block holds."""
        settings: ApplicationSettings = self.plain()
        return settings
