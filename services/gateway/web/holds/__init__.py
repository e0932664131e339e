"""Pages of the catalogue and of reservations; at the desk, copies to fetch."""
