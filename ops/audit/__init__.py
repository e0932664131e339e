"""Comparisons of databases, topics and account views with each other."""
