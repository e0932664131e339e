"""Commands: each module loads, decides, saves and records in one transaction."""
