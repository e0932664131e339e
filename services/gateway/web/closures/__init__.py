"""Desk pages of closures and of suspensions of fines, which are previewed."""
