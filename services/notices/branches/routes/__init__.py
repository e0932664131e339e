"""Routes of branches."""
