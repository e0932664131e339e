"""Routes of enquiries."""
