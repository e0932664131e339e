"""The `carrel` command: run, check and repair the system."""
