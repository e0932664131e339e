"""Queries of notices, one module for each subject."""
