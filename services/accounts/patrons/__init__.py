"""Patrons: registered, imported, changed, blocked and erased."""
