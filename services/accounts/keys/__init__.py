"""Keys that sign tokens, and the secrets that seal them."""
