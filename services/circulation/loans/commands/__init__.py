"""Commands of loans."""
