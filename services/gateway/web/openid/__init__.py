"""Pages on which patrons log in to services of others with their library account."""
