"""The block type "Pulih Penyimpanan"."""

from typing import TYPE_CHECKING, ClassVar

from blocks.base import SettingsBlock
from recovery.settings import Settings, StoreSettings

if TYPE_CHECKING:
    from recovery.stores.base import Store as StoreAdapter


class Store(SettingsBlock, StoreSettings):
    """A place where backup sets are kept.

    Example:
        ```python
        from blocks.store import Store

        store = Store.load("BLOCK_NAME")
        ```
    """

    settings_type: ClassVar[type[Settings]] = StoreSettings
    _block_type_name = "Pulih Penyimpanan"
    _block_type_slug = "pulih-penyimpanan"
    _description = "Lokasi penyimpanan hasil back up."

    def open(self) -> "StoreAdapter":
        """Return the store itself, ready for use. Raises what `recovery.stores.open_store` raises."""
        from recovery.stores import open_store

        return open_store(self.plain())
