"""Refusals about linked cards."""

from services.accounts.refusals import refusal

OwnCard = refusal(409, "own-card", "This is your own card number.")
NeedsGuardian = refusal(
    409, "needs-guardian", "A parent or guardian has to agree to this at a library."
)
"""A junior patron's cards are linked at the desk, with the consent of a guardian."""
NotJunior = refusal(
    409,
    "not-junior",
    "Only a junior card is linked at the desk. Others accept an invitation themselves.",
)
TooManyInvitations = refusal(
    429, "too-many-invitations", "You can't invite more people now. Please try again tomorrow."
)
"""The patron has sent as many as they can, in a day or at a time."""
NoSuchInvitation = refusal(
    404, "no-such-invitation", "There is no such invitation. It may have ended."
)
"""There is no such invitation, it has ended, or it is neither from nor to the caller."""
AlreadyLinked = refusal(409, "already-linked", "These cards are linked already.")
TooManyLinks = refusal(
    409, "too-many-links", "One of the two cards is linked with as many cards as possible."
)
NotLinked = refusal(
    404, "not-linked", "Your card is not linked with this one. The link may have ended."
)
"""The answer does not say whether the other patron exists."""
