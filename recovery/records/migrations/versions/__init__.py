"""One module per change of the catalog's schema, oldest first."""
