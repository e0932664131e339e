"""Refusals about holds."""

from services.circulation.refusals import refusal

NoSuchPatron = refusal(404, "no-such-patron", "There is no such reader.")
NoSuchHold = refusal(404, "no-such-hold", "There is no such reservation.")
"""No hold that the caller may see has this id."""
WhichVolume = refusal(
    409, "which-volume", "This title has several volumes. Please choose one: {volumes}.", "volumes"
)
"""A hold on a title whose copies all are volumes, without one of them."""
NoSuchVolume = refusal(
    409,
    "no-such-volume",
    "This title has no volume {volume}. Please choose one of those it has: {volumes}.",
    "volumes",
)
NoSuchWork = refusal(404, "no-such-work", "There is no such work.")
