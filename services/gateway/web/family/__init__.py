"""Pages of linked cards."""
