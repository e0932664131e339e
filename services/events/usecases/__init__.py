"""What events does: one file for each command."""
