"""Backups of all databases at one cluster time, and their way back into empty databases."""
