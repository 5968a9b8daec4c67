"""The `pulih` command: one file per verb."""
