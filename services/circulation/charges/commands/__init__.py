"""Commands of charges."""
