"""Holders of cards: patrons, staff and machines, with their personal data, and alerts to them."""
