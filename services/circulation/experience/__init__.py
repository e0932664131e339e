"""Durations of ended loans and holds, counted by month."""
