"""What the hot paths cost, against the bare driver."""
