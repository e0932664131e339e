"""How often a card may be tried, so that a PIN can't be guessed."""

from datetime import timedelta

MOST_ATTEMPTS = 5
"""Attempts within WINDOW after which a card is locked; one that succeeds clears those before it."""
WINDOW = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
