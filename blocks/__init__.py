"""What operators see and configure in the Prefect UI: one block type per kind of settings."""
