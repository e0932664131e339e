"""Self-check stations, sorters, PC booking and e-book shops, which speak SIP2."""
