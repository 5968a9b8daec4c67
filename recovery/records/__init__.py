"""What the installation remembers: procedures, steps, backups, the ledger, officials and their decisions."""
