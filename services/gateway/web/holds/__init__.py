"""Pages of the catalogue and of reservations."""
