"""Conversions of another system's data to titles and patrons."""
