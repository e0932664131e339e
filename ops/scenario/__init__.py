"""Scenarios: play one through the gateway's API at its own business time, and check the results."""
