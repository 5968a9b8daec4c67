"""The block type "Pulih Instansi"."""

from typing import ClassVar

from blocks.base import SettingsBlock
from recovery.settings import OfficeSettings, Settings


class Office(SettingsBlock, OfficeSettings):
    """The office that runs the procedure.

    Example:
        ```python
        from blocks.office import Office

        office = Office.load("BLOCK_NAME")
        ```
    """

    settings_type: ClassVar[type[Settings]] = OfficeSettings
    _block_type_name = "Pulih Instansi"
    _block_type_slug = "pulih-instansi"
    _description = (
        "Instansi yang menjalankan SOP Back Up/Restore Data: kop formulir, penomoran, dan ketentuan persetujuan."
    )

    def open(self) -> OfficeSettings:
        """Return the settings that the block holds."""
        settings: OfficeSettings = self.plain()
        return settings
