"""Pages of visits to a library: at its doors, at the desk, and for contact tracing."""
