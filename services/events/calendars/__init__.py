"""Calendars of branches, as notices publishes them."""
