"""The rules of lending, as pure functions and values."""
