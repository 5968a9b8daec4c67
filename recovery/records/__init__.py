"""What the installation remembers: procedures, steps, backups, the ledger, officials and their decisions."""

from recovery.records.catalog import open_catalog

__all__ = ["open_catalog"]
