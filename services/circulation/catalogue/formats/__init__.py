"""Titles and copies in the formats of other systems."""
