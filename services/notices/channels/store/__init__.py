"""Collections of channels."""
