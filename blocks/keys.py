"""The block type "Pulih Kunci"."""

from typing import ClassVar

from blocks.base import SettingsBlock
from recovery.settings import KeySettings, Settings


class Keys(SettingsBlock, KeySettings):
    """Public recipients of the installation, and references to its private keys.

    Example:
        ```python
        from blocks.keys import Keys

        keys = Keys.load("BLOCK_NAME")
        ```
    """

    settings_type: ClassVar[type[Settings]] = KeySettings
    _block_type_name = "Pulih Kunci"
    _block_type_slug = "pulih-kunci"
    _description = "Kunci publik dan rujukan kunci privat. Nilai rahasia tidak pernah disimpan di sini."

    def open(self) -> KeySettings:
        """Return the settings that the block holds."""
        settings: KeySettings = self.plain()
        return settings
