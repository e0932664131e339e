"""The HTTP side of a service: its app, what its routes depend on, and its responses."""
