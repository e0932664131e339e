"""Commands of sign in."""
