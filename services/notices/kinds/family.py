"""Notifications about linked cards. They name nobody: names stay with accounts."""

from dataclasses import dataclass
from typing import Self

from services.notices.kinds.kind import Kind, Known
from shared.contracts.accounts import PatronInvited, PatronLinked, PatronUnlinked
from shared.translations import marked
from shared.unit_of_work import Run


@dataclass(frozen=True, kw_only=True)
class Invited(Kind, events=[PatronInvited]):
    """A notification that somebody wants to link their card with the patron's."""

    @classmethod
    async def of(cls, event: PatronInvited, run: Run) -> Self:
        """Return no facts: the page of linked cards says who it is."""
        return cls()

    def texts(self, known: Known) -> list[str]:
        """Return that there is an invitation, and where to answer it."""
        return [
            marked("Somebody invites you to link your library cards."),
            marked("See who it is, and accept or decline, under Linked cards."),
        ]


@dataclass(frozen=True, kw_only=True)
class Linked(Kind, events=[PatronLinked]):
    """A notification that the patron's card is linked with another."""

    @classmethod
    async def of(cls, event: PatronLinked, run: Run) -> Self:
        """Return no facts."""
        return cls()

    def texts(self, known: Known) -> list[str]:
        """Return what the other patron can do, and how to end it."""
        return [
            marked("Your library card is now linked with another card."),
            marked(
                "Its holder can see your loans and reservations, and renew and reserve for you."
            ),
            marked("You can end this at any time, under Linked cards."),
        ]


@dataclass(frozen=True, kw_only=True)
class Unlinked(Kind, events=[PatronUnlinked]):
    """A notification that the link with another card has ended."""

    @classmethod
    async def of(cls, event: PatronUnlinked, run: Run) -> Self | None:
        """Return no facts; None for the patron who ended it."""
        return None if event.by == "patron" else cls()

    def texts(self, known: Known) -> list[str]:
        """Return that the link has ended."""
        return [marked("Your library card is no longer linked with another card.")]
