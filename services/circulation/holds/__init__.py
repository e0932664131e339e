"""Holds, the queues of titles, and the hold shelves."""
