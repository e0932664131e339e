"""Pages of copies: what a scanned code is, where it belongs, and taking it out of lending."""
