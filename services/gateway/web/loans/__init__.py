"""Pages of loans: renewals and losses; at the desk, lending and returns."""
