"""Rules of enquiries."""
