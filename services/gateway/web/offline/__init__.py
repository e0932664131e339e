"""The desk without a network: its page, the scans that it keeps, and their settlement."""
