"""Lists of titles: what a patron saved for later, by name, open to others if they want."""
