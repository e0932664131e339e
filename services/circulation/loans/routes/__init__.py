"""Routes of loans."""
