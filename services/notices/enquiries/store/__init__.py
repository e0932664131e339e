"""Collections of enquiries."""
