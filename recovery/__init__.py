"""The domain and the adapters, in plain Python: importable, testable and usable in a disaster without Prefect."""
