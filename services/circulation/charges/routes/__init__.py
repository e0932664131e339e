"""Routes of charges."""
