"""Collection of loans, and the facts that decide about them."""
