"""Desk pages of messages to readers."""
