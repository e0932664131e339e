"""Suspensions of fines."""
