"""Accounts of staff and machines, and changes that need a second person."""
