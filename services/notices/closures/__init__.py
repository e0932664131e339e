"""Closures and reopenings of branches."""
