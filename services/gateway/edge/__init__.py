"""The edge: limits, circuits and forwarding, between clients and the owners of the data."""
