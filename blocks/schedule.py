"""The block type "Pulih Jadwal"."""

from typing import ClassVar

from blocks.base import SettingsBlock
from recovery.settings import ScheduleSettings, Settings


class Schedule(SettingsBlock, ScheduleSettings):
    """Jadwal Back Up: what is backed up when, by whom, for how long.

    Example:
        ```python
        from blocks.schedule import Schedule

        schedule = Schedule.load("BLOCK_NAME")
        ```
    """

    settings_type: ClassVar[type[Settings]] = ScheduleSettings
    _block_type_name = "Pulih Jadwal"
    _block_type_slug = "pulih-jadwal"
    _description = "Jadwal Back Up: aplikasi, waktu, retensi, pelaksana, dan pemeriksa."

    def open(self) -> ScheduleSettings:
        """Return the settings that the block holds."""
        settings: ScheduleSettings = self.plain()
        return settings
