"""Where sets are kept. `open_store` gives the store that the settings describe."""

from recovery.settings import StoreSettings
from recovery.stores.base import Store


def open_store(settings: StoreSettings, *, for_removal: bool = False) -> Store:
    """Given a store's settings, return the store. Nothing is touched until it is used.

    `for_removal` opens it with the credentials that may remove objects; a directory has only its one account.
    """
    if settings.kind == "s3":
        from recovery.stores.s3 import S3Store

        return S3Store(settings, for_removal=for_removal)
    from recovery.stores.directory import DirectoryStore

    return DirectoryStore(settings)
