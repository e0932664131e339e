"""Routes of seasons."""
