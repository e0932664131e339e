"""Linked cards of families, and invitations to link them."""
