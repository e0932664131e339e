"""Routes of patrons and their cards."""
