"""Limits on login attempts with a card, so that a PIN can't be guessed."""

from datetime import timedelta

MOST_ATTEMPTS = 5
"""Attempts within WINDOW that lock a card; a successful one deletes the attempts before it."""
WINDOW = timedelta(minutes=15)
LOCKED_FOR = timedelta(minutes=15)
