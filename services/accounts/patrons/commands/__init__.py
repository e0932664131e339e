"""Commands of patrons."""
