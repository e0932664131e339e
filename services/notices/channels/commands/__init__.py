"""Commands of channels."""
