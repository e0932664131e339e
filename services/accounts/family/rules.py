"""Linked cards of a family: invitations, the two sides of a link, and the limits of both."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from services.accounts.family import refusals

VALID_FOR = timedelta(days=7)
"""Time in which an invitation can be accepted; it is deleted afterwards."""
MOST_A_DAY = 5
"""Invitations that a patron can send in 24 hours."""
MOST_OPEN = 10
"""Invitations of a patron that are open at a time."""
MOST_LINKS = 10
"""Cards that can be linked with one card."""

Consent = Literal["patron", "guardian"]
"""Person who agreed for the patron of a side: they themselves, or a guardian at the desk."""
State = Literal["requested", "void", "sent", "accepted", "declined", "withdrawn"]
"""`requested` until the job has looked for the card; `void` if there is nobody to invite."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A patron's invitation to link cards, to the card number that they typed.

    It is stored alike for each card number, so that it does not tell which cards exist.
    """

    id: str
    patron_id: str
    """Id of the patron who sent it."""
    card_digest: str = field(repr=False)
    """Digest of the card number that was typed; there may be no such card."""
    made_at: datetime
    """Wall clock, like `expires_at`."""
    expires_at: datetime
    invited_id: str | None = None
    """Id of the patron who is invited; None until the job has found one."""
    state: State = "requested"
    version: int = 1

    @property
    def seems_open(self) -> bool:
        """True if the sender sees it as open: it does not tell that it was declined, or is void."""
        return self.state not in ("accepted", "withdrawn")

    def is_open_to(self, patron_id: str, at: datetime) -> bool:
        """Return whether a patron can accept or decline it at an instant."""
        return self.state == "sent" and self.invited_id == patron_id and at < self.expires_at


@dataclass(frozen=True, slots=True)
class Link:
    """One side of a link: `patron_id` and `member_id` may see and do things for each other.

    Each link has two, one for each patron, which are made and ended together.
    """

    id: str
    patron_id: str
    member_id: str
    """Id of the other patron."""
    consent: Consent
    made_at: datetime
    version: int = 1


def check_invitation(own_card: bool, sent: list[Invitation], at: datetime) -> None:
    """Raise OwnCard or TooManyInvitations if a patron cannot send one more."""
    if own_card:
        raise refusals.OwnCard
    today = [invitation for invitation in sent if invitation.made_at > at - timedelta(days=1)]
    open_ones = [
        invitation for invitation in sent if invitation.seems_open and at < invitation.expires_at
    ]
    if len(today) >= MOST_A_DAY or len(open_ones) >= MOST_OPEN:
        raise refusals.TooManyInvitations


def check_link(member_id: str, *links: list[Link]) -> None:
    """Raise AlreadyLinked or TooManyLinks if a card with these links cannot have one more.

    `links` are those of each of the two patrons.
    """
    if any(link.member_id == member_id for each in links for link in each):
        raise refusals.AlreadyLinked
    if any(len(each) >= MOST_LINKS for each in links):
        raise refusals.TooManyLinks


def in_state(invitation: Invitation, state: State, *, invited_id: str | None = None) -> Invitation:
    """Return the invitation in another state, with the patron whom the job has found."""
    return replace(
        invitation,
        state=state,
        invited_id=invited_id or invitation.invited_id,
        version=invitation.version + 1,
    )
