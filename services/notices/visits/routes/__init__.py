"""Routes of visits."""
