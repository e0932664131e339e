"""Refusals about patrons and titles."""

from services.notices.refusals import refusal

NoSuchPatron = refusal(404, "no-such-patron", "There is no such reader.")
"""The patron has been erased."""
NoSuchTitle = refusal(404, "no-such-title", "There is no such title.")
