"""Where sets are kept. `open_store` gives the store that the settings describe."""

from recovery.settings import StoreSettings
from recovery.stores.base import Store


def open_store(settings: StoreSettings) -> Store:
    """Given a store's settings, return the store. Nothing is touched until it is used."""
    from recovery.stores.directory import DirectoryStore

    return DirectoryStore(settings)
