"""What accounts does: one file for each command."""
