"""Notifications: from an event to the inbox, in which words, and their sending."""
