"""The demonstration: a small application, its data, and what is needed to show a whole backup and restore."""
