"""Branches: registration, names, opening hours, and hours of their services."""
