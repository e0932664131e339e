"""Seasons of the study rooms: applications, the ballot, admission cards, and places in sessions."""
