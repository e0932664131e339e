"""Use cases of circulation: one command a file."""
