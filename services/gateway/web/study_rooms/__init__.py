"""Pages of study rooms."""
