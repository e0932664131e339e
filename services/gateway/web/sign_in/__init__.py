"""Pages to log in, and to protect one's log-in."""
