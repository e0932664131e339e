"""Collections of seasons."""
