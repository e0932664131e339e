"""Patrons as circulation knows them: their counts, linked cards and reading history."""
