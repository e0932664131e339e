"""The `carrel` command: runs, checks and repairs the system."""
