"""What notices does: one file for each command."""
