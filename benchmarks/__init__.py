"""Benchmarks of the hot paths against the bare driver."""
