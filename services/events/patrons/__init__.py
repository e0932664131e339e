"""Patrons as far as events knows them: whether they were erased."""
