"""Commands of enquiries."""
