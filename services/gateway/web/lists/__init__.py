"""Pages of patrons' lists of titles."""
